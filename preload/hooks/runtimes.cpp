// When the shim looks for a CPython interpreter: at the start, before a fork if modules were loaded
// since, and behind dlclose().

#include "hooks/runtimes.h"

#include "epoch/epoch.h"
#include "runtime/cpython/interpreter.h"
#include "session/session.h"
#include "support/symbol_lookup.h"

#include "support/poison.h"

namespace cowscope::hooks {
namespace {

uint64_t modules_seen;

void use(const cpython::Interpreter& found) {
    const session::Locked locked;
    cpython::set_interpreter(found);
}

void look() {
    cpython::Interpreter found;
    cpython::look_for_interpreter(&found);
    use(found);
}

}  // namespace

void look_for_interpreter() {
    if (!session::is_current() || cpython::interpreter().type_type != 0) return;
    const uint64_t modules = modules_ever_loaded();
    if (modules == modules_seen) return;
    modules_seen = modules;
    look();
}

// Another thread may be in the fault handler meanwhile: it must not call what is going away.
void before_unload() {
    if (!session::is_current() || cpython::interpreter().type_type == 0) return;
    modules_seen = 0;
    use({});
}

void after_unload() {
    look_for_interpreter();
}

}  // namespace cowscope::hooks
