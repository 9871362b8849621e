// Forks a child that writes pages which it shares with its parent, and stops at points where a test
// can look at it: files in FOLDER are how the two talk.
//
//   paused_writer FOLDER PAGES STEPS END
//
// The child writes every second page of PAGES, in STEPS equal parts with 300 ms between them. Then
// it makes FOLDER/ready, which tells its id and those pages, one a line, and waits for FOLDER/go.
// Then it ends as END says:
//   exit_group   by the system call, with status 7
//   goes_on      it writes the other pages, too, and returns 0
//   gives_up     it unmaps the other pages, each by itself, makes FOLDER/done, waits for FOLDER/end
//                and returns 0
// The parent waits for FOLDER/reap before it reaps its child.
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

namespace {

constexpr size_t kPageBytes = 4096;
constexpr int kRawStatus = 7;

[[noreturn]] void fail(const char* what) {
    std::fprintf(stderr, "paused_writer: %s: %s\n", what, std::strerror(errno));
    std::_Exit(99);
}

void wait_for(const std::string& path) {
    while (access(path.c_str(), F_OK) != 0) usleep(1000);
}

void write_pages(volatile unsigned char* region, size_t from, size_t to) {
    for (size_t page = from; page < to; page += 2) region[page * kPageBytes] = 2;
}

// The file is there when it is whole.
void tell(const std::string& path, const unsigned char* region, size_t pages) {
    const std::string unfinished = path + ".tmp";
    std::FILE* file = std::fopen(unfinished.c_str(), "w");
    if (file == nullptr) fail("fopen");
    std::fprintf(file, "%d\n", getpid());
    for (size_t page = 0; page < pages; page += 2) {
        std::fprintf(file, "%p\n", static_cast<const void*>(region + page * kPageBytes));
    }
    if (std::fclose(file) != 0 || std::rename(unfinished.c_str(), path.c_str()) != 0) fail("ready");
}

int be_child(const std::string& folder, unsigned char* region, size_t pages, size_t steps,
             const std::string& end) {
    constexpr useconds_t kPauseUs = 300'000;
    for (size_t step = 0; step < steps; ++step) {
        if (step != 0) usleep(kPauseUs);
        const size_t start = pages / 2 * step / steps * 2;
        write_pages(region, start, pages / 2 * (step + 1) / steps * 2);
    }
    tell(folder + "/ready", region, pages);
    wait_for(folder + "/go");
    if (end == "exit_group") syscall(SYS_exit_group, kRawStatus);
    if (end == "gives_up") {
        for (size_t page = 1; page < pages; page += 2) {
            if (munmap(region + page * kPageBytes, kPageBytes) != 0) fail("munmap");
        }
        tell(folder + "/done", region, 0);
        wait_for(folder + "/end");
        return 0;
    }
    write_pages(region, 1, pages);
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 5) return 2;
    const std::string folder = argv[1];
    const size_t pages = std::strtoul(argv[2], nullptr, 10);
    const size_t steps = std::strtoul(argv[3], nullptr, 10);
    if (pages == 0 || steps == 0) return 2;
    void* memory = mmap(nullptr, pages * kPageBytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) fail("mmap");
    // Pages are counted one by one.
    madvise(memory, pages * kPageBytes, MADV_NOHUGEPAGE);
    std::memset(memory, 1, pages * kPageBytes);

    const pid_t child = fork();
    if (child < 0) fail("fork");
    if (child == 0) {
        return be_child(folder, static_cast<unsigned char*>(memory), pages, steps, argv[4]);
    }
    siginfo_t ended{};
    while (waitid(P_PID, static_cast<id_t>(child), &ended, WEXITED | WNOWAIT) != 0) {
        if (errno != EINTR) fail("waitid");
    }
    wait_for(folder + "/reap");
    int status = 0;
    if (waitpid(child, &status, 0) != child) fail("waitpid");
    return 0;
}
