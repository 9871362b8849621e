// Functional tests of what trackers and witnesses need from the kernel. Each does the real thing
// once, on a few pages of its own, in a child process: nothing of it stays in the caller, and a
// signal that kills it is an answer. The kernel's version is never asked, because features are
// ported back and taken out.
#pragma once

namespace cowscope::record {

// How far a probe came. A failed probe names the step that failed.
enum class ProbeStep : int {
    start,       // fork or memory for the probe itself
    open,        // get the file descriptor of the instrument
    features,    // agree with the kernel on features
    attach,      // put the instrument on memory
    read_table,  // open /proc/self/pagemap
    protect,     // arm it
    scan,        // ask what was written
    verify,      // the answer was wrong
    blocked,     // the signal while SIGTRAP is blocked
    done,
};

struct ProbeOutcome {
    ProbeStep step = ProbeStep::start;
    int error = 0;        // errno of the failed step, 0 if it failed without one
    int killed_by = 0;    // signal that ended the probe, 0 if none did
    bool device = false;  // userfaultfd only: opened through /dev/userfaultfd

    bool ok() const { return step == ProbeStep::done; }
};

}  // namespace cowscope::record
