// How the shim comes to life in a program that was just started.

#include "hooks/process/start.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/auxv.h>

#include <atomic>

#include "epoch/aggregate.h"
#include "epoch/end.h"
#include "epoch/epoch.h"
#include "hooks/process/exit.h"
#include "hooks/process/fork.h"
#include "hooks/real.h"
#include "hooks/rights/seccomp.h"
#include "hooks/runtimes.h"
#include "hooks/signals/handled_signals.h"
#include "session/session.h"
#include "support/guarded_read.h"
#include "support/onlookers.h"
#include "support/symbol_lookup.h"

#include "support/poison.h"

extern "C" int pthread_atfork(void (*prepare)(), void (*parent)(), void (*child)());

namespace cowscope::hooks {

namespace {

// For come_to_life().
constinit std::atomic<bool> is_waiting = false;

void say_once(const char* what, const char* detail) {
    FixedText<PATH_MAX + 256> line;
    line.add("cowscope: cannot record: ").add(what);
    if (detail != nullptr) line.add(": ").add(detail);
    line.add("\n");
    sys::write(2, line.c_str(), line.size());
}

// Whether anything is in the folder: then recording has worked before, and what it misses now is no
// news for each program that is started.
bool has_entries(const char* folder) {
    const int fd = sys::open(folder, O_RDONLY | O_DIRECTORY);
    if (fd < 0) return false;
    // "." and ".." take 24 bytes each (getdents64(2): 19 and the name, in steps of 8).
    constexpr long kEmptyBytes = 48;
    alignas(8) char entries[512];
    const long got = sys::syscall3(SYS_getdents64, fd, sys::word(entries), sizeof(entries));
    sys::close(fd);
    return got > kEmptyBytes;
}

// Programs that the first one starts do not speak: the recorder says what went wrong, and the
// program's own output stays as it is.
bool may_speak() {
    const pid_t recorder = session::options.recorder;
    return recorder == 0 ? !has_entries(session::options.folder.c_str())
                         : recorder == sys::getppid();
}

bool open_first_segment() {
    const uint64_t now = sys::monotonic_ns();
    const char* folder = session::options.folder.c_str();
    int result = session::open_segment(trace::Role::image, sys::getppid(), now);
    if (result == 0) return true;
    if (session::budget.is_reached()) {
        epoch::count_program();
        return false;
    }
    // The recorder has made the folder. Where it is gone, nobody else is to make one in its place.
    int made = -EEXIST;
    if (session::options.recorder == 0) {
        made = sys::mkdir(folder, 0700);
        result = session::open_segment(trace::Role::image, sys::getppid(), now);
        if (result == 0) return true;
    }
    if (!may_speak()) return false;
    if (result == -EACCES && session::options.recorder != 0) {
        say_once("this user may not write into the folder; record as this user", folder);
        return false;
    }
    const bool is_there = made == 0 || made == -EEXIST;
    say_once(is_there ? "cannot write into the folder" : "cannot create the folder", folder);
    return false;
}

// vdso(7). Before anything asks for the time.
void find_clock() {
    const unsigned long vdso = getauxval(AT_SYSINFO_EHDR);
    if (vdso == 0) return;
    Symbol clock = {"__vdso_clock_gettime"};
    find_symbols_of(reinterpret_cast<const void*>(vdso), &clock, 1);
    sys::vdso_clock = reinterpret_cast<sys::Clock*>(clock.address);
}

void at_exit(int status, void*) {
    epoch::finish(trace::EndKind::exit, status & 0xff);
}

void end_at_quick_exit() {
    epoch::finish(trace::EndKind::exit, quick_exit_status & 0xff);
}

// From here on the kernel is asked for whatever it takes.
bool begin() {
    const pid_t pid = sys::getpid();
    if (const char* problem = session::complete_folder(pid, &session::options)) {
        say_once(problem, nullptr);
        return false;
    }
    find_clock();
    session::self.pid = pid;
    session::self.has_robust_list = sys::robust_list() != nullptr;
    if (!open_first_segment()) {
        session::self.pid = 0;
        return false;
    }
    look_for_runtime();
    return true;
}

// glibc hands main's arguments to constructors. The shim's constructor runs in the dynamic linker,
// so its exit handler is registered first and runs last, after every destructor.
__attribute__((constructor)) void start(int argument_count, char** arguments, char** environment) {
    const uint32_t filters = filters_in_force();
    if (const char* problem = session::read_options(environment, &session::options)) {
        if (filters == 0) say_once(problem, nullptr);
        return;
    }
    session::environment = environment;
    zero_before_copying = is_under_valgrind();
    resolve_real_functions();
    session::set_command(argument_count, arguments);
    // Those that the recorder has as well, and no others: filters only come on top.
    const bool are_known = filters == session::options.filters;
    is_waiting = filters != 0 && !are_known;
    if (filters != 0 && are_known && !may_make_all_calls_here()) return;
    if (!is_waiting && !begin()) return;
    // What is registered last is called first before a fork.
    pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
    pthread_atfork(look_for_runtime, nullptr, nullptr);
    on_exit(at_exit, nullptr);
    at_quick_exit(end_at_quick_exit);
}

}  // namespace

void come_to_life() {
    if (!is_waiting.exchange(false)) return;
    if (may_make_all_calls()) begin();
}

}  // namespace cowscope::hooks
