// How the shim comes to life in a program that was just started.

#include <stdlib.h>

#include "process/process.h"
#include "process/real.h"
#include "process/signals.h"

#include "support/poison.h"

extern "C" int pthread_atfork(void (*prepare)(), void (*parent)(), void (*child)());

namespace cowscope::process {

// Ready before any constructor runs.
constinit Process process;

namespace {

void say_once(const char* what, const char* detail) {
    FixedText<PATH_MAX + 256> line;
    line.add("cowscope: cannot record: ").add(what);
    if (detail != nullptr) line.add(": ").add(detail);
    line.add("\n");
    sys::write(2, line.c_str(), line.size());
}

void at_exit(int status, void*) {
    finish(trace::EndKind::exit, status & 0xff);
}

void at_quick_exit_() {
    finish(trace::EndKind::exit, process.quick_exit_status & 0xff);
}

// glibc hands main's arguments to constructors. The shim's constructor runs in the dynamic linker,
// so its exit handler is registered first and runs last, after every destructor.
__attribute__((constructor)) void start(int, char**, char** environment) {
    const pid_t pid = sys::getpid();
    if (const char* problem = read_options(environment, pid, &process.options)) {
        say_once(problem, nullptr);
        return;
    }
    process.environment = environment;
    resolve_real_functions();
    const char* folder = process.options.folder.c_str();
    const int made = sys::mkdir(folder, 0700);
    if (made != 0 && made != -17 /* EEXIST */) {
        say_once("cannot create the folder", folder);
        return;
    }
    process.pid = pid;
    if (!open_segment(trace::Role::image, sys::getppid(), sys::monotonic_ns())) {
        process.pid = 0;
        say_once("cannot write into the folder", folder);
        return;
    }
    cpython::find_interpreter();
    pthread_atfork(nullptr, after_fork_in_parent, after_fork_in_child);
    on_exit(at_exit, nullptr);
    at_quick_exit(at_quick_exit_);
}

}  // namespace
}  // namespace cowscope::process
