// The program has waited for a child: perhaps nobody shares its pages any more. With a witness that
// is found out at the faults that follow (alone.cpp); without one nothing else would tell the
// process's copies from what it writes later, and a last census takes all of that for copies.
#include <sys/resource.h>
#include <sys/wait.h>

#include "epoch/process.h"
#include "hooks/interpose.h"
#include "hooks/real.h"
#include "support/kept_errno.h"

#include "support/poison.h"

namespace cowscope::process {
namespace {

template <typename Result>
Result behind_wait(Result result, bool has_ended) {
    // Most programs never fork: for them this is one comparison.
    if (!has_ended || process.tracked == nullptr || !is_current()) return result;
    const KeptErrno kept_errno;
    const Locked locked;
    if (process.tracked != nullptr && !process.trap.is_open()) {
        process.tracked->faults_until_asking = 0;
        stop_if_alone();
    }
    return result;
}

}  // namespace
}  // namespace cowscope::process

COWSCOPE_INTERPOSED pid_t wait(int* status) {
    const pid_t child = cowscope::process::real().wait(status);
    return cowscope::process::behind_wait(child, child > 0);
}
COWSCOPE_INTERPOSED pid_t waitpid(pid_t pid, int* status, int options) {
    const pid_t child = cowscope::process::real().waitpid(pid, status, options);
    return cowscope::process::behind_wait(child, child > 0);
}
COWSCOPE_INTERPOSED pid_t wait3(int* status, int options, struct rusage* usage) noexcept {
    const pid_t child = cowscope::process::real().wait3(status, options, usage);
    return cowscope::process::behind_wait(child, child > 0);
}
COWSCOPE_INTERPOSED pid_t wait4(pid_t pid, int* status, int options,
                                struct rusage* usage) noexcept {
    const pid_t child = cowscope::process::real().wait4(pid, status, options, usage);
    return cowscope::process::behind_wait(child, child > 0);
}
COWSCOPE_INTERPOSED int waitid(idtype_t kind, id_t id, siginfo_t* info, int options) {
    const int result = cowscope::process::real().waitid(kind, id, info, options);
    return cowscope::process::behind_wait(result, result == 0);
}

// glibc's other names for two of them.
COWSCOPE_INTERPOSED pid_t __wait(int* status) {
    return wait(status);
}
COWSCOPE_INTERPOSED pid_t __waitpid(pid_t pid, int* status, int options) {
    return waitpid(pid, status, options);
}
