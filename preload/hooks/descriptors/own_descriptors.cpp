// The host's own closing of descriptors, made to spare the shim's: daemons close what they do not
// know, and closing ours would end the tracking. To the host ours are not open, and it can have
// their numbers.
//
// Nothing here is needed for safety: every use of a descriptor that could change or close a file
// first makes sure that it still names the shim's (support/descriptor.h).

#include "hooks/descriptors/own_descriptors.h"

#include <errno.h>
#include <unistd.h>

#include "epoch/epoch.h"
#include "hooks/define_hooks.h"
#include "session/session.h"

#include "support/poison.h"

namespace cowscope::hooks {
namespace {

template <typename Take>
void for_each_own(const Take& take) {
    take(session::self.writer.descriptor());
    take(epoch::sharing.look.descriptor());
    take(epoch::sharing.look.parent().descriptor());
    session::self.folder.for_each_descriptor(take);
    epoch::sharing.tracker.for_each_descriptor(take);
    epoch::sharing.trap.for_each_descriptor(take);
}

// Whether some of ours may be among the numbers from `first` on. Hosts close many low ones.
bool may_own_from(unsigned first) {
    return first >= Descriptor::lowest() && session::is_current() &&
           !session::self.shares_descriptors;
}

Descriptor* find_own(int fd) {
    Descriptor* found = nullptr;
    for_each_own([&](Descriptor& each) {
        if (each.number() == fd) found = &each;
    });
    return found;
}

// The same, where the number still names our file. Most numbers are not ours, which needs no lock.
Descriptor* find_ours(int fd) {
    Descriptor* found = find_own(fd);
    return found != nullptr && found->is_ours() ? found : nullptr;
}

// No file has this number (sysctl fs.nr_open is at most INT_MAX).
constexpr unsigned kNoNumber = ~0U;

// The lowest of ours from `first` to `last`.
unsigned next_own(unsigned first, unsigned last) {
    unsigned next = kNoNumber;
    for_each_own([&](Descriptor& each) {
        const auto number = static_cast<unsigned>(each.number());
        if (first <= number && number <= last && number < next && each.is_ours()) next = number;
    });
    return next;
}

int close_around_own(unsigned first, unsigned last, int flags) {
    const session::Locked locked;
    while (first <= last) {
        const unsigned own = next_own(first, last);
        if (own == kNoNumber) return real::close_range(first, last, flags);
        if (own > first && real::close_range(first, own - 1, flags) != 0) return -1;
        first = own + 1;
    }
    return 0;
}

void close_all_from(int first) {
    if (real::closefrom.is_there()) {
        real::closefrom(first);
        return;
    }
    if (real::close_range(static_cast<unsigned>(first), ~0U, 0) == 0) return;
    struct rlimit limit = {};
    sys::getrlimit(RLIMIT_NOFILE, &limit);
    for (rlim_t fd = static_cast<rlim_t>(first); fd < limit.rlim_cur; ++fd) {
        real::close(static_cast<int>(fd));
    }
}

}  // namespace

void give_up_number(int fd) {
    if (!Descriptor::may_be(fd) || !may_own_from(static_cast<unsigned>(fd)) ||
        find_own(fd) == nullptr) {
        return;
    }
    const session::Locked locked;
    if (Descriptor* own = find_ours(fd)) own->move_away();
}

bool is_own_number(int fd) {
    if (fd < 0 || !may_own_from(static_cast<unsigned>(fd)) || find_own(fd) == nullptr) return false;
    const session::Locked locked;
    return find_ours(fd) != nullptr;
}

bool has_own_descriptors() {
    return may_have_own_descriptors() && may_own_from(~0U);
}

unsigned count_own_descriptors() {
    if (!has_own_descriptors()) return 0;
    unsigned count = 0;
    const session::Locked locked;
    for_each_own([&](Descriptor& each) { count += each.is_ours() ? 1 : 0; });
    return count;
}

}  // namespace cowscope::hooks

using namespace cowscope;
using namespace cowscope::hooks;

COWSCOPE_CLOSE_HOOKS(COWSCOPE_DEFINE)

COWSCOPE_INTERPOSED int close(int fd) {
    if (is_own_descriptor(fd)) {
        errno = EBADF;
        return -1;
    }
    return real::close(fd);
}

COWSCOPE_INTERPOSED int close_range(unsigned first, unsigned last, int flags) noexcept {
    if (first > last || !may_own_from(last)) return real::close_range(first, last, flags);
    return close_around_own(first, last, flags);
}

COWSCOPE_INTERPOSED void closefrom(int lowest) noexcept {
    const int first = lowest < 0 ? 0 : lowest;
    if (!may_own_from(~0U) || close_around_own(static_cast<unsigned>(first), ~0U, 0) != 0) {
        close_all_from(first);
    }
}

COWSCOPE_INTERPOSED int dup2(int from, int to) noexcept {
    if (from != to) give_up_number(to);
    return real::dup2(visible(from), from == to ? visible(to) : to);
}

COWSCOPE_INTERPOSED int dup3(int from, int to, int flags) noexcept {
    if (from != to) give_up_number(to);
    return real::dup3(visible(from), from == to ? visible(to) : to, flags);
}

// Other names of the same.
