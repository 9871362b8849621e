// Records one program: everything that `run` and `record` have in common.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "observe/outside_scan.h"
#include "record/launch.h"
#include "record/options.h"
#include "record/signal_gate.h"
#include "record/trace_folder.h"

namespace cowscope::record {

struct RecordResult {
    TraceFolder folder;
    LaunchResult launch;
    bool has_segments = false;  // something was recorded
    // Keeps this process alive until it has written what the program's end leaves to be written.
    std::unique_ptr<SignalGate> gate;
};

// Takes one line for the user, without a newline.
using Say = std::function<void(const std::string& line)>;
// Called again and again while the program runs, with what the last look saw; returns in how many
// ns at the latest to call it again.
using Watch = std::function<uint64_t(const observe::SeenSoFar& seen)>;

// Runs `command` (not empty) with the shim and leaves its trace. Lines about what `auto` does
// without are said unless options.quiet; that nothing was recorded is always said. Throws
// cowscope::Error if the program was not started; no folder is left behind then.
RecordResult record_program(const RecordOptions& options, const std::vector<std::string>& command,
                            const Say& say, const Watch& watch = {});

}  // namespace cowscope::record
