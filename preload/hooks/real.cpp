#include "hooks/real.h"

#include <dlfcn.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "hooks/plain_call.h"
#include "hooks/stand_in.h"
#include "support/syscall.h"

#include "support/poison.h"

namespace cowscope::hooks {
namespace {

constinit RealFunctions functions = {};
bool resolved = false;

// What a C library has not yet, whoever calls it by name has found only here. glibc has them since
// 2.34.
int make_close_range(unsigned first, unsigned last, int flags) {
    return static_cast<int>(plain_call(SYS_close_range, first, last, flags));
}
void make_closefrom(int lowest) {
    const int first = lowest < 0 ? 0 : lowest;
    if (make_close_range(static_cast<unsigned>(first), ~0U, 0) == 0) return;
    struct rlimit limit = {};
    sys::getrlimit(RLIMIT_NOFILE, &limit);
    for (rlim_t fd = static_cast<rlim_t>(first); fd < limit.rlim_cur; ++fd) {
        functions.close(static_cast<int>(fd));
    }
}
int make_execveat(int folder, const char* path, char* const arguments[], char* const environment[],
                  int flags) {
    return static_cast<int>(plain_call(SYS_execveat, folder, path, arguments, environment, flags));
}

template <typename Function>
void resolve(Function*& slot, const char* name) {
    slot = reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

void* find_next(const char* name) {
    return dlsym(RTLD_NEXT, name);
}

}  // namespace

void resolve_real_functions() {
    if (resolved) return;
    resolve(functions.fork, "_Fork");
    resolve(functions.clone, "clone");
    resolve(functions.sigaction, "sigaction");
    resolve(functions.sighold, "sighold");
    resolve(functions.sigblock, "sigblock");
    resolve(functions.sigsetmask, "sigsetmask");
    resolve(functions.siginterrupt, "siginterrupt");
    resolve(functions.sigsuspend, "sigsuspend");
    resolve(functions.sigpause, "sigpause");
    resolve(functions.sigpause_number, "__xpg_sigpause");
    resolve(functions.poll, "poll");
    resolve(functions.poll_checked, "__poll_chk");
    resolve(functions.select, "select");
    resolve(functions.ppoll, "ppoll");
    resolve(functions.ppoll_checked, "__ppoll_chk");
    resolve(functions.pselect, "pselect");
    resolve(functions.epoll_pwait, "epoll_pwait");
    resolve(functions.epoll_pwait2, "epoll_pwait2");
    resolve(functions.pthread_kill, "pthread_kill");
    resolve(functions.pthread_sigqueue, "pthread_sigqueue");
    resolve(functions.tgkill, "tgkill");
    resolve(functions.ptrace, "ptrace");
    resolve(functions.posix_spawn, "posix_spawn");
    resolve(functions.posix_spawnp, "posix_spawnp");
    resolve(functions.system, "system");
    resolve(functions.popen, "popen");
    resolve(functions.wordexp, "wordexp");
    resolve(functions.sigtimedwait, "sigtimedwait");
    resolve(functions.raise, "raise");
    resolve(functions.sigpending, "sigpending");
    resolve(functions.signalfd, "signalfd");
    resolve(functions.sigprocmask, "sigprocmask");
    resolve(functions.pthread_sigmask, "pthread_sigmask");
    resolve(functions.exit, "_exit");
    resolve(functions.quick_exit, "quick_exit");
    resolve(functions.execve, "execve");
    resolve(functions.execvpe, "execvpe");
    resolve(functions.execveat, "execveat");
    resolve(functions.fexecve, "fexecve");
    resolve(functions.dlclose, "dlclose");
    resolve(functions.prctl, "prctl");
    resolve(functions.ioctl, "ioctl");
    resolve(functions.mlockall, "mlockall");
    resolve(functions.setrlimit, "setrlimit64");
    resolve(functions.prlimit, "prlimit64");
    resolve(functions.chroot, "chroot");
    resolve(functions.unshare, "unshare");
    resolve(functions.setns, "setns");
    resolve(functions.setuid, "setuid");
    resolve(functions.seteuid, "seteuid");
    resolve(functions.setreuid, "setreuid");
    resolve(functions.setresuid, "setresuid");
    resolve(functions.setfsuid, "setfsuid");
    resolve(functions.capset, "capset");
    resolve(functions.close, "close");
    resolve(functions.close_range, "close_range");
    resolve(functions.closefrom, "closefrom");
    resolve(functions.dup2, "dup2");
    resolve(functions.dup3, "dup3");
    resolve(functions.read, "read");
    resolve(functions.pread, "pread64");
    resolve(functions.readv, "readv");
    resolve(functions.preadv, "preadv64");
    resolve(functions.recv, "recv");
    resolve(functions.recvfrom, "recvfrom");
    resolve(functions.recvmsg, "recvmsg");
    resolve(functions.read_chk, "__read_chk");
    resolve(functions.pread_chk, "__pread64_chk");
    resolve(functions.recv_chk, "__recv_chk");
    resolve(functions.recvfrom_chk, "__recvfrom_chk");
    resolve(functions.preadv2, "preadv64v2");
    resolve(functions.process_vm_readv, "process_vm_readv");
    resolve(functions.recvmmsg, "recvmmsg");
    resolve(functions.getrandom, "getrandom");
    resolve(functions.getentropy, "getentropy");
    resolve(functions.readlink, "readlink");
    resolve(functions.readlinkat, "readlinkat");
    resolve(functions.readlink_chk, "__readlink_chk");
    resolve(functions.readlinkat_chk, "__readlinkat_chk");
    resolve(functions.aio_read, "aio_read64");
    resolve(functions.lio_listio, "lio_listio64");
    resolve(functions.read_items, "fread");
    resolve(functions.read_items_unlocked, "fread_unlocked");
    resolve(functions.read_items_chk, "__fread_chk");
    resolve(functions.read_items_unlocked_chk, "__fread_unlocked_chk");
    resolve(functions.fgets, "fgets");
    resolve(functions.fgets_unlocked, "fgets_unlocked");
    resolve(functions.fgets_chk, "__fgets_chk");
    resolve(functions.fgets_unlocked_chk, "__fgets_unlocked_chk");
    resolve(functions.getdelim, "getdelim");
    resolve(functions.shmat, "shmat");
    resolve(functions.mmap, "mmap64");
    resolve(functions.brk, "brk");
    resolve(functions.sbrk, "sbrk");
    resolve(functions.daemon, "daemon");
    resolve(functions.wait, "wait");
    resolve(functions.waitpid, "waitpid");
    resolve(functions.wait3, "wait3");
    resolve(functions.wait4, "wait4");
    resolve(functions.waitid, "waitid");
    resolve(functions.munmap, "munmap");
    resolve(functions.mprotect, "mprotect");
    resolve(functions.madvise, "madvise");
    resolve(functions.mremap, "mremap");
    if (functions.close_range == nullptr) functions.close_range = make_close_range;
    if (functions.closefrom == nullptr) functions.closefrom = make_closefrom;
    if (functions.execveat == nullptr) functions.execveat = make_execveat;
    resolve_asking_functions(find_next);
    resolve_entry_functions(find_next);
    resolve_path_functions(find_next);
    resolved = true;
}

void* find_later(const char* name, bool has_call) {
    // Nothing may be looked up yet, perhaps, and there is another way.
    if (!resolved && has_call) return nullptr;
    return find_next(name);
}

Spawn* find_spawn(const char* name) {
    Spawn* found = nullptr;
    resolve(found, name);
    return found;
}

bool real_functions_are_resolved() {
    return resolved;
}

const RealFunctions& real() {
    resolve_real_functions();
    return functions;
}

}  // namespace cowscope::hooks
