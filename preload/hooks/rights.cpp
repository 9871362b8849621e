// The program becomes another user, gives up capabilities, or goes where paths mean something else.
// What later needs to be opened with the rights and the paths of now is opened before. Once it has
// forked all of that is open, so that a bare system call will do; before that libc's functions and
// its syscall() are what is seen.
#include <linux/capability.h>
#include <sched.h>
#include <sys/fsuid.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "epoch/process.h"
#include "hooks/hidden_paths.h"
#include "hooks/interpose.h"
#include "hooks/real.h"

#include "support/poison.h"

namespace cowscope::process {
namespace {

// Without /proc there is nothing to ask later.
void keep_what_paths_lead_to() {
    process.folder.keep();
    if (process.tracked == nullptr) prepare_for_children();
}

void keep_what_takes_rights() {
    if (process.writer.is_open()) process.writer.keep_file();
    process.folder.keep();
    process.look.open_for_children();
}

}  // namespace

void before_other_rights() {
    if (!is_current()) return;
    const Locked locked;
    keep_what_takes_rights();
}

void before_other_paths() {
    if (!is_current()) return;
    const Locked locked;
    keep_what_takes_rights();
    if (is_current()) keep_what_paths_lead_to();
    process.folder.lose_path();
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

}  // namespace cowscope::process

using cowscope::process::before_other_paths;
using cowscope::process::before_other_rights;
using cowscope::process::real;

COWSCOPE_INTERPOSED int setuid(uid_t user) noexcept {
    before_other_rights();
    return real().setuid(user);
}
COWSCOPE_INTERPOSED int seteuid(uid_t user) noexcept {
    before_other_rights();
    return real().seteuid(user);
}
COWSCOPE_INTERPOSED int setreuid(uid_t user, uid_t effective) noexcept {
    before_other_rights();
    return real().setreuid(user, effective);
}
COWSCOPE_INTERPOSED int setresuid(uid_t user, uid_t effective, uid_t saved) noexcept {
    before_other_rights();
    return real().setresuid(user, effective, saved);
}
COWSCOPE_INTERPOSED int setfsuid(uid_t user) noexcept {
    before_other_rights();
    return real().setfsuid(user);
}
// Of libc's; no header declares it.
COWSCOPE_INTERPOSED int capset(cap_user_header_t header, cap_user_data_t data) noexcept {
    before_other_rights();
    return real().capset(header, data);
}

COWSCOPE_INTERPOSED int chroot(const char* path) noexcept {
    before_other_paths();
    return real().chroot(cowscope::process::visible_path(path));
}
COWSCOPE_INTERPOSED int setns(int fd, int kind) noexcept {
    before_other_paths();
    return real().setns(cowscope::process::visible(fd), kind);
}
COWSCOPE_INTERPOSED int unshare(int flags) noexcept {
    if ((flags & (CLONE_NEWNS | CLONE_NEWUSER)) != 0) before_other_paths();
    return real().unshare(flags);
}
