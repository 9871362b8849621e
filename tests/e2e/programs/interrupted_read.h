// A read that a signal of another process comes to.
#pragma once

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>

#include "tree_cases.h"

namespace tree {

// Until that process sleeps, which it does in read() alone.
inline void wait_until_asleep(pid_t pid) {
    char path[64];
    std::snprintf(path, sizeof(path), "/proc/%d/stat", pid);
    for (int found = 0; found < 3;) {
        usleep(10'000);
        char text[512] = {};
        const int fd = open(path, O_RDONLY);
        require(fd >= 0 && read(fd, text, sizeof(text) - 1) > 0, "read stat");
        close(fd);
        const char* end_of_name = std::strrchr(text, ')');
        found = end_of_name != nullptr && end_of_name[2] == 'S' ? found + 1 : 0;
    }
}

// What a read that nothing comes to ends with when another process sends SIGTRAP.
inline int interrupted_read() {
    int ends[2];
    require(pipe(ends) == 0, "pipe");
    const pid_t target = getpid();
    const pid_t other = fork();
    require(other >= 0, "fork");
    if (other == 0) {
        wait_until_asleep(target);
        kill(target, SIGTRAP);
        usleep(100'000);
        _exit(write(ends[1], "x", 1) == 1 ? 0 : 1);
    }
    char byte;
    errno = 0;
    const ssize_t got = read(ends[0], &byte, 1);
    const int error = errno;
    int status = 0;
    while (waitpid(other, &status, 0) < 0) require(errno == EINTR, "waitpid");
    return got == 1 ? 0 : error;
}

}  // namespace tree
