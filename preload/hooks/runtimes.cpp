// When the shim looks for a language runtime: at the start, before a fork if modules were loaded
// since, and behind dlclose().

#include "hooks/runtimes.h"

#include "epoch/epoch.h"
#include "runtime/active.h"
#include "runtime/find.h"
#include "session/session.h"
#include "support/symbol_lookup.h"

#include "support/poison.h"

namespace cowscope::hooks {
namespace {

uint64_t modules_seen;

void use(const runtime::Found* found) {
    const session::Locked locked;
    runtime::activate(found);
}

}  // namespace

void look_for_runtime() {
    if (!session::is_current() || runtime::is_active()) return;
    const uint64_t modules = modules_ever_loaded();
    if (modules == modules_seen) return;
    modules_seen = modules;
    runtime::Found found;
    if (runtime::find_in_process(&found)) use(&found);
}

// Another thread may be in the fault handler meanwhile: it must not call what is going away.
void before_unload() {
    if (!session::is_current() || !runtime::is_active()) return;
    modules_seen = 0;
    use(nullptr);
}

void after_unload() {
    look_for_runtime();
}

}  // namespace cowscope::hooks
