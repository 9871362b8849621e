// A userfaultfd of the host's own. The kernel gives no memory to two of them: what the tracker has
// taken it gives up when the host asks for it. What was copied there until then is recorded, and
// what is copied later is known where the witness sees it.
#include "hooks/memory/host_userfaultfd.h"

#include <errno.h>
#include <stdarg.h>
#include <sys/ioctl.h>

#include "arch/cpu.h"
#include "epoch/epoch.h"
#include "epoch/memory_changes.h"
#include "format/kernel_abi.h"
#include "hooks/define_hooks.h"
#include "hooks/descriptors/own_descriptors.h"
#include "session/session.h"
#include "support/guarded_read.h"

#include "support/poison.h"

namespace cowscope::hooks {
namespace {

// Whether the tracker has given up some of what `argument` asks for.
bool give_up_to_host(const void* argument) {
    if (epoch::sharing.epoch == nullptr || !session::is_current()) return false;
    struct uffdio_range range;
    if (!guarded_read(argument, &range, sizeof(range))) return false;
    const uint64_t end = range.start + range.len;
    if (range.start % cpu::kPageBytes != 0 || end <= range.start) return false;
    const session::Locked locked;
    epoch::Epoch* epoch = epoch::sharing.epoch;
    if (epoch == nullptr || epoch::sharing.tracker.kind() != trace::Tracker::userfaultfd)
        return false;
    if (epoch::sharing.tracker.check() != 0) return false;
    epoch::record_copies(range.start, end);
    if (!epoch::sharing.tracker.give_up(epoch->scan_buffer, {range.start, end})) return false;
    epoch::forget_inherited(range.start, end, true);
    session::write_note(trace::NoteCode::mapping_not_tracked, EBUSY, range.start);
    return true;
}

}  // namespace

void before_ioctl(unsigned long request, const void* argument) {
    if (request == UFFDIO_REGISTER) give_up_to_host(argument);
}

}  // namespace cowscope::hooks

using namespace cowscope;
using namespace cowscope::hooks;

COWSCOPE_INTERPOSED int ioctl(int fd, unsigned long request, ...) noexcept {
    va_list more;
    va_start(more, request);
    void* argument = va_arg(more, void*);
    va_end(more);
    const int result = real::ioctl(visible(fd), request, argument);
    if (result == 0 || request != UFFDIO_REGISTER || errno != EBUSY) return result;
    if (!give_up_to_host(argument)) {
        errno = EBUSY;
        return result;
    }
    return real::ioctl(fd, request, argument);
}
