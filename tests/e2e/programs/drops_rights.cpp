// A server's child that gives up root, or the right to look at itself, and then writes half of a
// region that it inherited, and has the kernel write the other half.
//
//     drops_rights HOW WHEN       HOW: see below; WHEN: child, or parent (before it forks)
//
// Says "pages N" (of each half), for each descriptor that shows physical page numbers "frames FD",
// for each of a folder that leads a user who is root no more anywhere "lists" and "leaves", and for
// each that is left behind an exec "left FD".
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <sys/fsuid.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <type_traits>

namespace {

constexpr size_t kPage = 4096;
constexpr size_t kHalfPages = 2048;
constexpr unsigned kUser = 65534;
constexpr int kMostDescriptors = 1100;
int zero = -1;  // /dev/zero, which an empty root has not

bool enter_empty_root(bool is_raw) {
    const char* root = getenv("COWSCOPE_TEST_ROOT");
    if (root == nullptr || mkdir(root, 0755) != 0) return false;
    const int result = is_raw ? static_cast<int>(syscall(SYS_chroot, root)) : chroot(root);
    if (result != 0 || chdir("/") != 0) return false;
    return true;
}

bool drop(const std::string& how) {
    if (how == "none") return true;
    if (how == "setuid") return setgid(kUser) == 0 && setuid(kUser) == 0;
    if (how == "setresuid") {
        return setgroups(0, nullptr) == 0 && setresgid(kUser, kUser, kUser) == 0 &&
               setresuid(kUser, kUser, kUser) == 0;
    }
    if (how == "setreuid") return setreuid(kUser, kUser) == 0;
    if (how == "seteuid") return seteuid(kUser) == 0;
    // As Go's runtime and libcap do it.
    if (how == "raw") return syscall(SYS_setresuid, kUser, kUser, kUser) == 0;
    if (how == "capset") {
        __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
        __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {};
        return prctl(PR_SET_DUMPABLE, 0) == 0 && syscall(SYS_capset, &header, none) == 0;
    }
    if (how == "dumpable") return prctl(PR_SET_DUMPABLE, 0) == 0;
    if (how == "setfsuid") return setfsuid(kUser) >= 0;
    // Where there is no /proc.
    if (how == "chroot") return enter_empty_root(false);
    if (how == "raw-chroot") return enter_empty_root(true);
    if (how == "chroot-setuid") return enter_empty_root(false) && drop("setuid");
    return false;
}

// By an instruction of its own: what cowscope hides from libc's functions, syscall() among them, is
// there all the same. -errno where it fails.
template <typename Word>
long word_of(Word word) {
    if constexpr (std::is_pointer_v<Word>) {
        return static_cast<long>(reinterpret_cast<intptr_t>(word));
    } else {
        return static_cast<long>(word);
    }
}
template <typename Second, typename Third = long, typename Fourth = long>
long bare_call(long number, long first, Second second, Third third = 0, Fourth fourth = 0) {
    long result = number;
    register long fourth_word asm("r10") = word_of(fourth);
    asm volatile("syscall"
                 : "+a"(result)
                 : "D"(first), "S"(word_of(second)), "d"(word_of(third)), "r"(fourth_word)
                 : "rcx", "r11", "memory");
    return result;
}

void say_what_shows_frames(const char* region) {
    const auto at = static_cast<long>(reinterpret_cast<uintptr_t>(region) / kPage * 8);
    for (int fd = 3; fd < kMostDescriptors; ++fd) {
        uint64_t entry = 0;
        if (bare_call(SYS_pread64, fd, &entry, sizeof(entry), at) != sizeof(entry)) continue;
        constexpr uint64_t kPresent = uint64_t{1} << 63;
        constexpr uint64_t kFrame = (uint64_t{1} << 55) - 1;
        if ((entry & kPresent) != 0 && (entry & kFrame) != 0) std::printf("frames %d\n", fd);
    }
    std::fflush(stdout);
}

// Whether `fd` is a folder by which this user comes to read what is in it, or to a place outside:
// its own files are none of those.
void say_what_leads_elsewhere() {
    for (int fd = 3; fd < kMostDescriptors; ++fd) {
        struct stat status {};
        if (bare_call(SYS_fstat, fd, &status) != 0 || !S_ISDIR(status.st_mode)) continue;
        std::printf("folder %d\n", fd);
        for (const char* path : {".", "..", "../..", "../others"}) {
            if (bare_call(SYS_openat, fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) >= 0) {
                std::printf("lists %d %s\n", fd, path);
            }
        }
        for (const char* path : {"../..", "../../..", "../recording.json"}) {
            if (bare_call(SYS_openat, fd, path, O_PATH | O_CLOEXEC) >= 0) {
                std::printf("leaves %d by %s\n", fd, path);
            }
        }
    }
    std::fflush(stdout);
}

// Those that outlast an exec, as "3 7 9 ".
std::string inheritable() {
    std::string all;
    for (int fd = 3; fd < kMostDescriptors; ++fd) {
        const long flags = bare_call(SYS_fcntl, fd, F_GETFD);
        if (flags >= 0 && (flags & FD_CLOEXEC) == 0) all += std::to_string(fd) + " ";
    }
    return all;
}

int say_what_is_left(const std::string& expected) {
    for (int fd = 3; fd < kMostDescriptors; ++fd) {
        const bool is_expected =
            (" " + expected).find(" " + std::to_string(fd) + " ") != std::string::npos;
        if (!is_expected && bare_call(SYS_fcntl, fd, F_GETFD) >= 0) std::printf("left %d\n", fd);
    }
    return 0;
}

int child(char* region, const std::string& how, bool drops, char* self,
          const std::string& expected) {
    if (drops && !drop(how)) return 2;
    for (size_t i = 0; i < kHalfPages; ++i) region[i * kPage] = 2;
    char* half = region + kHalfPages * kPage;
    if (read(zero, half, kHalfPages * kPage) != static_cast<ssize_t>(kHalfPages * kPage)) return 3;
    say_what_shows_frames(region);
    if (geteuid() == kUser) say_what_leads_elsewhere();
    if (how.find("chroot") != std::string::npos) return 0;
    const pid_t other = vfork();
    if (other == 0) {
        // Without cowscope, which opens files there again.
        char* const nothing[] = {nullptr};
        execle(self, self, "--left", expected.c_str(), nullptr, nothing);
        _exit(4);
    }
    int status = 0;
    waitpid(other, &status, 0);
    return status == 0 ? 0 : 5;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 3) return 1;
    if (std::string(argv[1]) == "--left") return say_what_is_left(argv[2]);
    const std::string expected = inheritable();
    const std::string how = argv[1];
    const bool in_child = std::string(argv[2]) == "child";
    constexpr size_t kBytes = 2 * kHalfPages * kPage;
    void* memory =
        mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return 1;
    madvise(memory, kBytes, MADV_NOHUGEPAGE);
    std::memset(memory, 1, kBytes);
    zero = open("/dev/zero", O_RDONLY | O_CLOEXEC);
    if (zero < 0) return 1;
    if (!in_child && !drop(how)) return 2;
    std::printf("pages %zu\n", kHalfPages);
    std::fflush(stdout);
    const pid_t pid = fork();
    if (pid == 0) _exit(child(static_cast<char*>(memory), how, in_child, argv[0], expected));
    int status = 0;
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 9;
}
