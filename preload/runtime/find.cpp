#include "runtime/find.h"

#include "runtime/active.h"
#include "runtime/cpython/member.h"

#include "support/poison.h"

namespace cowscope::runtime {
namespace {

// The members, one line each.
constexpr const Runtime* kMembers[] = {
    &cpython::kRuntime,
};

}  // namespace

bool find_in_process(Found* found) {
    return find_first(kMembers, found);
}

}  // namespace cowscope::runtime
