// What the recorder wrote beside the segments (recording.json); a trace of a bare LD_PRELOAD has
// none.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace cowscope::attribute {

struct Recording {
    struct Exit {
        std::string kind;  // exit, signal
        int value = 0;
    };
    std::string host;  // "" where an older recorder wrote none
    std::vector<std::string> command;
    std::optional<uint64_t> start_unix_ns;
    std::optional<uint64_t> duration_ns;
    std::optional<Exit> exit;
    std::vector<std::string> notes;
};

// Empty fields for what is missing; a file that is no such JSON becomes a note.
Recording read_recording(const std::string& folder);

}  // namespace cowscope::attribute
