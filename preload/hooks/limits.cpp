// What the host does to what it may have: the shim's own memory is no part of what it locks, it
// gives back address space before the host limits that, and it keeps what it could not have again.
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "epoch/process.h"
#include "hooks/interpose.h"
#include "hooks/real.h"
#include "session/aggregate_file.h"

#include "support/poison.h"

namespace cowscope::process {
namespace {

void unlock_own_memory() {
    if (!is_current()) return;
    const Locked locked;
    process.writer.for_each_mapping([](void* start, uint64_t bytes) { sys::unlock(start, bytes); });
    if (process.arena.start() != 0) {
        sys::unlock(reinterpret_cast<void*>(process.arena.start()),
                    process.arena.end() - process.arena.start());
    }
    session::budget.unlock();
    session::later_table.unlock();
}

void before_limit(int resource, const struct rlimit* limit) {
    if (limit == nullptr || !is_current()) return;
    const Locked locked;
    if (resource == RLIMIT_NOFILE) keep_segment_file();
    if (resource != RLIMIT_AS || limit->rlim_cur == RLIM_INFINITY) return;
    Tracked* tracked = process.tracked;
    const Arena used = tracked == nullptr ? process.arena : tracked->arena;
    process.arena.shrink(limit->rlim_cur, used);
    if (tracked == nullptr) return;
    tracked->arena.take_bounds_of(process.arena);
    tracked->own.arena = {process.arena.start(), process.arena.end()};
}

}  // namespace

void keep_segment_file() {
    // A forked child has it all the time.
    if (process.writer.is_open()) process.writer.keep_file();
}

}  // namespace cowscope::process

using cowscope::process::before_limit;
using cowscope::process::real;

COWSCOPE_INTERPOSED int mlockall(int flags) noexcept {
    const int result = real().mlockall(flags);
    if (result == 0) cowscope::process::unlock_own_memory();
    return result;
}

// In glibc each has two names (rlim_t has 64 bits).
COWSCOPE_INTERPOSED int setrlimit64(__rlimit_resource_t resource,
                                    const struct rlimit64* limit) noexcept {
    before_limit(resource, reinterpret_cast<const struct rlimit*>(limit));
    return real().setrlimit(resource, reinterpret_cast<const struct rlimit*>(limit));
}
COWSCOPE_INTERPOSED int setrlimit(__rlimit_resource_t resource,
                                  const struct rlimit* limit) noexcept {
    before_limit(resource, limit);
    return real().setrlimit(resource, limit);
}
COWSCOPE_INTERPOSED int prlimit64(pid_t pid, __rlimit_resource resource,
                                  const struct rlimit64* limit, struct rlimit64* old) noexcept {
    const auto* plain = reinterpret_cast<const struct rlimit*>(limit);
    if (pid == 0 || pid == cowscope::process::process.pid) before_limit(resource, plain);
    return real().prlimit(pid, resource, plain, reinterpret_cast<struct rlimit*>(old));
}
COWSCOPE_INTERPOSED int prlimit(pid_t pid, __rlimit_resource resource, const struct rlimit* limit,
                                struct rlimit* old) noexcept {
    if (pid == 0 || pid == cowscope::process::process.pid) before_limit(resource, limit);
    return real().prlimit(pid, resource, limit, old);
}
