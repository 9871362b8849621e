#include "process/real.h"

#include <dlfcn.h>

#include "support/poison.h"

namespace cowscope::process {
namespace {

constinit RealFunctions functions = {};
bool resolved = false;

template <typename Function>
void resolve(Function*& slot, const char* name) {
    slot = reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

}  // namespace

void resolve_real_functions() {
    if (resolved) return;
    resolve(functions.fork, "_Fork");
    resolve(functions.clone, "clone");
    resolve(functions.sigaction, "sigaction");
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
    resolve(functions.syscall, "syscall");
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
    resolve(functions.mmap, "mmap64");
    resolve(functions.brk, "brk");
    resolve(functions.sbrk, "sbrk");
    resolve(functions.daemon, "daemon");
    resolve(functions.munmap, "munmap");
    resolve(functions.mprotect, "mprotect");
    resolve(functions.madvise, "madvise");
    resolve(functions.mremap, "mremap");
    resolved = true;
}

bool real_functions_are_resolved() {
    return resolved;
}

const RealFunctions& real() {
    resolve_real_functions();
    return functions;
}

}  // namespace cowscope::process
