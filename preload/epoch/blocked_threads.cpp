#include "epoch/blocked_threads.h"

#include <cstring>

#include "epoch/epoch.h"
#include "session/session.h"
#include "support/thread_list.h"
#include "support/threads.h"

#include "support/poison.h"

namespace cowscope::epoch {
namespace {

// Of the shim's own faults there are fewer in an epoch of few events.
constexpr uint64_t kOwnFaults = 64;
// Asking takes some 10 us a thread.
constexpr unsigned kMostAsked = 256;

// proc(5): 16 hexadecimal digits, of which the last but one has SIGTRAP's bit.
bool blocks_trap(pid_t tid) {
    constexpr char kLabel[] = "\nSigBlk:\t";
    constexpr size_t kDigit = 14;
    static_assert((SIGTRAP - 1) / 4 == 15 - kDigit && (SIGTRAP - 1) % 4 == 0);
    FixedText<64> path;
    path.add("/proc/self/task/").add_decimal(static_cast<uint64_t>(tid)).add("/status");
    const int fd = sys::open(path.c_str(), O_RDONLY);
    if (fd < 0) return false;
    char text[2048];
    const long bytes = sys::read(fd, text, sizeof(text) - 1);
    sys::close(fd);
    if (bytes <= 0) return false;
    text[bytes] = '\0';
    const char* digits = std::strstr(text, kLabel);
    if (digits == nullptr) return false;
    digits += sizeof(kLabel) - 1;
    if (std::memchr(digits, '\0', kDigit + 1) != nullptr) return false;
    const char digit = digits[kDigit];
    const int value = digit >= 'a' ? digit - 'a' + 10 : digit - '0';
    return (value & 1) != 0;
}

pid_t find_blocked_thread() {
    const pid_t self = sys::gettid();
    if (sharing.blocked_tid != 0 && sharing.blocked_tid != self &&
        blocks_trap(sharing.blocked_tid)) {
        return sharing.blocked_tid;
    }
    pid_t found = 0;
    unsigned asked = 0;
    for_each_thread("/proc/self/task", [&](pid_t tid) {
        if (found != 0 || tid == self || asked++ == kMostAsked) return;
        if (blocks_trap(tid)) found = tid;
    });
    return found;
}

}  // namespace

bool has_blocked_thread() {
    if (is_only_thread() || !sharing.trap.is_open() || !sharing.asks_threads) return false;
    sharing.blocked_tid = find_blocked_thread();
    sharing.asks_threads = sharing.blocked_tid != 0;
    return sharing.asks_threads;
}

void start_counting_unseen() {
    sharing.asks_threads = true;
    Epoch& epoch = *sharing.epoch;
    if (epoch.counts_unseen || !sharing.trap.is_open()) return;
    epoch.counts_unseen = true;
    epoch.unseen_before = sharing.trap.unseen_faults();
}

void count_unseen(uint64_t most) {
    Epoch& epoch = *sharing.epoch;
    if (!epoch.counts_unseen || !sharing.trap.is_open()) return;
    const uint64_t unseen = sharing.trap.unseen_faults();
    const uint64_t before = epoch.unseen_before;
    epoch.unseen_before = unseen;
    // With each event the shim may touch some memory of its own for the first time.
    constexpr uint64_t kEventsAnOwnFault = 8;
    if (unseen < before + kOwnFaults + epoch.told_copies / kEventsAnOwnFault) return;
    const uint64_t lost = unseen - before < most ? unseen - before : most;
    if (session::self.is_counting) return;
    session::self.writer.count_loss(&trace::LossRecord::blocked_events, lost);
}

}  // namespace cowscope::epoch
