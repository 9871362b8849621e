#include "record/contained.h"

#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <new>

namespace cowscope::record {

namespace {

void prepare_child() {
    // A probe that is meant to die must leave no core file.
    const rlimit no_core{0, 0};
    setrlimit(RLIMIT_CORE, &no_core);
    signal(SIGTRAP, SIG_DFL);
    signal(SIGALRM, SIG_DFL);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTRAP);
    sigaddset(&set, SIGALRM);
    sigprocmask(SIG_UNBLOCK, &set, nullptr);
    alarm(kProbeSeconds);
}

}  // namespace

ProbeOutcome run_contained(void (*probe)(ProbeOutcome& outcome)) {
    ProbeOutcome failed;
    void* memory = mmap(nullptr, sizeof(ProbeOutcome), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        failed.error = errno;
        return failed;
    }
    auto* outcome = new (memory) ProbeOutcome;

    const pid_t child = fork();
    if (child == 0) {
        prepare_child();
        probe(*outcome);
        _exit(0);
    }
    if (child < 0) {
        failed.error = errno;
        munmap(memory, sizeof(ProbeOutcome));
        return failed;
    }

    int status = 0;
    pid_t waited = -1;
    do {
        waited = waitpid(child, &status, 0);
    } while (waited < 0 && errno == EINTR);

    ProbeOutcome result = *outcome;
    munmap(memory, sizeof(ProbeOutcome));
    // Where the caller inherited an ignored SIGCHLD there is no status to read: waited is -1.
    if (waited == child && WIFSIGNALED(status)) result.killed_by = WTERMSIG(status);
    return result;
}

}  // namespace cowscope::record
