// Executes this very program in every way there is, and asks it what it finds SIGTRAP set to.
#pragma once

#include <spawn.h>
#include <sys/syscall.h>

#include <cstdio>
#include <string>

#include "tree_cases.h"

namespace tree {

// What the asked program ends with.
inline constexpr int kIgnored = 11;
inline constexpr int kDefault = 12;
inline const char* self;
inline std::string self_and_question;

inline int status_of(pid_t child) {
    int status = 0;
    require(waitpid(child, &status, 0) == child && WIFEXITED(status), "the program that is asked");
    return WEXITSTATUS(status);
}

template <typename Execute>
int asked_by(bool shares_memory, Execute execute) {
    const pid_t child = shares_memory ? vfork() : fork();
    require(child >= 0, "fork");
    if (child == 0) {
        execute();
        _exit(127);
    }
    return status_of(child);
}

inline char* question[] = {const_cast<char*>("x"), const_cast<char*>("trap?"), nullptr};

inline void execute_by(int way) {
    switch (way) {
        case 0:
            execv(self, question);
            break;
        case 1:
            execve(self, question, environ);
            break;
        case 2:
            execvp(self, question);
            break;
        case 3:
            execvpe(self, question, environ);
            break;
        case 4:
            execl(self, "x", "trap?", static_cast<char*>(nullptr));
            break;
        case 5:
            execlp(self, "x", "trap?", static_cast<char*>(nullptr));
            break;
        case 6:
            execle(self, "x", "trap?", static_cast<char*>(nullptr), environ);
            break;
        case 7:
            fexecve(open(self, O_RDONLY), question, environ);
            break;
        case 8:
            execveat(AT_FDCWD, self, question, environ, 0);
            break;
        case 9:
            syscall(SYS_execve, self, question, environ);
            break;
        case 10:
            syscall(SYS_execveat, AT_FDCWD, self, question, environ, 0);
            break;
        default:
            account::fail("no such way");
    }
}
inline constexpr int kWays = 11;

inline int spawned(decltype(posix_spawn)* spawn, bool to_default) {
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    if (to_default) {
        sigset_t set;
        sigfillset(&set);
        posix_spawnattr_setsigdefault(&attributes, &set);
        posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
    }
    pid_t child = 0;
    require(spawn(&child, self, nullptr, &attributes, question, environ) == 0, "posix_spawn");
    return status_of(child);
}

inline void ask_all(int expected) {
    for (int way = 0; way < kWays; ++way) {
        require(asked_by(false, [=] { execute_by(way); }) == expected, "fork and exec");
        require(asked_by(true, [=] { execute_by(way); }) == expected, "vfork and exec");
    }
    require(spawned(posix_spawn, false) == expected, "posix_spawn");
    require(spawned(posix_spawnp, false) == expected, "posix_spawnp");
    require(spawned(posix_spawn, true) == kDefault, "POSIX_SPAWN_SETSIGDEF");
    require(WEXITSTATUS(system(self_and_question.c_str())) == expected, "system");
    FILE* pipe = popen(self_and_question.c_str(), "r");
    require(pipe != nullptr && WEXITSTATUS(pclose(pipe)) == expected, "popen");
}

// At the start of the program that asks.
inline void prepare_questions() {
    static char path[4096];
    require(readlink("/proc/self/exe", path, sizeof(path) - 1) > 0, "readlink");
    self = path;
    self_and_question = std::string("exec '") + path + "' 'trap?'";
}

}  // namespace tree
