// What the kernel takes for the first write to a page, in CPU time: the fault alone, with a perf
// event that counts it, and with one that sends the writing thread a signal to a handler that does
// nothing. Nothing that learns of each write by a signal can take less than the last.
//
// usage: fault_floor [PAGES]      pages of each of the three, fresh ones and copied ones
//
// The three take turns every few hundred microseconds, so that what disturbs one disturbs all.
// Prints the medians.

#include <linux/perf_event.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

namespace {

constexpr size_t kPageBytes = 4096;
constexpr size_t kBatchPages = 128;
constexpr size_t kDefaultPages = 16384;

enum Kind { alone, counted, signalled };
constexpr std::array kKinds = {alone, counted, signalled};

[[noreturn]] void fail(const char* what) {
    std::fprintf(stderr, "fault_floor: %s: %s\n", what, std::strerror(errno));
    std::exit(1);
}

int64_t cpu_ns() {
    timespec now{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

void ignore(int, siginfo_t*, void*) {}

void install_empty_handler() {
    struct sigaction action {};
    action.sa_sigaction = ignore;
    action.sa_flags = SA_SIGINFO;
    if (sigaction(SIGTRAP, &action, nullptr) != 0) fail("cannot handle SIGTRAP");
}

// As the witness opens it (preload/witness/trap.cpp); -1 for the fault alone.
int open_event(Kind kind) {
    if (kind == alone) return -1;
    perf_event_attr attributes{};
    attributes.size = sizeof(attributes);
    attributes.type = PERF_TYPE_SOFTWARE;
    attributes.config = PERF_COUNT_SW_PAGE_FAULTS_MIN;
    attributes.inherit = 1;
    attributes.inherit_thread = 1;
    attributes.exclude_kernel = 1;
    attributes.exclude_hv = 1;
    if (kind == signalled) {
        attributes.sample_period = 1;
        attributes.remove_on_exec = 1;
        attributes.sigtrap = 1;
    }
    const long fd = syscall(SYS_perf_event_open, &attributes, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
    if (fd < 0) fail("cannot open a perf event");
    return static_cast<int>(fd);
}

// A fault for each page that is written to, or the figures would be of something else.
void close_event(int fd) {
    if (fd < 0) return;
    uint64_t faults = 0;
    if (read(fd, &faults, sizeof(faults)) != sizeof(faults)) fail("cannot read a perf event");
    close(fd);
    if (faults < kBatchPages) {
        std::fprintf(stderr, "fault_floor: %zu pages made %llu faults\n", kBatchPages,
                     static_cast<unsigned long long>(faults));
        std::exit(1);
    }
}

double write_batch(volatile char* pages, Kind kind) {
    const int event = open_event(kind);
    const int64_t start_ns = cpu_ns();
    for (size_t page = 0; page < kBatchPages; ++page) pages[page * kPageBytes] = 1;
    const int64_t end_ns = cpu_ns();
    close_event(event);
    return static_cast<double>(end_ns - start_ns) / kBatchPages;
}

double median_of(std::vector<double> values) {
    const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
    std::nth_element(values.begin(), middle, values.end());
    return *middle;
}

// Writes once to each of `batches` times three batches of pages.
void measure(const char* what, char* pages, size_t batches) {
    std::array<std::vector<double>, kKinds.size()> ns;
    for (size_t batch = 0; batch < batches; ++batch) {
        for (size_t turn = 0; turn < kKinds.size(); ++turn) {
            const Kind kind = kKinds[(batch + turn) % kKinds.size()];
            ns[kind].push_back(write_batch(pages, kind));
            pages += kBatchPages * kPageBytes;
        }
    }
    std::printf("%s pages: %.1f ns a page alone, %.1f counted, %.1f with a signal\n", what,
                median_of(ns[alone]), median_of(ns[counted]), median_of(ns[signalled]));
    std::fflush(stdout);
}

size_t pages_from(int argc, char** argv) {
    if (argc == 1) return kDefaultPages;
    char* end = nullptr;
    const unsigned long long pages = std::strtoull(argv[1], &end, 10);
    if (argc > 2 || *end != '\0' || pages < kBatchPages || pages > 1ULL << 30) {
        std::fprintf(stderr, "usage: fault_floor [PAGES]      at least %zu\n", kBatchPages);
        std::exit(2);
    }
    return static_cast<size_t>(pages);
}

}  // namespace

int main(int argc, char** argv) {
    const size_t batches = pages_from(argc, argv) / kBatchPages;
    const size_t bytes = batches * kKinds.size() * kBatchPages * kPageBytes;
    void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) fail("no memory");
    madvise(memory, bytes, MADV_NOHUGEPAGE);  // a fault is to be one page's
    install_empty_handler();

    auto* pages = static_cast<char*>(memory);
    measure("fresh", pages, batches);
    // Now all are there, and shared with a child while this process waits.
    const pid_t child = fork();
    if (child < 0) fail("cannot fork");
    if (child == 0) {
        measure("copied", pages, batches);
        _exit(0);
    }
    int status = 0;
    while (waitpid(child, &status, 0) < 0) {
        if (errno != EINTR) fail("cannot wait for the child");
    }
    return status == 0 ? 0 : 1;
}
