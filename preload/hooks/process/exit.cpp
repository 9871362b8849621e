// The end of a process, as far as code inside it can see: exit() through the handlers that the
// constructor registered, _exit() and its kin through interposition, exec in exec.cpp, signals in
// signals/handled_signals.cpp.

#include "hooks/process/exit.h"

#include "epoch/end.h"
#include "epoch/epoch.h"
#include "hooks/define_hooks.h"
#include "session/session.h"

#include "support/poison.h"

namespace cowscope::hooks {

constinit int quick_exit_status = 0;

}  // namespace cowscope::hooks

using namespace cowscope;
using namespace cowscope::hooks;

COWSCOPE_END_HOOKS(COWSCOPE_DEFINE)

COWSCOPE_INTERPOSED void _exit(int status) {
    epoch::finish(trace::EndKind::exit, status & 0xff);
    real::_exit(status);
    __builtin_unreachable();
}

// Its handlers still run before the last one, which the constructor registered first.
COWSCOPE_INTERPOSED void quick_exit(int status) {
    quick_exit_status = status;
    real::quick_exit(status);
    __builtin_unreachable();
}
