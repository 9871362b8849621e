#include "record/recording.h"

#include <cstring>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/write_file.h"

namespace cowscope::record {

std::string to_json(const Recording& recording) {
    const LaunchResult& result = recording.result;
    nlohmann::ordered_json json;
    json["schema"] = kRecordingSchema;
    json["host"] = recording.host;
    json["start_unix_ns"] = recording.start_unix_ns;
    json["command"] = recording.command;
    json["start_ns"] = result.start_ns;
    json["end_ns"] = result.end_ns;
    json["root_pid"] = result.pid;
    json["exit"] = {{"kind", result.ending.by_signal ? "signal" : "exit"},
                    {"value", result.ending.value}};
    json["tracker_requested"] = recording.tracker_requested.name();
    json["witness_requested"] = recording.witness_requested.name();
    json["notes"] = recording.notes;
    constexpr int kIndent = 2;
    return json.dump(kIndent, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + '\n';
}

void write_recording(const std::string& folder, const Recording& recording,
                     const std::string& shown, observe::ShareOfBound* share) {
    const std::string path = folder + '/' + kRecordingFile;
    const std::string json = to_json(recording);
    const int error =
        share == nullptr ? replace_file(path, json) : share->replace(path, json, true);
    if (error == 0) return;
    throw Error(fmt::format("cannot write '{}/{}': {}", shown.empty() ? folder : shown,
                            kRecordingFile, observe::reason_of(error)));
}

}  // namespace cowscope::record
