// The folder that a recording goes to.
#pragma once

#include <sys/types.h>

#include <string>

#include "base/file_descriptor.h"

namespace cowscope::record {

struct TraceFolder {
    std::string path;      // absolute
    std::string shown;     // as the user named it, for messages
    bool created = false;  // by us: taken away again if the program does not start
    // The folder itself, whatever stands at `path` later: who may write to the folder around it can
    // put a link there.
    FileDescriptor handle;

    // Whether other users have a folder in it (trace::kOthersFolder).
    bool has_others = false;

    // The same as a path, for as long as this lives. Needs /proc.
    std::string own_path() const { return "/proc/self/fd/" + std::to_string(handle.get()); }
};

// "cowscope.PROG.PID.cow"; PROG is the last part of the program's path.
std::string default_folder_name(const std::string& program, pid_t pid);

// Creates the folder (mode 0700; its parents must exist) or takes an existing one that is empty
// and writable; root takes none of another user's, who could put links into it meanwhile. Throws
// cowscope::Error.
TraceFolder open_trace_folder(const std::string& name);

// Takes away the folder of other users, where nobody has written into it.
void remove_unused(TraceFolder* folder);

// Throws cowscope::Error unless a folder can be created in the current directory.
void require_writable_current_directory();

// Whether any process wrote a segment (*.cowseg).
bool has_segments(const std::string& folder);

// The folder "*.cow" in `directory` that was changed last and holds a segment, of those that are
// this user's own; empty if none is.
std::string newest_trace(const std::string& directory);

}  // namespace cowscope::record
