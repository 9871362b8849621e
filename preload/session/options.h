// What the user asked for, from COWSCOPE_* environment variables. `cowscope run` and `record` set
// them; a bare LD_PRELOAD works with them too.
#pragma once

#include <limits.h>
#include <sys/types.h>

#include <cstdint>

#include "format/trace_format.h"
#include "support/text.h"

namespace cowscope::session {

enum class TrackerChoice : uint8_t { automatic, userfaultfd, soft_dirty, off };
enum class WitnessChoice : uint8_t { automatic, trap, off };

struct Options {
    TrackerChoice tracker = TrackerChoice::automatic;
    WitnessChoice witness = WitnessChoice::automatic;
    uint32_t sample = 0;         // witness one fault in so many; 0: auto (witness/sampling.h)
    uint32_t max_stack = 64;     // frames
    uint64_t max_trace = 0;      // bytes that the trace may have; 0: any number
    bool values = true;          // keep examples of the values of written objects
    FixedText<PATH_MAX> folder;  // absolute path of the trace
    // The process of `cowscope run` or `record`, whose child is the first program; 0: there is
    // none.
    pid_t recorder = 0;
    uint32_t filters = 0;  // seccomp filters that are in force for the recorder
};

// Fills `options`; the folder is as the user named it, or empty. Asks nothing of the kernel.
// Returns nullptr, or a one-line description of what is wrong.
const char* read_options(char** environment, Options* options);
// Makes the folder's path absolute. The same.
const char* complete_folder(pid_t pid, Options* options);

}  // namespace cowscope::session
