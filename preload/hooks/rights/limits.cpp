// What the host does to what it may have: the shim's own memory is no part of what it locks, it
// gives back address space before the host limits that, and it keeps what it could not have again.
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "epoch/epoch.h"
#include "hooks/define_hooks.h"
#include "session/aggregate_file.h"
#include "session/session.h"

#include "support/poison.h"

namespace cowscope::hooks {
namespace {

void unlock_own_memory() {
    if (!session::is_current()) return;
    const session::Locked locked;
    session::self.writer.for_each_mapping(
        [](void* start, uint64_t bytes) { sys::unlock(start, bytes); });
    if (epoch::sharing.arena.start() != 0) {
        sys::unlock(reinterpret_cast<void*>(epoch::sharing.arena.start()),
                    epoch::sharing.arena.end() - epoch::sharing.arena.start());
    }
    session::budget.unlock();
    session::aggregate_file.unlock();
}

void before_limit(int resource, const struct rlimit* limit) {
    if (limit == nullptr || !session::is_current()) return;
    const session::Locked locked;
    if (resource == RLIMIT_NOFILE) session::keep_segment_file();
    if (resource != RLIMIT_AS || limit->rlim_cur == RLIM_INFINITY) return;
    epoch::Epoch* epoch = epoch::sharing.epoch;
    const Arena used = epoch == nullptr ? epoch::sharing.arena : epoch->arena;
    epoch::sharing.arena.shrink(limit->rlim_cur, used);
    if (epoch == nullptr) return;
    epoch->arena.take_bounds_of(epoch::sharing.arena);
    epoch->own.arena = {epoch::sharing.arena.start(), epoch::sharing.arena.end()};
}

}  // namespace

}  // namespace cowscope::hooks

using namespace cowscope;
using namespace cowscope::hooks;

COWSCOPE_LIMIT_HOOKS(COWSCOPE_DEFINE)

COWSCOPE_INTERPOSED int mlockall(int flags) noexcept {
    const int result = real::mlockall(flags);
    if (result == 0) unlock_own_memory();
    return result;
}

// In glibc each has two names (rlim_t has 64 bits).
COWSCOPE_INTERPOSED int setrlimit64(__rlimit_resource_t resource,
                                    const struct rlimit64* limit) noexcept {
    before_limit(resource, reinterpret_cast<const struct rlimit*>(limit));
    return real::setrlimit64(resource, reinterpret_cast<const struct rlimit*>(limit));
}
COWSCOPE_INTERPOSED int prlimit64(pid_t pid, __rlimit_resource resource,
                                  const struct rlimit64* limit, struct rlimit64* old) noexcept {
    const auto* plain = reinterpret_cast<const struct rlimit*>(limit);
    if (pid == 0 || pid == session::self.pid) before_limit(resource, plain);
    return real::prlimit64(pid, resource, plain, reinterpret_cast<struct rlimit*>(old));
}
