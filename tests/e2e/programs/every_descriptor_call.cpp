// Tries every function of libc that takes a descriptor, or a path that may lead to one, with every
// number, and prints for each function the numbers that it finds open:
//
//   every_descriptor_call   in a forked child, in its parent, and in a child of the child
//
// One descriptor is open besides the standard ones. On stderr stands how many there are by the
// kernel's own account.
#include <aio.h>
#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <fts.h>
#include <ftw.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <set>
#include <string>

#include "descriptor_calls.h"
#include "touched_child.h"

using touched::in_child;
using touched::touch;

namespace {

constexpr int kFirst = 3;
constexpr int kEnd = 1100;
constexpr int kOpen = 5;

using Function = long(long, long, long, long, long, long);
using Numbers = std::set<int>;

long bare_call(long number, long first, long second, long third) {
    long result;
    asm volatile("syscall"
                 : "=a"(result)
                 : "a"(number), "D"(first), "S"(second), "d"(third)
                 : "rcx", "r11", "memory");
    return result;
}

void print(const std::string& way, const Numbers& numbers) {
    std::printf("%s:", way.c_str());
    for (const int number : numbers) std::printf(" %d", number);
    std::printf("\n");
}

void print_call(const Call& call, const Numbers& found) {
    std::string way = call.name;
    if (way == "syscall") way += " " + std::to_string(call.arguments[0]);
    print(way, found);
}

// What is wrong with it.
int try_call(Function* function, const Call& call, int fd, const char* path) {
    long with[6] = {};
    for (size_t i = 0; i < call.arguments.size(); ++i) {
        const long argument = call.arguments[i];
        with[i] = argument == kFd     ? fd
                  : argument == kPath ? reinterpret_cast<long>(path)
                                      : argument;
    }
    std::memset(room, 0, 256);
    std::memset(more_room, 0, 256);
    room[0] = 8;  // as the size of a file handle
    errno = 0;
    const long result = function(with[0], with[1], with[2], with[3], with[4], with[5]);
    const int error = errno;
    switch (call.gives) {
        case Gives::errno_alone:
            break;
        case Gives::error:
            return static_cast<int>(result);
        case Gives::descriptor:
            if (static_cast<int>(result) > kOpen || result == kOpen - 1 || result == kFirst) {
                close(static_cast<int>(result));
            }
            break;
        case Gives::stream:
            if (result != 0) std::fclose(reinterpret_cast<FILE*>(result));
            break;
        case Gives::folder:
            if (result != 0) closedir(reinterpret_cast<DIR*>(result));
            break;
    }
    return error;
}

// The numbers that may be open: by the kernel's own account, those beside them, and the first.
Numbers numbers_to_try() {
    Numbers numbers;
    for (int fd = kFirst; fd < kEnd; ++fd) {
        if (fd < 2 * kOpen) numbers.insert(fd);
        if (bare_call(SYS_fcntl, fd, F_GETFD, 0) < 0) continue;
        for (const int near : {fd - 1, fd, fd + 1}) numbers.insert(near);
    }
    return numbers;
}

// Those of which it is not said what is said of one that is not open.
Numbers found_by(const Call& call, const Numbers& numbers, const std::string& before,
                 const char* behind) {
    auto* const function = reinterpret_cast<Function*>(dlsym(RTLD_DEFAULT, call.name));
    if (function == nullptr) return {-1};
    const auto ask = [&](int fd) {
        return try_call(function, call, fd, (before + std::to_string(fd) + behind).c_str());
    };
    const int error = ask(kEnd + 1);
    Numbers found;
    for (const int fd : numbers) {
        if (ask(fd) != error) found.insert(fd);
    }
    return found;
}

void try_numbers() {
    for (const Call& call : kCalls) {
        // The call may have changed or closed what is open.
        dup2(kOpen, kOpen + 1);
        print_call(call, found_by(call, numbers_to_try(), "", ""));
        dup2(kOpen + 1, kOpen);
        close(kOpen + 1);
    }
}

void try_paths(const std::string& before, const char* behind) {
    std::printf("%s\n", before.find(std::to_string(getpid())) == std::string::npos ? before.c_str()
                                                                                   : "by number");
    const Numbers numbers = numbers_to_try();
    for (const Call& call : kPathCalls) print_call(call, found_by(call, numbers, before, behind));
}

constexpr int kMany = 300;  // of each
struct pollfd polled[kEnd * kMany];

template <typename Poll>
Numbers found_by_poll(int many, Poll&& poll_all) {
    for (int i = 0; i < kEnd * many; ++i) polled[i] = {i / many, 0, 0};
    poll_all(static_cast<nfds_t>(kEnd * many));
    Numbers found;
    for (int i = kFirst * many; i < kEnd * many; ++i) {
        if ((polled[i].revents & POLLNVAL) == 0) found.insert(i / many);
        if (polled[i].fd != i / many) found.insert(-1);
    }
    return found;
}

template <typename Select>
Numbers found_by_select(Select&& select_one) {
    Numbers found;
    for (int fd = kFirst; fd < FD_SETSIZE; ++fd) {
        fd_set set;
        FD_ZERO(&set);
        FD_SET(fd, &set);
        errno = 0;
        if (select_one(fd + 1, &set) >= 0 || errno != EBADF) found.insert(fd);
    }
    return found;
}

void try_waits() {
    const timespec at_once = {0, 0};
    for (const int many : {1, 3}) {
        print("poll", found_by_poll(many, [](nfds_t count) { return poll(polled, count, 0); }));
        print("ppoll", found_by_poll(many, [&](nfds_t count) {
                  return ppoll(polled, count, &at_once, nullptr);
              }));
        print("syscall poll", found_by_poll(many, [](nfds_t count) {
                  return syscall(SYS_poll, polled, count, 0);
              }));
        print("syscall ppoll", found_by_poll(many, [&](nfds_t count) {
                  return syscall(SYS_ppoll, polled, count, &at_once, nullptr, 8);
              }));
    }
    print("select", found_by_select([](int count, fd_set* set) {
              timeval timeout = {0, 0};
              return select(count, set, nullptr, nullptr, &timeout);
          }));
    print("pselect", found_by_select([&](int count, fd_set* set) {
              return pselect(count, nullptr, set, nullptr, &at_once, nullptr);
          }));
    print("syscall pselect", found_by_select([&](int count, fd_set* set) {
              return static_cast<int>(
                  syscall(SYS_pselect6, count, set, nullptr, nullptr, &at_once, nullptr));
          }));
    print("aio_read", [] {
        Numbers found;
        for (int fd = kFirst; fd < kEnd; ++fd) {
            if (fcntl(fd, F_GETFD) >= 0) continue;
            aiocb request = {};
            request.aio_fildes = fd;
            request.aio_buf = room;
            errno = 0;
            if (aio_read(&request) == 0) {
                while (aio_error(&request) == EINPROGRESS) usleep(100);
                errno = aio_error(&request);
            }
            if (errno != EBADF) found.insert(fd);
        }
        return found;
    }());
}

// Names that are numbers.
Numbers* walked = nullptr;
void note_walked(const char* path) {
    const char* const slash = std::strrchr(path, '/');
    const char* const name = slash == nullptr ? path : slash + 1;
    const int number = std::atoi(name);
    // Those that the walk itself has open.
    if (name[0] >= '0' && name[0] <= '9' && number >= kOpen && number != kOpen + 1) {
        walked->insert(number);
    }
}
int visit(const char* path, const struct stat*, int) {
    note_walked(path);
    return 0;
}
int visit_with_place(const char* path, const struct stat*, int, struct FTW*) {
    note_walked(path);
    return 0;
}

void try_walks(const std::string& folder) {
    Numbers found;
    walked = &found;
    const auto report = [&](const std::string& way) {
        print(way + " " + folder, found);
        found.clear();
    };
    ftw(folder.c_str(), visit, 5);
    report("ftw");
    nftw(folder.c_str(), visit_with_place, 5, FTW_PHYS);
    report("nftw");
    nftw(folder.c_str(), visit_with_place, 5, FTW_PHYS | FTW_CHDIR);
    report("nftw with FTW_CHDIR");
    for (const int options : {FTS_PHYSICAL, FTS_LOGICAL, FTS_PHYSICAL | FTS_NOCHDIR}) {
        std::string path = folder;
        char* const paths[] = {path.data(), nullptr};
        FTS* const walk = fts_open(paths, options, nullptr);
        while (const FTSENT* entry = fts_read(walk)) note_walked(entry->fts_path);
        fts_close(walk);
        report("fts " + std::to_string(options));
    }
    struct stat status = {};
    stat(folder.c_str(), &status);
    std::printf("size %ld\n", static_cast<long>(status.st_size));
}

void try_all(const char* who) {
    // select() looks no further than the kernel's table goes, which only grows.
    dup2(0, FD_SETSIZE - 1);
    close(FD_SETSIZE - 1);
    std::printf("%s\n", who);
    const std::string own = std::to_string(getpid());
    try_numbers();
    for (const char* before :
         {"/proc/self/fd/", "/dev/fd/", "/proc/self/fdinfo/", "/proc/thread-self/fd/"}) {
        try_paths(before, "");
    }
    try_paths("/proc/" + own + "/fd/", "");
    try_paths("/proc/self/task/" + own + "/fdinfo/", "");
    try_paths("//proc/./self/../self/fd/", "");
    try_paths("/proc/self/fd/", "/");
    try_paths("/proc/self/fd/", "/name");
    if (chdir("/proc/self/fd") != 0) std::abort();
    try_paths("", "");
    try_paths("./", "");
    if (chdir("/") != 0) std::abort();
    try_paths("proc/self/fd/", "");
    try_waits();
    try_walks("/proc/self/fd");
    try_walks("/dev/fd/");
    std::fflush(stdout);
    int open = 0;
    for (int fd = kFirst; fd < kEnd; ++fd) {
        if (bare_call(SYS_fcntl, fd, F_GETFD, 0) >= 0) ++open;
    }
    std::fprintf(stderr, "%d\n", open);
}

}  // namespace

int main() {
    for (int fd = kFirst; fd < kEnd; ++fd) close(fd);
    char file[] = "/tmp/every-descriptor-call-XXXXXX";
    const int fd = mkstemp(file);
    if (dup2(fd, kOpen) != kOpen || close(fd) != 0) return 97;
    signal(SIGPIPE, SIG_IGN);
    touch();
    in_child([] {
        in_child([] { try_all("grandchild"); });
        try_all("child");
    });
    touch();
    try_all("parent");
    unlink(file);
    return 0;
}
