#include "witness/trap.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>

#include <cstring>

#include "support/descriptor.h"
#include "support/text.h"
#include "support/thread_list.h"

#include "support/poison.h"

namespace cowscope::witness {
namespace {

// Which threads there are is also told where the first has ended.
constexpr char kOwnThreads[] = "/proc/self/task";

// Before Linux 5.19 a fault in a thread that blocks SIGTRAP killed the process. Nothing but dying
// would show that here, so this once the version decides.
bool kernel_spares_blocking_threads() {
    struct utsname names;
    if (sys::syscall1(SYS_uname, sys::word(&names)) != 0) return false;
    unsigned numbers[2] = {0, 0};
    const char* at = names.release;
    for (unsigned& number : numbers) {
        for (; *at >= '0' && *at <= '9'; ++at)
            number = number * 10 + static_cast<unsigned>(*at - '0');
        if (*at == '.') ++at;
    }
    return numbers[0] > 5 || (numbers[0] == 5 && numbers[1] >= 19);
}

bool is_swap_used() {
    struct sysinfo info;
    return sys::syscall1(SYS_sysinfo, sys::word(&info)) == 0 && info.freeswap != info.totalswap;
}

}  // namespace

constinit Trap::Event Trap::more_[kMaxEvents - kMaxInline] = {};

int Trap::open_at(size_t index, pid_t tid, bool is_major, uint32_t mean, uint64_t gap) {
    struct perf_event_attr attributes;
    std::memset(&attributes, 0, sizeof(attributes));
    attributes.size = sizeof(attributes);
    attributes.type = PERF_TYPE_SOFTWARE;
    // Faults that were resolved, and only those: the handler may then look at the page. (The plain
    // PERF_COUNT_SW_PAGE_FAULTS also counts those that end in SIGSEGV.)
    attributes.config = is_major ? PERF_COUNT_SW_PAGE_FAULTS_MAJ : PERF_COUNT_SW_PAGE_FAULTS_MIN;
    attributes.sample_period = gap;
    attributes.inherit = 1;
    attributes.inherit_thread = 1;  // threads, not forked children
    attributes.remove_on_exec = 1;  // what sigtrap demands
    attributes.sigtrap = 1;
    attributes.sig_data = signal_data(index, mean);
    attributes.exclude_kernel = 1;
    attributes.exclude_hv = 1;
    const long fd = sys::syscall5(SYS_perf_event_open, sys::word(&attributes), tid, -1, -1,
                                  PERF_FLAG_FD_CLOEXEC);
    if (sys::failed(fd)) return static_cast<int>(fd);
    Descriptor opened;
    if (!opened.keep_event(static_cast<int>(fd))) {
        opened.close();
        return -EBADF;
    }
    // Not before: what stood there stays where this cannot be opened.
    at(index) = {};
    at(index).descriptor = opened;
    at(index).tid = tid;
    at(index).is_major = is_major;
    at(index).is_new = true;
    at(index).picked = mean - 1;
    if (count_ <= index) count_ = index + 1;
    return 0;
}

int Trap::open_event(pid_t tid, bool is_major, uint32_t mean, uint32_t picked) {
    size_t index = 0;
    while (index < count_ && at(index).tid != 0) ++index;
    if (index == kMaxEvents) return -EMFILE;
    const int result = open_at(index, tid, is_major, mean, uint64_t{picked} + 1);
    if (result != 0) return result;
    at(index).is_first = true;
    at(index).picked = picked;
    return 0;
}

size_t Trap::open_events() const {
    size_t open = 0;
    for (size_t i = 0; i < count_; ++i) {
        if (at(i).tid != 0) ++open;
    }
    return open;
}

size_t Trap::most_events() {
    struct rlimit limit;
    if (sys::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 1;
    const size_t part = limit.rlim_cur / kPartOfLimit;
    return part < 1 ? 1 : part < kMaxEvents ? part : kMaxEvents;
}

namespace {

// 0 where it is not known.
uint64_t faults_of(Descriptor& event) {
    uint64_t count = 0;
    if (!event.is_ours()) return 0;
    return sys::read(event.number(), &count, sizeof(count)) == sizeof(count) ? count : 0;
}

}  // namespace

void Trap::close_event(Descriptor descriptor) {
    closed_faults_ += faults_of(descriptor);
    descriptor.close();
}

uint64_t Trap::unseen_faults() {
    uint64_t faults = closed_faults_;
    for_each_descriptor([&](Descriptor& each) { faults += faults_of(each); });
    return faults > told_faults_ ? faults - told_faults_ : 0;
}

void Trap::release(size_t index) {
    close_event(at(index).descriptor);
    at(index) = {};
    while (count_ != 0 && at(count_ - 1).tid == 0) --count_;
}

bool Trap::knows(pid_t tid, bool is_major) const {
    for (size_t i = 0; i < count_; ++i) {
        if (at(i).tid == tid && at(i).is_major == is_major) return true;
    }
    return false;
}

bool Trap::is_alive() {
    return count_ != 0 && at(count_ - 1).descriptor.is_ours();
}

int Trap::open(uint32_t mean, Sampling* sampling, bool is_alone) {
    if (!kernel_spares_blocking_threads()) return -EOPNOTSUPP;
    const pid_t self = sys::gettid();
    mean_ = mean;
    told_ = 0;
    most_ = most_events();
    unseen_threads_ = 0;
    // The other threads first: the caller's own faults from here on are the shim's.
    if (!is_alone) {
        for_each_thread(kOwnThreads, [&](pid_t tid) {
            if (tid == self) return;
            const int opened = has_room_for_others()
                                   ? open_event(tid, false, mean, sampling->pick(mean))
                                   : -EMFILE;
            if (opened != 0 && opened != -ESRCH) ++unseen_threads_;
        });
    }
    const int result = open_event(self, false, mean, sampling->pick(mean));
    if (result != 0) {
        close();
        return result;
    }
    if (is_swap_used()) open_major(sampling);
    return 0;
}

int Trap::reopen(uint32_t mean, Sampling* sampling) {
    told_ = 0;
    unseen_threads_ = 0;
    for (size_t i = 0; i < count_; ++i) at(i).is_new = false;
    // Threads without an event of their own first: what they have inherited ends with the one that
    // it came from. A thread that has ended meanwhile needs none.
    int result = 0;
    const auto open_new = [&](pid_t tid, bool is_major) {
        if (result != 0 || knows(tid, is_major)) return;
        if (!has_room_for_others()) {
            if (!is_major) ++unseen_threads_;
            return;
        }
        const int opened = open_event(tid, is_major, mean, sampling->pick(mean));
        if (opened != -ESRCH) result = opened;
    };
    for_each_thread(kOwnThreads, [&](pid_t tid) {
        if (has_major_) open_new(tid, true);
        open_new(tid, false);
    });
    for (size_t i = count_; i-- != 0;) {
        Event& event = at(i);
        if (result != 0 && event.is_new) release(i);
        if (result != 0 || event.is_new || event.tid == 0) continue;
        const Event old = event;
        const uint32_t picked = sampling->pick(mean);
        const int opened = open_at(i, old.tid, old.is_major, mean, uint64_t{picked} + 1);
        // Where it cannot be opened the old one stays, with its own mean: every signal says which
        // that is.
        if (opened == 0) {
            close_event(old.descriptor);
            at(i).is_first = true;
            at(i).picked = picked;
        }
        if (opened == -ESRCH) release(i);
    }
    if (result == 0) mean_ = mean;
    return result;
}

void Trap::set_gap(uint32_t index, pid_t tid, Sampling* sampling) {
    ++told_;
    if (mean_ <= 1 || index >= count_) return;
    Event& event = at(index);
    if (event.tid != tid) {
        // A thread that has inherited its event. Opening costs about 20 us a thread: with so many
        // faults in between, less than a hundredth of what they cost. But a first gap that is
        // inherited would come again and again.
        constexpr uint32_t kFaultsAReopening = 64;
        const bool is_due =
            event.is_first ? has_room_for_others() : told_ / kFaultsAReopening >= count_;
        if (is_due) reopen(mean_, sampling);
        return;
    }
    if (event.is_first) {
        follow_first(&event, sampling);
        return;
    }
    // Without a gap of one there is nothing to choose.
    if (mean_ == 2) return;
    const uint32_t picked = sampling->pick_after(event.picked, mean_);
    if (change_gap(&event, uint64_t{mean_} - event.picked + picked)) event.picked = picked;
}

void Trap::follow_first(Event* event, Sampling* sampling) {
    const Event old = *event;
    const bool has_choice = mean_ > 2;
    const uint32_t next = has_choice ? sampling->pick_after(old.picked, mean_) : 1;
    size_t index = 0;
    while (&at(index) != event) ++index;
    const uint64_t gap = has_choice ? uint64_t{mean_} - old.picked + next : 2;
    // Where it fails, the first gap stays for now: as likely too short as too long.
    if (open_at(index, old.tid, old.is_major, mean_, gap) != 0) return;
    close_event(old.descriptor);
    if (!has_choice) return;
    const uint32_t after = sampling->pick_after(next, mean_);
    event->picked = change_gap(event, uint64_t{mean_} - next + after) ? after : next;
}

namespace {

// How often this thread has given the processor to others.
uint32_t thread_switches() {
    struct rusage usage;
    constexpr int kThread = 1;  // RUSAGE_THREAD
    if (sys::syscall2(SYS_getrusage, kThread, sys::word(&usage)) != 0) return 0;
    return static_cast<uint32_t>(usage.ru_nvcsw + usage.ru_nivcsw);
}

}  // namespace

bool Trap::change_gap(Event* event, uint64_t gap) {
    // The event has just raised a signal, or was just opened: its number still names it.
    if (sys::ioctl(event->descriptor.number(), PERF_EVENT_IOC_PERIOD, &gap) != 0) return false;
    event->is_restarted = true;
    event->switches = thread_switches();
    return true;
}

bool Trap::takes(const kernel::PerfSiginfo& info) {
    const uint32_t index = event_of(info);
    if (index >= count_ || !at(index).is_restarted) return true;
    at(index).is_restarted = false;
    return at(index).switches != thread_switches();
}

// Without them most of the truth is still there.
void Trap::open_major(Sampling* sampling) {
    if (has_major_) return;
    has_major_ = true;
    for_each_thread(kOwnThreads, [&](pid_t tid) {
        if (has_room_for_others()) open_event(tid, true, mean_, sampling->pick(mean_));
    });
}

void Trap::close() {
    for_each_descriptor([](Descriptor& each) { each.close(); });
    for (size_t i = 0; i < count_; ++i) at(i) = {};
    count_ = 0;
    unseen_threads_ = 0;
    has_major_ = false;
    told_faults_ = closed_faults_ = 0;
}

}  // namespace cowscope::witness
