#include "hooks/raw/descriptor_calls.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "epoch/epoch.h"
#include "hooks/descriptors/folder_entries.h"
#include "hooks/descriptors/path_arguments.h"
#include "hooks/descriptors/poll_and_select.h"
#include "hooks/raw/call_arguments.h"
#include "hooks/real.h"
#include "support/kept_errno.h"

#include "support/poison.h"

namespace cowscope::hooks {
namespace {

long make(const RawCall& call) {
    const long* with = call.arguments;
    return sys::raw_syscall6(call.number, with[0], with[1], with[2], with[3], with[4], with[5]);
}

const void* pointer(long argument) {
    return reinterpret_cast<const void*>(argument);
}

// The host may count on the number that it gets.
void give_up_asked_number(const RawCall& call) {
    const bool is_copy = call.number == SYS_fcntl &&
                         (call.arguments[1] == F_DUPFD || call.arguments[1] == F_DUPFD_CLOEXEC);
    if (is_copy) give_up_number(static_cast<int>(call.arguments[2]));
    if ((call.number == SYS_dup2 || call.number == SYS_dup3) &&
        call.arguments[0] != call.arguments[1]) {
        give_up_number(static_cast<int>(call.arguments[1]));
    }
}

bool answer_listing(const RawCall& call, long* result) {
    const auto kind = call.number == SYS_getdents ? EntryKind::getdents : EntryKind::getdents64;
    auto* const entries = reinterpret_cast<char*>(call.arguments[1]);
    // Nothing is left for the end of the folder alone.
    do {
        *result = make(call);
        if (*result <= 0) break;
        *result = remove_hidden(static_cast<int>(call.arguments[0]), entries, *result, kind);
    } while (*result == 0);
    return true;
}

}  // namespace

void hide_from_call(RawCall* call) {
    if (!may_have_own_descriptors() || !is_asking_call(static_cast<unsigned long>(call->number))) {
        return;
    }
    give_up_asked_number(*call);
    const AskedFor& asked = kAskingCalls.calls[call->number];
    for (size_t i = 0; i < 6; ++i) {
        if ((asked.paths >> i & 1) == 0) continue;
        const int folder =
            asked.paths_are_from_folders ? static_cast<int>(call->arguments[i - 1]) : AT_FDCWD;
        const char* const path = static_cast<const char*>(pointer(call->arguments[i]));
        const char* const visible = path_without_own(folder, path);
        if (visible != path) call->arguments[i] = sys::word(visible);
    }
    for (size_t i = 0; i < 6; ++i) {
        const auto fd = static_cast<int>(call->arguments[i]);
        if ((asked.descriptors >> i & 1) != 0 && is_own_descriptor(fd)) {
            call->arguments[i] = kNoFile;
        }
    }
}

bool answer_asking_call(const RawCall& call, long* result) {
    if (!has_own_descriptors()) return false;
    const long* with = call.arguments;
    switch (call.number) {
        case SYS_poll:
            *result = poll_without_own(reinterpret_cast<struct pollfd*>(with[0]),
                                       static_cast<nfds_t>(static_cast<unsigned>(with[1])),
                                       [&] { return make(call); });
            return true;
        case SYS_select:
            if (!has_own_in(static_cast<int>(with[0]), pointer(with[1]), pointer(with[2]),
                            pointer(with[3]))) {
                return false;
            }
            *result = -EBADF;
            return true;
        case SYS_getdents:
        case SYS_getdents64:
            return answer_listing(call, result);
        case SYS_close_range: {
            const KeptErrno kept_errno;
            *result = close_range(static_cast<unsigned>(with[0]), static_cast<unsigned>(with[1]),
                                  static_cast<int>(with[2]));
            if (*result != 0) *result = -errno;
            return true;
        }
        default:
            return false;
    }
}

}  // namespace cowscope::hooks
