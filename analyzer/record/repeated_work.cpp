#include "record/repeated_work.h"

#include <algorithm>
#include <chrono>
#include <exception>
#include <utility>

#include "base/signal_mask.h"
#include "observe/crash_guard.h"

namespace cowscope::record {

RepeatedWork::RepeatedWork(std::function<uint64_t()> work) : work_(std::move(work)) {
    try {
        thread_ = std::thread([this] { run(); });
    } catch (const std::exception&) {
        // has_thread() tells.
    }
}

RepeatedWork::~RepeatedWork() {
    if (!thread_.joinable()) return;
    {
        const std::lock_guard lock(mutex_);
        must_end_ = true;
    }
    wake_.notify_all();
    thread_.join();
}

void RepeatedWork::run() {
    // libc opens one (SIGCANCEL) in every new thread.
    change_mask(SIG_SETMASK, kAllSignals);
    observe::CrashGuard::enter_thread();
    constexpr uint64_t kMostNs = 3'600'000'000'000;
    try {
        while (true) {
            const std::chrono::nanoseconds rest(std::min(work_(), kMostNs));
            std::unique_lock lock(mutex_);
            if (wake_.wait_for(lock, rest, [this] { return must_end_; })) return;
        }
    } catch (...) {
        // It looks no more.
    }
}

}  // namespace cowscope::record
