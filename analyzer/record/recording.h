// recording.json: what the recorder knows about a trace and the shim cannot.
#pragma once

#include <string>
#include <vector>

#include "observe/share_of_bound.h"
#include "record/launch.h"
#include "record/options.h"

namespace cowscope::record {

inline constexpr const char* kRecordingFile = "recording.json";
inline constexpr const char* kRecordingSchema = "cowscope.recording/1";

struct Recording {
    std::string host;
    uint64_t start_unix_ns = 0;
    std::vector<std::string> command;
    LaunchResult result;
    Choice tracker_requested;
    Choice witness_requested;
    std::vector<std::string> notes;  // what `auto` did without, and how to get it
};

// Bytes of the command that are no UTF-8 become U+FFFD.
std::string to_json(const Recording& recording);

// Writes the file (mode 0600) so that a reader sees all of it or nothing. Throws cowscope::Error,
// which names the folder as `shown` does, where that is given.
void write_recording(const std::string& folder, const Recording& recording,
                     const std::string& shown = "", observe::ShareOfBound* share = nullptr);

}  // namespace cowscope::record
