#include "hooks/descriptors/poll_and_select.h"

#include <errno.h>

#include "arch/cpu.h"
#include "hooks/define_hooks.h"

#include "support/poison.h"

namespace cowscope::hooks {

bool is_readable(const void* start, size_t bytes) {
    const auto from = reinterpret_cast<uint64_t>(start);
    for (uint64_t at = from; at < from + bytes; at = cpu::page_of(at) + cpu::kPageBytes) {
        char byte;
        if (!read_argument(reinterpret_cast<const void*>(at), &byte, 1)) return false;
    }
    return true;
}

HiddenFromPoll::HiddenFromPoll(struct pollfd* all, nfds_t count, nfds_t* next) : all_(all) {
    for (; *next < count && count_ < kMost; ++*next) {
        const int fd = all[*next].fd;
        // Where it cannot be written the kernel will say so.
        if (!is_own_descriptor(fd) || !write_result(&kNoFile, &all[*next].fd, sizeof(fd))) continue;
        hidden_[count_++] = {*next, fd};
    }
}

HiddenFromPoll::~HiddenFromPoll() {
    for (size_t i = 0; i < count_; ++i) {
        write_result(&hidden_[i].fd, &all_[hidden_[i].at].fd, sizeof(int));
    }
}

bool has_own_in(int count, const void* set) {
    const auto lowest = static_cast<int>(Descriptor::lowest());
    if (set == nullptr || count <= lowest) return false;
    // As the kernel reads it: whole words.
    const auto* words = static_cast<const uint64_t*>(set);
    const auto word_count = (static_cast<size_t>(count) + 63) / 64;
    if (!is_readable(set, word_count * sizeof(*words))) return false;
    for (int fd = lowest; fd < count; ++fd) {
        const bool is_asked_for = (words[fd / 64] >> fd % 64 & 1) != 0;
        if (is_asked_for && is_own_descriptor(fd)) return true;
    }
    return false;
}

bool has_own_in(int count, const void* readable, const void* writable, const void* exceptional) {
    return has_own_descriptors() && (has_own_in(count, readable) || has_own_in(count, writable) ||
                                     has_own_in(count, exceptional));
}

}  // namespace cowscope::hooks

using namespace cowscope;
using namespace cowscope::hooks;

COWSCOPE_WAIT_FOR_DESCRIPTORS_HOOKS(COWSCOPE_DEFINE)

COWSCOPE_INTERPOSED int poll(struct pollfd* all, nfds_t count, int timeout_ms) {
    return poll_without_own(all, count, [&] { return real::poll(all, count, timeout_ms); });
}
COWSCOPE_INTERPOSED int __poll_chk(struct pollfd* all, nfds_t count, int timeout_ms, size_t bytes) {
    return poll_without_own(all, bytes / sizeof(*all) < count ? 0 : count,
                            [&] { return real::__poll_chk(all, count, timeout_ms, bytes); });
}

COWSCOPE_INTERPOSED int select(int count, fd_set* readable, fd_set* writable, fd_set* exceptional,
                               struct timeval* timeout) {
    if (has_own_in(count, readable, writable, exceptional)) {
        errno = EBADF;
        return -1;
    }
    return real::select(count, readable, writable, exceptional, timeout);
}
