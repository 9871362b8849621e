// A library that is preloaded beside cowscope's and stands before the same functions, with an
// allocator that reads a file at its first call, as jemalloc does, and holds a lock while it
// writes. Its clock wants the same lock.
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace {

struct Counts {
    std::atomic<long> forks, closes, actions, allocations, settings_read, before, in_child, clock;
} counts;

template <typename Function>
Function* next(const char* name) {
    return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

constexpr size_t kArenaBytes = size_t{64} << 20;
constexpr size_t kAlignment = 16;
unsigned char* arena;
size_t used;
std::atomic_flag is_locked = ATOMIC_FLAG_INIT;

struct Locked {
    Locked() {
        while (is_locked.test_and_set()) {
        }
    }
    ~Locked() { is_locked.clear(); }
};

// The lock is held. A size stands before each block.
void* allocate(size_t bytes) {
    if (arena == nullptr) {
        arena =
            static_cast<unsigned char*>(mmap(nullptr, kArenaBytes, PROT_READ | PROT_WRITE,
                                             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
        if (arena == MAP_FAILED) _exit(97);
        const int fd = open("/proc/sys/vm/overcommit_memory", O_RDONLY | O_CLOEXEC);
        char setting = 0;
        if (fd >= 0 && read(fd, &setting, 1) == 1) ++counts.settings_read;
        close(fd);
    }
    const size_t rounded = (bytes + kAlignment - 1) & ~(kAlignment - 1);
    if (rounded < bytes || rounded + kAlignment > kArenaBytes - used) return nullptr;
    auto* block = arena + used + kAlignment;
    used += rounded + kAlignment;
    std::memcpy(block - kAlignment, &bytes, sizeof(bytes));
    return block;
}

__attribute__((constructor)) void start() {
    pthread_atfork([] { ++counts.before; }, nullptr, [] { ++counts.in_child; });
}

}  // namespace

extern "C" {

void* malloc(size_t bytes) {
    const Locked locked;
    ++counts.allocations;
    return allocate(bytes);
}
void* calloc(size_t count, size_t bytes) {
    const Locked locked;
    if (bytes != 0 && count > SIZE_MAX / bytes) return nullptr;
    return allocate(count * bytes);  // zero: nothing is used twice
}
void* realloc(void* old, size_t bytes) {
    const Locked locked;
    void* block = allocate(bytes);
    if (old != nullptr && block != nullptr) {
        size_t old_bytes = 0;
        std::memcpy(&old_bytes, static_cast<unsigned char*>(old) - kAlignment, sizeof(old_bytes));
        std::memcpy(block, old, old_bytes < bytes ? old_bytes : bytes);
    }
    return block;
}
void free(void*) {}

pid_t fork() {
    ++counts.forks;
    return next<pid_t()>("fork")();
}
int close(int fd) {
    ++counts.closes;
    return next<int(int)>("close")(fd);
}
int sigaction(int signal, const struct sigaction* action, struct sigaction* old) noexcept {
    if (signal == SIGUSR1 || signal == SIGTRAP) ++counts.actions;
    return next<int(int, const struct sigaction*, struct sigaction*)>("sigaction")(signal, action,
                                                                                   old);
}

int clock_gettime(clockid_t clock, timespec* now) noexcept {
    const Locked locked;
    ++counts.clock;
    return static_cast<int>(syscall(SYS_clock_gettime, clock, now));
}

// What the program asks for by name.
long other_preload_count(const char* what) {
    if (std::strcmp(what, "forks") == 0) return counts.forks;
    if (std::strcmp(what, "closes") == 0) return counts.closes;
    if (std::strcmp(what, "actions") == 0) return counts.actions;
    if (std::strcmp(what, "allocations") == 0) return counts.allocations;
    if (std::strcmp(what, "settings read") == 0) return counts.settings_read;
    if (std::strcmp(what, "clock") == 0) return counts.clock;
    if (std::strcmp(what, "handlers before") == 0) return counts.before;
    if (std::strcmp(what, "handlers in child") == 0) return counts.in_child;
    return -1;
}
}
