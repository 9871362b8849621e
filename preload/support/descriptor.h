// File descriptors that the shim keeps while the host runs. They are close-on-exec and have high
// numbers, away from those that programs expect to get, and every later use first makes sure that
// the number still names our file: hosts close descriptors they do not know and reuse the number.
#pragma once

#include <linux/perf_event.h>

#include "support/syscall.h"

namespace cowscope {

// Moves FD up and returns its new number, or FD itself when there is no room higher up.
inline int move_descriptor_up(int fd) {
    // Below 1024, so that a host's select() and small descriptor tables are not affected.
    constexpr long kHighest = 1023;
    // From the top down, and from further down where there are more.
    constexpr long kRooms[] = {64, 256, 768};
    struct rlimit limit;
    long top = kHighest;
    if (sys::getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur <= kHighest) {
        top = static_cast<long>(limit.rlim_cur) - 1;
    }
    for (const long room : kRooms) {
        if (top <= room) return fd;
        const int moved = sys::fcntl(fd, F_DUPFD_CLOEXEC, top - room);
        if (moved < 0) continue;
        sys::close(fd);
        return moved;
    }
    return fd;
}

// One that is kept. Async-signal-safe; callers hold the process's lock.
class Descriptor {
  public:
    // Keeps FD, which is open, under a high number. False where nothing can be known of its file:
    // then it is closed.
    bool keep(int fd) {
        if (!keep_here(move_descriptor_up(fd))) return false;
        note_number();
        return true;
    }

    // For a moment: the number stays. A high one makes the kernel's table larger for good.
    bool keep_here(int fd) {
        number_ = fd;
        struct stat status;
        if (sys::fstat(number_, &status) != 0) {
            sys::close(number_);
            number_ = -1;
            return false;
        }
        event_ = 0;
        device_ = status.st_dev;
        inode_ = status.st_ino;
        return true;
    }

    int number() const { return number_; }
    bool is_open() const { return number_ >= 0; }

    // The same for a perf event: all of these, and eventfds, timers and more, have one inode
    // between them, but each event has a number of its own.
    bool keep_event(int fd) {
        return keep(fd) && sys::ioctl(number_, PERF_EVENT_IOC_ID, &event_) == 0;
    }

    // Whether the number still names the file.
    bool is_ours() const {
        struct stat status;
        if (number_ < 0 || sys::fstat(number_, &status) != 0 || status.st_dev != device_ ||
            status.st_ino != inode_) {
            return false;
        }
        uint64_t event = 0;
        return event_ == 0 ||
               (sys::ioctl(number_, PERF_EVENT_IOC_ID, &event) == 0 && event == event_);
    }

    // Closes the file, if it is still there.
    void close() {
        if (is_ours()) {
            sys::close(number_);
            forget_number();
        }
        number_ = -1;
    }
    // Leaves it open: it is someone else's.
    void forget() { number_ = -1; }

    // Closes it, and remembers which file it was.
    void release() { close(); }
    void move_up() {
        if (number_ < 0) return;
        number_ = move_descriptor_up(number_);
        note_number();
    }
    // Keeps FD, under its own number, where it is that file; else closes it.
    bool keep_same(int fd) {
        struct stat status;
        const bool is_same =
            sys::fstat(fd, &status) == 0 && status.st_dev == device_ && status.st_ino == inode_;
        if (is_same) return keep_here(fd);
        sys::close(fd);
        return false;
    }

    // To another number, because the host wants this one. Where there is none left, the host gets
    // this one all the same. Both stay open.
    void move_away() {
        forget_number();
        const int moved = sys::fcntl(number_, F_DUPFD_CLOEXEC, number_ + 1);
        number_ = moved >= 0 ? moved : sys::fcntl(number_, F_DUPFD_CLOEXEC, 0);
        note_number();
    }

    // None of those that are open has a lower number.
    static unsigned lowest() { return lowest_; }
    // Whether one of them may have this number. For everybody, without the lock: of one that is not
    // told of here, every time, there is none.
    static bool may_be(int fd) {
        // Negative ones are the highest.
        const auto number = static_cast<unsigned>(fd);
        if (number < lowest_) return false;
        if (number >= kNumbers) return fd >= 0 && has_high_;
        return (__atomic_load_n(&numbers_[number / 64], __ATOMIC_RELAXED) >> number % 64 & 1) != 0;
    }

  private:
    void note_number() {
        if (number_ < 0) return;
        const auto number = static_cast<unsigned>(number_);
        if (number >= kNumbers) {
            has_high_ = true;
        } else {
            uint64_t& word = numbers_[number / 64];
            __atomic_store_n(&word, word | uint64_t{1} << number % 64, __ATOMIC_RELAXED);
        }
        if (number < lowest_) lowest_ = number;
    }
    void forget_number() const {
        const auto number = static_cast<unsigned>(number_);
        if (number >= kNumbers) return;
        uint64_t& word = numbers_[number / 64];
        __atomic_store_n(&word, word & ~(uint64_t{1} << number % 64), __ATOMIC_RELAXED);
    }

    static constexpr unsigned kNumbers = 1024;
    static inline constinit unsigned lowest_ = ~0U;
    static inline constinit bool has_high_ = false;
    static inline constinit uint64_t numbers_[kNumbers / 64] = {};

    int number_ = -1;
    dev_t device_ = 0;
    ino_t inode_ = 0;
    uint64_t event_ = 0;  // 0: not one
};

}  // namespace cowscope
