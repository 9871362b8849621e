// The program becomes another user, gives up capabilities, or goes where paths mean something else.
// What later needs to be opened with the rights and the paths of now is opened before. Once it has
// forked all of that is open, so that a bare system call will do; before that libc's functions and
// its syscall() are what is seen.
#include "hooks/rights/rights.h"

#include <linux/capability.h>
#include <sched.h>
#include <sys/fsuid.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "epoch/epoch.h"
#include "hooks/define_hooks.h"
#include "hooks/descriptors/path_arguments.h"
#include "hooks/process/fork.h"
#include "session/session.h"

#include "support/poison.h"

namespace cowscope::hooks {
namespace {

// Without /proc there is nothing to ask later.
void keep_what_paths_lead_to() {
    session::self.folder.keep();
    if (epoch::sharing.epoch == nullptr) prepare_for_children();
}

void keep_what_takes_rights() {
    if (session::self.writer.is_open()) session::self.writer.keep_file();
    session::self.folder.keep();
    epoch::sharing.look.open_for_children();
}

}  // namespace

void before_other_rights() {
    if (!session::is_current()) return;
    const session::Locked locked;
    keep_what_takes_rights();
}

void before_other_paths() {
    if (!session::is_current()) return;
    const session::Locked locked;
    keep_what_takes_rights();
    if (session::is_current()) keep_what_paths_lead_to();
    session::self.folder.lose_path();
}

void before_raw_rights_call(unsigned long number) {
    const bool moves = number == SYS_chroot || number == SYS_pivot_root || number == SYS_setns ||
                       number == SYS_unshare;
    if (moves) {
        before_other_paths();
    } else {
        before_other_rights();
    }
}

}  // namespace cowscope::hooks

using namespace cowscope;
using namespace cowscope::hooks;

COWSCOPE_INTERPOSED int setuid(uid_t user) noexcept {
    before_other_rights();
    return real::setuid(user);
}
COWSCOPE_INTERPOSED int seteuid(uid_t user) noexcept {
    before_other_rights();
    return real::seteuid(user);
}
COWSCOPE_INTERPOSED int setreuid(uid_t user, uid_t effective) noexcept {
    before_other_rights();
    return real::setreuid(user, effective);
}
COWSCOPE_INTERPOSED int setresuid(uid_t user, uid_t effective, uid_t saved) noexcept {
    before_other_rights();
    return real::setresuid(user, effective, saved);
}
COWSCOPE_INTERPOSED int setfsuid(uid_t user) noexcept {
    before_other_rights();
    return real::setfsuid(user);
}
// Of libc's; no header declares it.
COWSCOPE_INTERPOSED int capset(cap_user_header_t header, cap_user_data_t data) noexcept {
    before_other_rights();
    return real::capset(header, data);
}

COWSCOPE_INTERPOSED int chroot(const char* path) noexcept {
    before_other_paths();
    return real::chroot(visible_path(path));
}
COWSCOPE_INTERPOSED int setns(int fd, int kind) noexcept {
    before_other_paths();
    return real::setns(visible(fd), kind);
}
COWSCOPE_INTERPOSED int unshare(int flags) noexcept {
    if ((flags & (CLONE_NEWNS | CLONE_NEWUSER)) != 0) before_other_paths();
    return real::unshare(flags);
}
