// Memory that the program has unmapped is free: it maps something there again after it has forked,
// at the same address, and writes to it. Prints how much of it was taken.
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif

namespace {

constexpr size_t kHoles = 40;
constexpr size_t kHoleBytes = size_t{3} << 20;
constexpr size_t kBig = size_t{256} << 20;
constexpr size_t kShared = size_t{1} << 20;

void require(bool condition, const char* what) {
    if (condition) return;
    std::perror(what);
    std::_Exit(99);
}

unsigned char* map(size_t bytes) {
    void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    require(memory != MAP_FAILED, "mmap");
    return static_cast<unsigned char*>(memory);
}

// How many could not be mapped again where they were.
size_t fill_again(unsigned char* const* holes, unsigned char* big) {
    size_t taken = 0;
    const auto fill = [&](unsigned char* at, size_t bytes, size_t written) {
        void* memory =
            mmap(at, bytes, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
        if (memory != at) {
            ++taken;
            return;
        }
        std::memset(at, 0x5a, written);
    };
    for (size_t i = 0; i < kHoles; ++i) fill(holes[i], kHoleBytes, 64 * 1024);
    fill(big, kBig, 1024 * 1024);
    return taken;
}

}  // namespace

int main() {
    unsigned char* shared = map(kShared);
    std::memset(shared, 1, kShared);
    unsigned char* holes[kHoles];
    for (unsigned char*& hole : holes) {
        hole = map(2 * kHoleBytes);
        hole[kHoleBytes] = 1;  // stays
    }
    unsigned char* big = map(kBig);
    for (unsigned char* hole : holes) require(munmap(hole, kHoleBytes) == 0, "munmap");
    require(munmap(big, kBig) == 0, "munmap");

    int to_parent[2];
    require(pipe(to_parent) == 0, "pipe");
    const pid_t child = fork();
    require(child >= 0, "fork");
    if (child == 0) {
        std::memset(shared, 2, kShared);
        const size_t taken = fill_again(holes, big);
        std::memset(shared, 3, kShared);
        require(write(to_parent[1], &taken, sizeof(taken)) == sizeof(taken), "write");
        _exit(0);
    }
    std::memset(shared, 4, kShared / 2);
    const size_t taken = fill_again(holes, big);
    std::memset(shared, 5, kShared);
    size_t taken_of_child = 0;
    require(read(to_parent[0], &taken_of_child, sizeof(taken)) == sizeof(taken), "read");
    int status = 0;
    require(waitpid(child, &status, 0) == child && status == 0, "the child");
    std::printf("taken: %zu and %zu\n", taken, taken_of_child);
}
