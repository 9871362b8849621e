#include "witness/trap.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>

#include <cstring>

#include "support/descriptor.h"
#include "support/text.h"

#include "support/poison.h"

namespace cowscope::witness {
namespace {

// getdents64(2); libc has no type of that name without opendir.
struct FolderEntry {
    uint64_t inode;
    int64_t offset;
    uint16_t bytes;
    uint8_t type;
    char name[1];
};

// Calls sink(tid) for every thread of this process.
template <typename Sink>
void for_each_thread(Sink&& sink) {
    const int fd = sys::open("/proc/self/task", O_RDONLY | O_DIRECTORY);
    if (fd < 0) return;
    alignas(FolderEntry) char buffer[2048];
    for (;;) {
        const long got = sys::syscall3(SYS_getdents64, fd, sys::word(buffer), sizeof(buffer));
        if (got <= 0) break;
        for (long at = 0; at < got;) {
            const auto* entry = reinterpret_cast<const FolderEntry*>(buffer + at);
            uint64_t tid = 0;
            if (parse_decimal(entry->name, INT32_MAX, &tid)) sink(static_cast<pid_t>(tid));
            at += entry->bytes;
        }
    }
    sys::close(fd);
}

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

constinit Descriptor Trap::more_[kMaxEvents - kMaxInline] = {};

int Trap::open_event(pid_t tid, uint64_t event, uint32_t sample) {
    if (count_ == kMaxEvents) return -EMFILE;
    struct perf_event_attr attributes;
    std::memset(&attributes, 0, sizeof(attributes));
    attributes.size = sizeof(attributes);
    attributes.type = PERF_TYPE_SOFTWARE;
    attributes.config = event;
    attributes.sample_period = sample;
    attributes.inherit = 1;
    attributes.inherit_thread = 1;  // threads, not forked children
    attributes.remove_on_exec = 1;  // what sigtrap demands
    attributes.sigtrap = 1;
    attributes.sig_data = kCookie;
    attributes.exclude_kernel = 1;
    attributes.exclude_hv = 1;
    const long fd = sys::syscall5(SYS_perf_event_open, sys::word(&attributes), tid, -1, -1,
                                  PERF_FLAG_FD_CLOEXEC);
    if (sys::failed(fd)) return static_cast<int>(fd);
    Descriptor& opened = at(count_);
    if (!opened.keep_event(static_cast<int>(fd))) {
        opened.close();
        return -EBADF;
    }
    ++count_;
    return 0;
}

int Trap::open(uint32_t sample, bool is_alone) {
    if (!kernel_spares_blocking_threads()) return -EOPNOTSUPP;
    // Faults that were resolved, and only those: the handler may then look at the page. (The plain
    // PERF_COUNT_SW_PAGE_FAULTS also counts those that end in SIGSEGV.)
    constexpr uint64_t kEvent = PERF_COUNT_SW_PAGE_FAULTS_MIN;
    const pid_t self = sys::gettid();
    if (is_swap_used()) open_major(sample);
    // The other threads first: the caller's own faults from here on are the shim's.
    if (!is_alone) {
        for_each_thread([&](pid_t tid) {
            if (tid != self) open_event(tid, kEvent, sample);
        });
    }
    const int result = open_event(self, kEvent, sample);
    if (result != 0) close();
    return result;
}

// Without them most of the truth is still there.
void Trap::open_major(uint32_t sample) {
    if (has_major_) return;
    has_major_ = true;
    for_each_thread([&](pid_t tid) { open_event(tid, PERF_COUNT_SW_PAGE_FAULTS_MAJ, sample); });
}

void Trap::close() {
    for_each_descriptor([](Descriptor& each) { each.close(); });
    count_ = 0;
    has_major_ = false;
}

}  // namespace cowscope::witness
