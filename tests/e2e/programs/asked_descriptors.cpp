// Asks libc in all ways which descriptors are open, and prints what it says, a line a way:
//
//   asked_descriptors start   in a process that has not forked
//   asked_descriptors exec    in a program that a forked child becomes
//   asked_descriptors fork    in a forked child, in its parent, and in a child of the child
//
// On stderr stands how many there are by the kernel's own account.
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <set>
#include <string>

#include "touched_child.h"

using touched::in_child;
using touched::touch;

namespace {

constexpr int kNumbers = 1100;

using Numbers = std::set<int>;

void print(const char* way, const Numbers& numbers) {
    std::printf("%s:", way);
    for (const int number : numbers) std::printf(" %d", number);
    std::printf("\n");
}

// `ask(fd)`: false where errno says what is wrong.
template <typename Ask>
void ask_each(const char* way, Ask&& ask) {
    Numbers open;
    for (int fd = 0; fd < kNumbers; ++fd) {
        errno = 0;
        if (ask(fd) || errno != EBADF) open.insert(fd);
    }
    print(way, open);
}

Numbers polled() {
    static struct pollfd all[kNumbers];
    for (int fd = 0; fd < kNumbers; ++fd) all[fd] = {fd, 0, 0};
    poll(all, kNumbers, 0);
    Numbers open;
    for (int fd = 0; fd < kNumbers; ++fd) {
        if ((all[fd].revents & POLLNVAL) == 0) open.insert(fd);
        if (all[fd].fd != fd) open.insert(-1);
    }
    return open;
}

Numbers numbers_in(const char* path, bool with_own) {
    Numbers numbers;
    DIR* folder = opendir(path);
    if (folder == nullptr) return {-1};
    while (const dirent* entry = readdir(folder)) {
        const int number = std::atoi(entry->d_name);
        const bool is_number = entry->d_name[0] >= '0' && entry->d_name[0] <= '9';
        if (is_number && (with_own || number != dirfd(folder))) numbers.insert(number);
    }
    closedir(folder);
    return numbers;
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
Numbers numbers_read_into(const char* path) {
    Numbers numbers;
    DIR* folder = opendir(path);
    dirent room;
    dirent* entry = nullptr;
    while (readdir_r(folder, &room, &entry) == 0 && entry != nullptr) {
        const int number = std::atoi(room.d_name);
        const bool is_number = room.d_name[0] >= '0' && room.d_name[0] <= '9';
        if (is_number && number != dirfd(folder)) numbers.insert(number);
    }
    closedir(folder);
    return numbers;
}
#pragma GCC diagnostic pop

int takes_all(const dirent*) {
    return 1;
}

Numbers numbers_scanned(const char* path, int (*filter)(const dirent*)) {
    Numbers numbers;
    dirent** entries = nullptr;
    const int count = scandir(path, &entries, filter, alphasort);
    for (int i = 0; i < count; ++i) {
        if (entries[i]->d_name[0] != '.') numbers.insert(std::atoi(entries[i]->d_name));
        std::free(entries[i]);
    }
    std::free(entries);
    return numbers;
}

template <typename Read>
Numbers numbers_by_entries(Read&& read_entries) {
    Numbers numbers;
    const int folder = open("/proc/self/fd", O_RDONLY | O_DIRECTORY);
    alignas(8) char buffer[300];
    long got = 0;
    while ((got = read_entries(folder, buffer, sizeof(buffer))) > 0) {
        for (long at = 0; at < got;) {
            const auto* entry = reinterpret_cast<const dirent64*>(buffer + at);
            if (entry->d_name[0] != '.' && std::atoi(entry->d_name) != folder) {
                numbers.insert(std::atoi(entry->d_name));
            }
            at += entry->d_reclen;
        }
    }
    close(folder);
    return numbers;
}

long bare_getdents64(int fd, void* to, size_t bytes) {
    long result;
    asm volatile("syscall"
                 : "=a"(result)
                 : "a"(SYS_getdents64), "D"(fd), "S"(to), "d"(bytes)
                 : "rcx", "r11", "memory");
    return result;
}

Numbers numbers_by_filesystem() {
    Numbers numbers;
    for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
        numbers.insert(std::atoi(entry.path().filename().c_str()));
    }
    return numbers;
}

void ask_all(const char* who) {
    std::printf("%s\n", who);
    ask_each("fcntl F_GETFD", [](int fd) { return fcntl(fd, F_GETFD) >= 0; });
    ask_each("fcntl F_GETFL", [](int fd) { return fcntl(fd, F_GETFL) >= 0; });
    ask_each("fcntl64", [](int fd) { return fcntl64(fd, F_GETFD) >= 0; });
    ask_each("fcntl F_DUPFD", [](int fd) {
        const int copy = fcntl(fd, F_DUPFD, 3);
        if (copy >= 0) close(copy);
        return copy >= 0;
    });
    ask_each("fstat", [](int fd) {
        struct stat status;
        return fstat(fd, &status) == 0;
    });
    ask_each("fstat64", [](int fd) {
        struct stat64 status;
        return fstat64(fd, &status) == 0;
    });
    ask_each("fstatat", [](int fd) {
        struct stat status;
        return fstatat(fd, "", &status, AT_EMPTY_PATH) == 0;
    });
    ask_each("fstatat of a name", [](int fd) {
        struct stat status;
        return fstatat(fd, "name", &status, 0) == 0;
    });
    ask_each("statx", [](int fd) {
        struct statx status;
        return statx(fd, "", AT_EMPTY_PATH, STATX_TYPE, &status) == 0;
    });
    ask_each("fstatfs", [](int fd) {
        struct statfs status;
        return fstatfs(fd, &status) == 0;
    });
    ask_each("fstatvfs", [](int fd) {
        struct statvfs status;
        return fstatvfs(fd, &status) == 0;
    });
    ask_each("dup", [](int fd) {
        const int copy = dup(fd);
        if (copy >= 0) close(copy);
        return copy >= 0;
    });
    ask_each("dup2", [](int fd) { return dup2(fd, fd) >= 0; });
    ask_each("lseek", [](int fd) { return lseek(fd, 0, SEEK_CUR) >= 0; });
    ask_each("isatty", [](int fd) { return isatty(fd) != 0; });
    ask_each("tcgetattr", [](int fd) {
        termios settings;
        return tcgetattr(fd, &settings) == 0;
    });
    ask_each("ttyname", [](int fd) { return ttyname(fd) != nullptr; });
    ask_each("fpathconf", [](int fd) { return fpathconf(fd, _PC_NAME_MAX) >= 0; });
    ask_each("fdatasync", [](int fd) { return fdatasync(fd) == 0; });
    ask_each("fchdir", [](int fd) { return fchdir(fd) == 0; });
    ask_each("getsockname", [](int fd) {
        sockaddr_storage address;
        socklen_t bytes = sizeof(address);
        return getsockname(fd, reinterpret_cast<sockaddr*>(&address), &bytes) == 0;
    });
    ask_each("fdopen", [](int fd) {
        // Nothing can be given back without closing it.
        return fd <= 2 || fdopen(fd, "r") != nullptr;
    });
    ask_each("select", [](int fd) {
        if (fd >= FD_SETSIZE) {
            errno = EBADF;
            return false;
        }
        fd_set set;
        FD_ZERO(&set);
        FD_SET(fd, &set);
        timeval at_once{0, 0};
        return select(fd + 1, &set, nullptr, nullptr, &at_once) >= 0;
    });
    print("poll", polled());
    print("/proc/self/fd", numbers_in("/proc/self/fd", false));
    print("/dev/fd/", numbers_in("/dev/fd/", false));
    print("/proc/self/fdinfo", numbers_in("/proc/self/fdinfo", false));
    print("/proc/thread-self/fd", numbers_in("/proc/thread-self/fd", false));
    const std::string by_pid = "/proc/" + std::to_string(getpid()) + "/fd";
    print("/proc/PID/fd", numbers_in(by_pid.c_str(), false));
    print("readdir_r", numbers_read_into("/proc/self/fd"));
    print("scandir", numbers_scanned("/proc/self/fd", nullptr));
    print("scandir with a filter", numbers_scanned("/dev/fd", takes_all));
    print("getdents64", numbers_by_entries([](int fd, void* to, size_t bytes) {
              return static_cast<long>(getdents64(fd, to, bytes));
          }));
    print("directory_iterator", numbers_by_filesystem());
    std::fflush(stdout);
    std::fprintf(stderr, "%zu\n", numbers_by_entries(bare_getdents64).size());
}

// select() looks no further than the kernel's table goes, which only grows: to the same size with
// the shim's descriptors and without.
void ask_all_of_large_table(const char* who) {
    dup2(0, FD_SETSIZE - 1);
    close(FD_SETSIZE - 1);
    ask_all(who);
}

}  // namespace

int main(int argc, char** argv) {
    const std::string name = argc == 2 ? argv[1] : "";
    touch();
    if (name == "start") {
        ask_all("start");
    } else if (name == "executed") {
        ask_all_of_large_table("executed");
    } else if (name == "exec") {
        in_child([&] { execl("/proc/self/exe", argv[0], "executed", nullptr); });
    } else if (name == "fork") {
        in_child([] {
            in_child([] { ask_all_of_large_table("grandchild"); });
            touch();
            ask_all_of_large_table("child");
        });
        touch();
        ask_all_of_large_table("parent");
    } else {
        return 2;
    }
    return 0;
}
