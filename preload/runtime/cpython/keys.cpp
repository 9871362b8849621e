#include "runtime/cpython/keys.h"

#include "support/guarded_read.h"

#include "support/poison.h"

namespace cowscope::cpython {

bool read_keys(const Layout& layout, uint64_t keys, KeysShape* shape) {
    uint64_t head[kKeysHeadWords];
    return guarded_read(keys, &head) && parse_keys(layout, head, shape);
}

}  // namespace cowscope::cpython
