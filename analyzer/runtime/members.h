// The runtimes that the analyzer knows: languages, and the allocators below them. Each has a folder
// of its name with all that is known of it, and one line here.
#pragma once

#include <cstdint>

// In this order they are asked; the first answer counts.
#define COWSCOPE_RUNTIMES(runtime) runtime(cpython) runtime(perl) runtime(php) runtime(malloc)

namespace cowscope::runtime {

enum class Id : uint8_t {
    none,
#define COWSCOPE_RUNTIME_ID(name) name,
    COWSCOPE_RUNTIMES(COWSCOPE_RUNTIME_ID)
#undef COWSCOPE_RUNTIME_ID
};

class Runtime;

// Each is defined in the folder of its name.
#define COWSCOPE_RUNTIME_FUNCTION(name) const Runtime& name##_runtime();
COWSCOPE_RUNTIMES(COWSCOPE_RUNTIME_FUNCTION)
#undef COWSCOPE_RUNTIME_FUNCTION

}  // namespace cowscope::runtime
