// What a program finds of its limits after it has forked; a line a figure, in KiB:
//
//   taken_limits locked             VmLck and VmRSS: mlockall() before the fork, in child and
//   parent taken_limits locked-later       the same, where the child and then the parent lock
//   taken_limits locked-on-fault    with MCL_ONFAULT
//   taken_limits address-space      what can be mapped within RLIMIT_AS
//   taken_limits address-space-later   the same, where the limit is set after the fork
//   taken_limits data               what can be mapped within RLIMIT_DATA
//   taken_limits accessible         writable private memory, by /proc/self/maps
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

namespace {

constexpr size_t kPage = 4096;
constexpr size_t kPages = 256;
unsigned char* region = nullptr;

long status_kb(const char* label) {
    char line[256];
    std::FILE* file = std::fopen("/proc/self/status", "r");
    long value = -1;
    while (file != nullptr && std::fgets(line, sizeof(line), file) != nullptr) {
        if (std::strncmp(line, label, std::strlen(label)) == 0) {
            value = std::atol(line + std::strlen(label) + 1);
        }
    }
    if (file != nullptr) std::fclose(file);
    return value;
}

long writable_kb() {
    char line[4096 + 128];
    std::FILE* file = std::fopen("/proc/self/maps", "r");
    unsigned long bytes = 0;
    while (file != nullptr && std::fgets(line, sizeof(line), file) != nullptr) {
        unsigned long start = 0;
        unsigned long end = 0;
        char rights[5] = {};
        if (std::sscanf(line, "%lx-%lx %4s", &start, &end, rights) == 3 && rights[1] == 'w' &&
            rights[3] == 'p') {
            bytes += end - start;
        }
    }
    if (file != nullptr) std::fclose(file);
    return static_cast<long>(bytes / 1024);
}

// In steps of 64 KiB.
long mappable_kb() {
    long kb = 0;
    while (mmap(nullptr, 64 * 1024, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) !=
           MAP_FAILED) {
        kb += 64;
    }
    return kb;
}

void print(const char* who, const char* what, long value) {
    std::printf("%s %s: %ld\n", who, what, value);
    std::fflush(stdout);
}

void touch() {
    for (size_t i = 0; i < kPages; ++i) region[i * kPage]++;
}

void limit(int resource, long left_kb) {
    const char* label = resource == RLIMIT_AS ? "VmSize" : "VmData";
    rlimit now{};
    getrlimit(static_cast<__rlimit_resource>(resource), &now);
    now.rlim_cur = static_cast<rlim_t>(status_kb(label) + left_kb) * 1024;
    if (setrlimit(static_cast<__rlimit_resource>(resource), &now) != 0) std::_Exit(98);
}

void lock(int flags) {
    if (mlockall(flags) != 0) std::_Exit(97);
}

void print_locked(const char* who) {
    print(who, "locked", status_kb("VmLck"));
    print(who, "resident", status_kb("VmRSS"));
}

template <typename Child, typename Parent>
void with_child(Child&& in_child, Parent&& in_parent) {
    int go[2];
    if (pipe(go) != 0) std::_Exit(96);
    const pid_t child = fork();
    if (child == 0) {
        touch();
        in_child();
        std::exit(0);
    }
    int status = 0;
    if (waitpid(child, &status, 0) != child || status != 0) std::_Exit(95);
    touch();
    in_parent();
}

}  // namespace

int main(int argc, char** argv) {
    const std::string name = argc == 2 ? argv[1] : "";
    void* memory =
        mmap(nullptr, kPages * kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return 1;
    region = static_cast<unsigned char*>(memory);
    touch();
    constexpr long kLeftKb = 64 * 1024;
    if (name == "locked" || name == "locked-on-fault") {
        const int more = name == "locked" ? 0 : MCL_ONFAULT;
        lock(MCL_CURRENT | MCL_FUTURE | more);
        with_child([] { print_locked("child"); },
                   [] {
                       with_child([] {}, [] {});
                       print_locked("parent");
                   });
    } else if (name == "locked-later") {
        with_child(
            [] {
                lock(MCL_CURRENT | MCL_FUTURE);
                touch();
                with_child([] {}, [] {});
                print_locked("child");
            },
            [] {
                lock(MCL_CURRENT | MCL_FUTURE);
                with_child([] {}, [] {});
                print_locked("parent");
            });
    } else if (name == "address-space" || name == "data") {
        limit(name == "data" ? RLIMIT_DATA : RLIMIT_AS, kLeftKb);
        with_child([] { print("child", "mappable", mappable_kb()); },
                   [] { print("parent", "mappable", mappable_kb()); });
    } else if (name == "address-space-later") {
        // What the program had before it forked, and as much as that again.
        const long before_kb = status_kb("VmSize");
        with_child([] {},
                   [&] {
                       rlimit now{};
                       getrlimit(RLIMIT_AS, &now);
                       now.rlim_cur = static_cast<rlim_t>(before_kb + kLeftKb) * 1024;
                       if (setrlimit(RLIMIT_AS, &now) != 0) std::_Exit(98);
                       with_child([] { print("child", "mappable", mappable_kb()); },
                                  [] { print("parent", "mappable", mappable_kb()); });
                   });
    } else if (name == "accessible") {
        with_child([] { print("child", "writable", writable_kb()); },
                   [] { print("parent", "writable", writable_kb()); });
    } else {
        return 2;
    }
    return 0;
}
