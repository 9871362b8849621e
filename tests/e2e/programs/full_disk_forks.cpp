// A parent whose trace finds no room around a fork: full_disk_forks FOLDER, which is on the disk
// that the trace is on. It writes the same pages before and after that fork, each time beside a
// child that shares them, and others while the disk is full: 3 * kPages copies.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

namespace {

constexpr size_t kPageBytes = 4096;
constexpr size_t kPages = 4000;

[[noreturn]] void fail(const char* what) {
    std::perror(what);
    std::_Exit(99);
}

volatile char* filled_pages() {
    void* memory = mmap(nullptr, kPages * kPageBytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) fail("mmap");
    madvise(memory, kPages * kPageBytes, MADV_NOHUGEPAGE);
    auto* bytes = static_cast<volatile char*>(memory);
    for (size_t i = 0; i < kPages; ++i) bytes[i * kPageBytes] = 1;
    return bytes;
}

pid_t fork_sharer() {
    const pid_t child = fork();
    if (child < 0) fail("fork");
    if (child == 0) {
        for (;;) pause();
    }
    return child;
}

void fill(const std::string& path) {
    const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) fail(path.c_str());
    static const char zeros[kPageBytes] = {};
    while (write(fd, zeros, sizeof(zeros)) > 0) {
    }
    close(fd);
}

}  // namespace

// Not in the nameless namespace: the report names it.
[[gnu::noinline]] void write_pages(volatile char* pages) {
    for (size_t i = 0; i < kPages; ++i) pages[i * kPageBytes] = 2;
}

int main(int argc, char** argv) {
    if (argc != 2) fail("usage: full_disk_forks FOLDER");
    const std::string filler = std::string(argv[1]) + "/filler";
    volatile char* first = filled_pages();
    volatile char* second = filled_pages();
    const pid_t one = fork_sharer();
    write_pages(first);
    fill(filler);
    write_pages(second);
    if (unlink(filler.c_str()) != 0) fail("unlink");
    const pid_t other = fork_sharer();
    write_pages(first);
    for (const pid_t child : {one, other}) {
        kill(child, SIGTERM);
        if (waitpid(child, nullptr, 0) != child) fail("waitpid");
    }
    return 0;
}
