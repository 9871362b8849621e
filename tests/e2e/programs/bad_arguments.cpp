// In a process that has forked, calls libc's functions of files with what is no memory, or only
// just is some, and prints what each says.

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

namespace {

constexpr size_t kPage = 4096;
const int kNobody = 900;  // a number that is not open

template <typename Result>
void say(const char* what, Result result) {
    std::printf("%s %ld %d\n", what, static_cast<long>(result) < 0 ? -1L : 0L,
                static_cast<long>(result) < 0 ? errno : 0);
    errno = 0;
}

void say_of_path(const char* name, const char* path) {
    struct stat status;
    struct statx more;
    struct statfs system;
    char text[100];
    std::printf("%s\n", name);
    errno = 0;
    say("open", open(path, O_RDONLY));
    say("open creating", open(path, O_RDWR | O_CREAT | O_EXCL, 0600));
    say("openat", openat(AT_FDCWD, path, O_RDONLY));
    say("openat from nowhere", openat(kNobody, path, O_RDONLY));
    say("stat", stat(path, &status));
    say("lstat", lstat(path, &status));
    say("fstatat", fstatat(AT_FDCWD, path, &status, 0));
    say("fstatat of no flag", fstatat(AT_FDCWD, path, &status, 0x40000000));
    say("statx", statx(AT_FDCWD, path, 0x40000000, 0, &more));
    say("access", access(path, F_OK));
    say("access of no mode", access(path, 0x1000));
    say("readlink", readlink(path, text, sizeof(text)));
    say("chmod", chmod(path, 0600));
    say("unlink", unlink(path));
    say("mkdir", mkdir(path, 0700));
    say("truncate", truncate(path, 0));
    say("statfs", statfs(path, &system));
    say("getxattr", getxattr(path, "name", text, sizeof(text)));
    say("chdir", chdir(path));
    say("rename", rename(path, path));
    say("fopen", std::fopen(path, "r") == nullptr ? -1 : 0);
    say("syscall", syscall(SYS_openat, AT_FDCWD, path, O_RDONLY));
}

void say_of_sets(const char* name, void* set) {
    timespec at_once = {0, 0};
    timeval timeout = {0, 0};
    auto* const files = static_cast<pollfd*>(set);
    auto* const numbers = static_cast<fd_set*>(set);
    std::printf("%s\n", name);
    for (const nfds_t count : {nfds_t{0}, nfds_t{1}, nfds_t{2000}, ~nfds_t{0} / 16, ~nfds_t{0}}) {
        say("poll", poll(files, count, 0));
        say("ppoll", ppoll(files, count, &at_once, nullptr));
        say("syscall poll", syscall(SYS_poll, files, count, 0));
    }
    for (const int count : {-1, 0, 1000, 1024}) {
        say("select", select(count, numbers, nullptr, nullptr, &timeout));
        say("pselect", pselect(count, nullptr, numbers, nullptr, &at_once, nullptr));
        say("syscall select", syscall(SYS_select, count, nullptr, nullptr, numbers, &timeout));
    }
}

void say_all() {
    // Three pages: the one in the middle cannot be read, or cannot be written.
    const auto map = [](int protection) {
        auto* const memory = static_cast<char*>(
            mmap(nullptr, 3 * kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
        std::memset(memory, 'x', 3 * kPage);
        mprotect(memory + kPage, kPage, protection);
        return memory;
    };
    char* const hidden = map(PROT_NONE);
    say_of_path("nullptr", nullptr);
    say_of_path("-1", reinterpret_cast<const char*>(-1));
    say_of_path("hidden", hidden + kPage);
    say_of_path("without an end", hidden + kPage - 20);
    char* const last = hidden + kPage - 20;
    std::strcpy(last, "/proc/self/fd/90000");
    last[19] = '\0';
    say_of_path("to the page's end", last);
    say_of_path("long", std::string(5000, 'x').c_str());
    say_of_path("empty", "");
    say_of_sets("nullptr", nullptr);
    say_of_sets("hidden", hidden + kPage);
    say_of_sets("half hidden", hidden + kPage - 16);
    std::memset(hidden, 0xff, kPage);
    say_of_sets("of negative ones, half hidden", hidden + kPage - 16);
}

// The kernel reads no more of a set for select() than its table of files has numbers, and the table
// grows with the highest number ever open: cowscope's are high. One of its own makes the program's
// table as large without cowscope as with it.
bool has_large_table() {
    rlimit limit = {};
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return false;
    constexpr rlim_t kSetSize = FD_SETSIZE;
    const auto highest = static_cast<int>(std::min(limit.rlim_cur, kSetSize) - 1);
    return dup2(STDERR_FILENO, highest) == highest;
}

}  // namespace

int main() {
    if (!has_large_table()) return 97;
    const pid_t child = fork();
    if (child == 0) {
        say_all();
        return 0;
    }
    int status = 0;
    if (waitpid(child, &status, 0) != child || status != 0) return 98;
    std::printf("parent\n");
    say_all();
    return 0;
}
