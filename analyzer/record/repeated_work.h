// Work that is done again and again, in a thread of its own.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>

namespace cowscope::record {

class RepeatedWork {
  public:
    // `work` returns in how many ns at the latest it wants to be called again. An exception of it
    // ends it for good. It is called with all signals blocked.
    explicit RepeatedWork(std::function<uint64_t()> work);
    // When it has returned.
    ~RepeatedWork();
    RepeatedWork(const RepeatedWork&) = delete;
    RepeatedWork& operator=(const RepeatedWork&) = delete;

    // False where no thread was to be had.
    bool has_thread() const { return thread_.joinable(); }

  private:
    void run();

    std::function<uint64_t()> work_;
    std::mutex mutex_;
    std::condition_variable wake_;
    bool must_end_ = false;
    std::thread thread_;
};

}  // namespace cowscope::record
