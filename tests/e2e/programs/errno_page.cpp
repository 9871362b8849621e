// A parent that forks, waits for one of its children and reads what the other has sent, and says
// whether anybody has written to the page in which its errno stands since the forks: that is
// read-only then no more.
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

namespace {

long faults() {
    struct rusage usage = {};
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_minflt + usage.ru_majflt;
}

}  // namespace

int main() {
    constexpr uint64_t kPageBytes = 4096;
    int to_parent[2];
    int to_child[2];
    if (pipe(to_parent) != 0 || pipe(to_child) != 0) return 2;
    const pid_t staying = fork();
    if (staying == 0) {
        char byte = 1;
        const bool is_sent = write(to_parent[1], &byte, 1) == 1;
        _exit(is_sent && read(to_child[0], &byte, 1) == 1 ? 0 : 2);
    }
    const pid_t leaving = fork();
    if (leaving == 0) _exit(0);
    char byte = 0;
    const bool is_done =
        waitpid(leaving, nullptr, 0) == leaving && read(to_parent[0], &byte, 1) == 1;

    auto* page = reinterpret_cast<void*>(reinterpret_cast<uint64_t>(&errno) & ~(kPageBytes - 1));
    const long before = faults();
    const bool is_asked = madvise(page, kPageBytes, MADV_POPULATE_WRITE) == 0;
    const bool was_written = faults() == before;
    std::puts(!is_asked ? "unknown" : was_written ? "written" : "untouched");
    int status = 1;
    const bool has_ended =
        write(to_child[1], &byte, 1) == 1 && waitpid(staying, &status, 0) == staying;
    return is_done && has_ended ? status : 2;
}
