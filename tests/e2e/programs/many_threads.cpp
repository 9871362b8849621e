// Forks in the midst of many threads, then each thread writes pages that the child shares, and the
// one that has forked writes some of its own:
//
//   many_threads THREADS DESCRIPTORS
//
// Prints how many files it can open then, of the DESCRIPTORS that it may have.
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>

namespace {

constexpr size_t kPage = 4096;
constexpr size_t kPagesAThread = 4;
constexpr size_t kOwnPages = 64;

volatile unsigned char* memory = nullptr;
pthread_barrier_t started;
pthread_barrier_t go;
pthread_barrier_t done;

[[gnu::noinline]] void store_in_thread(size_t first) {
    for (size_t i = first; i < first + kPagesAThread; ++i) memory[i * kPage] = 2;
}
[[gnu::noinline]] void store_in_main(size_t first) {
    for (size_t i = first; i < first + kOwnPages; ++i) memory[i * kPage] = 2;
}

void* work(void* number) {
    pthread_barrier_wait(&started);
    pthread_barrier_wait(&go);
    store_in_thread(reinterpret_cast<size_t>(number) * kPagesAThread);
    pthread_barrier_wait(&done);
    return nullptr;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 3) return 2;
    const size_t threads = std::strtoul(argv[1], nullptr, 10);
    const rlim_t descriptors = std::strtoul(argv[2], nullptr, 10);
    const rlimit limit{descriptors, descriptors};
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0) return 3;
    const size_t pages = threads * kPagesAThread + kOwnPages;
    void* room =
        mmap(nullptr, pages * kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (room == MAP_FAILED) return 4;
    memory = static_cast<unsigned char*>(room);
    for (size_t i = 0; i < pages; ++i) memory[i * kPage] = 1;

    const auto parties = static_cast<unsigned>(threads + 1);
    pthread_barrier_init(&started, nullptr, parties);
    pthread_barrier_init(&go, nullptr, parties);
    pthread_barrier_init(&done, nullptr, parties);
    pthread_attr_t small;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 64 * 1024);
    for (size_t i = 0; i < threads; ++i) {
        pthread_t thread;
        if (pthread_create(&thread, &small, work, reinterpret_cast<void*>(i)) != 0) return 5;
    }
    pthread_barrier_wait(&started);
    int release[2];
    if (pipe(release) != 0) return 6;
    const pid_t child = fork();
    if (child == 0) {
        close(release[1]);
        char nothing;
        _exit(read(release[0], &nothing, 1) == 0 ? 0 : 1);
    }
    store_in_main(threads * kPagesAThread);
    pthread_barrier_wait(&go);
    pthread_barrier_wait(&done);
    int more = 0;
    while (open("/dev/null", O_RDONLY | O_CLOEXEC) >= 0) ++more;
    std::printf("%d\n", more);
    close(release[1]);
    int status = 0;
    if (waitpid(child, &status, 0) != child || status != 0) return 7;
    return 0;
}
