// Modules that come and go under a process that is watched.

#include <dlfcn.h>

#include "epoch/process.h"
#include "hooks/interpose.h"
#include "hooks/real.h"

#include "support/poison.h"

COWSCOPE_INTERPOSED int dlclose(void* handle) noexcept {
    using namespace cowscope::process;
    before_unload();
    const int result = real().dlclose(handle);
    after_unload();
    forget_unmapped_files();
    if (is_current()) {
        const Locked locked;
        // Another module may come to lie where this one was.
        walker.forget_rules();
        Tracked* tracked = cowscope::process::process.tracked;
        if (tracked != nullptr && tracked->python != nullptr) tracked->python->forget_modules();
    }
    return result;
}
