// A call by which the kernel may write to a buffer of the program's, while the witness alone looks.
#pragma once

#include "arch/cpu.h"
#include "epoch/classify.h"
#include "epoch/epoch.h"
#include "epoch/memory_changes.h"
#include "session/session.h"
#include "support/kept_errno.h"

namespace cowscope::hooks {

// What the kernel copied or created by the call is recorded.
class KernelWrite {
  public:
    KernelWrite(void* to, size_t bytes) {
        // Most programs never fork: for them this is one comparison.
        if (epoch::sharing.epoch == nullptr || !epoch::sharing.epoch->state.is_classifying())
            return;
        if (!session::is_current() || bytes == 0) return;
        const auto start = reinterpret_cast<uint64_t>(to);
        const uint64_t first = cpu::page_of(start);
        const KeptErrno kept_errno;
        const session::Locked locked;
        // The process may have changed its mind while this thread waited.
        if (epoch::sharing.epoch == nullptr || !epoch::sharing.epoch->state.is_classifying())
            return;
        if (bytes > kMostPages * cpu::kPageBytes - (start - first)) {
            epoch::stop_classifying();
        } else {
            start_ = start;
            bytes_ = bytes;
            shared_ = epoch::sharing.look.shared_pages(first, pages_of(bytes), &absent_);
        }
    }

    // What the call returned: how far it wrote, or an error. Returns it too.
    ssize_t wrote(ssize_t bytes) const {
        if (bytes <= 0 || (shared_ | absent_) == 0) return bytes;
        const auto written = static_cast<uint64_t>(bytes);
        judge(written < bytes_ ? written : bytes_, ~uint64_t{0});
        return bytes;
    }
    // The same where nobody says how far: what was shared and no longer is.
    void wrote_some() const {
        if ((shared_ | absent_) == 0) return;
        uint64_t absent = 0;
        uint64_t shared = 0;
        {
            const session::Locked locked;
            shared =
                epoch::sharing.look.shared_pages(cpu::page_of(start_), pages_of(bytes_), &absent);
        }
        judge(bytes_, ~(shared | absent));
    }

  private:
    static constexpr uint64_t kMostPages = 64;

    size_t pages_of(uint64_t bytes) const {
        const uint64_t first = cpu::page_of(start_);
        return static_cast<size_t>((start_ + bytes - first + cpu::kPageBytes - 1) /
                                   cpu::kPageBytes);
    }

    void judge(uint64_t bytes, uint64_t of_pages) const {
        const KeptErrno kept_errno;
        const size_t count = pages_of(bytes);
        const session::Locked locked;
        uint64_t page = cpu::page_of(start_);
        for (size_t i = 0; i < count; ++i, page += cpu::kPageBytes) {
            if (epoch::sharing.epoch == nullptr || !epoch::sharing.epoch->state.is_classifying())
                break;
            if ((of_pages >> i & 1) == 0) continue;
            const bool is_copied =
                (shared_ >> i & 1) != 0 && !epoch::sharing.epoch->classified_pages.is_copied(page);
            if (is_copied) epoch::record_page(trace::CensusKind::kernel, page);
            if (is_copied || (absent_ >> i & 1) != 0) epoch::classify_page(page, !is_copied);
        }
    }

    uint64_t start_ = 0;
    uint64_t bytes_ = 0;
    uint64_t shared_ = 0;  // bit n: the n-th page of the buffer
    uint64_t absent_ = 0;
};

}  // namespace cowscope::hooks
