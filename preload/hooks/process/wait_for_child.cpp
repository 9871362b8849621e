// The program has waited for a child: perhaps nobody shares its pages any more. With a witness that
// is found out at the faults that follow (epoch/sole_owner.cpp); without one nothing else would
// tell the process's copies from what it writes later, and a last census takes all of that for
// copies.
#include <sys/resource.h>
#include <sys/wait.h>

#include "epoch/epoch.h"
#include "epoch/sole_owner.h"
#include "hooks/define_hooks.h"
#include "session/session.h"
#include "support/kept_errno.h"

#include "support/poison.h"

namespace cowscope::hooks {
namespace {

template <typename Result>
Result behind_wait(Result result, bool has_ended) {
    // Most programs never fork: for them this is one comparison.
    if (!has_ended || epoch::sharing.epoch == nullptr || !session::is_current()) return result;
    const KeptErrno kept_errno;
    const session::Locked locked;
    if (epoch::sharing.epoch != nullptr && !epoch::sharing.trap.is_open()) {
        epoch::sharing.epoch->faults_before_asking = 0;
        epoch::stop_if_sole_owner();
    }
    return result;
}

}  // namespace
}  // namespace cowscope::hooks

using namespace cowscope;
using namespace cowscope::hooks;

COWSCOPE_WAIT_FOR_CHILD_HOOKS(COWSCOPE_DEFINE)

COWSCOPE_INTERPOSED pid_t wait(int* status) {
    const pid_t child = real::wait(status);
    return behind_wait(child, child > 0);
}
COWSCOPE_INTERPOSED pid_t waitpid(pid_t pid, int* status, int options) {
    const pid_t child = real::waitpid(pid, status, options);
    return behind_wait(child, child > 0);
}
COWSCOPE_INTERPOSED pid_t wait3(int* status, int options, struct rusage* usage) noexcept {
    const pid_t child = real::wait3(status, options, usage);
    return behind_wait(child, child > 0);
}
COWSCOPE_INTERPOSED pid_t wait4(pid_t pid, int* status, int options,
                                struct rusage* usage) noexcept {
    const pid_t child = real::wait4(pid, status, options, usage);
    return behind_wait(child, child > 0);
}
COWSCOPE_INTERPOSED int waitid(idtype_t kind, id_t id, siginfo_t* info, int options) {
    const int result = real::waitid(kind, id, info, options);
    return behind_wait(result, result == 0);
}

// glibc's other names for two of them.
