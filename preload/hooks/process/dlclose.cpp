// Modules that come and go under a process that is watched.

#include <dlfcn.h>

#include "epoch/epoch.h"
#include "hooks/define_hooks.h"
#include "hooks/memory/map_and_unmap.h"
#include "hooks/runtimes.h"
#include "session/session.h"

#include "support/poison.h"

using namespace cowscope;
using namespace cowscope::hooks;

COWSCOPE_INTERPOSED int dlclose(void* handle) noexcept {
    before_unload();
    const int result = real::dlclose(handle);
    after_unload();
    forget_unmapped_files();
    if (session::is_current()) {
        const session::Locked locked;
        // Another module may come to lie where this one was.
        epoch::walker.forget_rules();
        epoch::Epoch* epoch = epoch::sharing.epoch;
        if (epoch != nullptr) epoch->runtime.forget_modules();
    }
    return result;
}
