// Programs that take the recorder's own memory away: it runs into a fault where it writes down what
// it has seen. Nothing can be recorded then, but nobody may wait for ever either.
#include <alloca.h>
#include <sys/syscall.h>

#include <csignal>

#include "tree_cases.h"

using namespace tree;

namespace {

struct Range {
    unsigned long start;
    unsigned long end;
};
Range segments[8];
size_t segment_count = 0;

void find_segments() {
    FILE* maps = std::fopen("/proc/self/maps", "r");
    require(maps != nullptr, "/proc/self/maps");
    char line[4096];
    segment_count = 0;
    while (std::fgets(line, sizeof(line), maps) != nullptr) {
        if (std::strstr(line, ".cowseg") == nullptr) continue;
        require(segment_count < sizeof(segments) / sizeof(segments[0]), "many segments");
        Range& segment = segments[segment_count++];
        require(std::sscanf(line, "%lx-%lx", &segment.start, &segment.end) == 2, "a mapping");
    }
    std::fclose(maps);
    require(segment_count > 0, "no segment is mapped");
}

// From who writes there in this process, the recorder. Writes nothing itself.
[[gnu::always_inline]] inline void hide(const Range& range) {
    long result;
    asm volatile("syscall"
                 : "=a"(result)
                 : "0"(static_cast<long>(SYS_mprotect)), "D"(range.start),
                   "S"(range.end - range.start), "d"(static_cast<long>(PROT_NONE))
                 : "rcx", "r11", "memory");
}

[[gnu::noinline]] void write_all_below(size_t bytes) {
    auto* room = static_cast<volatile char*>(alloca(bytes));
    for (size_t i = 0; i < bytes; ++i) room[i] = 1;
}
[[gnu::noinline]] void write_far_below(size_t bytes) {
    auto* room = static_cast<volatile char*>(alloca(bytes));
    room[0] = 1;
}
// What is written below the first page is the hook's.
[[gnu::noinline]] void unmap_far_below(size_t bytes) {
    auto* room = static_cast<volatile char*>(alloca(bytes));
    room[0] = 1;
    for (size_t i = 0; i < segment_count; ++i) hide(segments[i]);
    munmap(region, kPages * kPageBytes);
}

// A fault of the recorder's own must end the process, as any program's would, and not let it wait.
// Where its stack begins a page that the process shares, a signal of its own is pending when it
// faults: one of the places to begin will be so.
void end_in_recorder(void (*act)(size_t bytes_below)) {
    constexpr size_t kFar = 64 * 1024;
    constexpr size_t kPlaces = 64;
    write_all_below(2 * kFar);
    int64_t ended = 0;
    for (size_t place = 0; place < kPlaces; ++place) {
        std::fflush(nullptr);
        const pid_t child = fork();
        require(child >= 0, "fork");
        if (child == 0) {
            act(kFar + place * (kPageBytes / kPlaces));
            _exit(0);
        }
        int status = 0;
        require(waitpid(child, &status, 0) == child, "waitpid");
        ended += WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV ? 1 : 0;
    }
    note_figure("ended by SIGSEGV", ended);
}
void fault_in_handler() {
    end_in_recorder([](size_t bytes_below) {
        find_segments();
        for (size_t i = 0; i < segment_count; ++i) hide(segments[i]);
        write_far_below(bytes_below);
    });
}
// Where it stands in for a function of libc's, and writes down what it has copied so far.
void fault_in_hook() {
    end_in_recorder([](size_t bytes_below) {
        for (size_t i = 0; i < kPages; i += 2) *at(i) = 1;
        find_segments();
        unmap_far_below(bytes_below);
    });
}

const Case kCases[] = {
    {"fault-in-handler", fault_in_handler},
    {"fault-in-hook", fault_in_hook},
};

}  // namespace

int main(int argc, char** argv) {
    return run_named(kCases, argc, argv);
}
