#include "runtime/active.h"

#include "support/poison.h"

namespace cowscope::runtime {

constinit Presence active;

void activate(const Found* found) {
    if (active.runtime != nullptr) active.runtime->set(nullptr);
    active = found == nullptr ? Presence{} : found->presence;
    if (found != nullptr) active.runtime->set(found);
}

}  // namespace cowscope::runtime
