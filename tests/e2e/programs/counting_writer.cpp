// Forks children that write pages which they share with their parent, and keeps the count of each
// in a file, so that it is there whoever is killed when: counting_writer FILE
//
// FILE begins with one struct Count a child, and is made by the caller.
#include "counting_writer.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstring>

int main(int argc, char** argv) {
    using namespace counting_writer;
    const int fd = argc == 2 ? open(argv[1], O_RDWR | O_CLOEXEC) : -1;
    auto* counts =
        static_cast<Count*>(mmap(nullptr, kFileBytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
    auto* shared = static_cast<unsigned char*>(mmap(
        nullptr, kPages * kPageBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    if (fd < 0 || counts == MAP_FAILED || shared == MAP_FAILED) {
        std::perror("counting_writer");
        return 99;
    }
    std::memset(shared, 1, kPages * kPageBytes);
    // Two at a time, so that some writes are the first of all processes and others are not.
    for (size_t i = 0; i < kChildren; ++i) {
        const pid_t child = fork();
        if (child == 0) {
            counts[i].pid = getpid();
            for (size_t page = 0; page < kPages; ++page) {
                static_cast<volatile unsigned char*>(shared)[page * kPageBytes] = 2;
                counts[i].written = static_cast<uint32_t>(page + 1);
            }
            return 0;
        }
        if (child < 0) return 98;
        if (i % 2 == 1) {
            while (wait(nullptr) > 0) {
            }
        }
    }
    return kStatus;
}
