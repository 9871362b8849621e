// recording.json: all of it, or a note that names it and says why not.
#include "attribute/recording_file.h"
#include "base/printable.h"
#include "tests/fuzz/fuzzer.h"

using namespace cowscope;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    static const fuzz::Folder folder;
    folder.clear();
    folder.write("recording.json", {reinterpret_cast<const char*>(data), size});
    const attribute::Recording recording = attribute::read_recording(folder.path());
    const bool is_whole = recording.exit && !recording.exit->kind.empty();
    const bool is_noted = !recording.notes.empty() &&
                          recording.notes.back().find("recording.json") != std::string::npos;
    if (!is_whole && !recording.exit && !is_noted) fuzz::fail("a damaged file without a note");
    size_t bytes = 0;
    for (const std::string& each : recording.command) bytes += each.size();
    for (const std::string& each : recording.notes) bytes += each.size();
    // A number of four characters is six bytes of text at most.
    if (bytes > 2 * size + 4096) fuzz::fail("more text than the file holds");
    return 0;
}
