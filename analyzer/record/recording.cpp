#include "record/recording.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "error.h"

namespace cowscope::record {

namespace {

[[noreturn]] void fail(const std::string& file, int error) {
    throw Error(fmt::format("cannot write '{}': {}", file, std::strerror(error)));
}

void write_all(int file, const std::string& name, const std::string& text) {
    size_t written = 0;
    while (written < text.size()) {
        const ssize_t count = write(file, text.data() + written, text.size() - written);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) fail(name, errno);
        written += static_cast<size_t>(count);
    }
}

}  // namespace

std::string to_json(const Recording& recording) {
    const LaunchResult& result = recording.result;
    nlohmann::ordered_json json;
    json["schema"] = kRecordingSchema;
    json["command"] = recording.command;
    json["start_ns"] = result.start_ns;
    json["end_ns"] = result.end_ns;
    json["root_pid"] = result.pid;
    json["exit"] = {{"kind", result.ending.by_signal ? "signal" : "exit"},
                    {"value", result.ending.value}};
    json["tracker_requested"] = name_of(recording.tracker_requested);
    json["witness_requested"] = name_of(recording.witness_requested);
    json["notes"] = recording.notes;
    constexpr int kIndent = 2;
    return json.dump(kIndent, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + '\n';
}

void write_recording(const std::string& folder, const Recording& recording) {
    const std::string name = folder + '/' + kRecordingFile;
    const std::string unfinished = name + ".tmp";
    const std::string text = to_json(recording);

    const int file = open(unfinished.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW,
                          S_IRUSR | S_IWUSR);
    if (file < 0) fail(name, errno);
    try {
        write_all(file, name, text);
    } catch (...) {
        close(file);
        unlink(unfinished.c_str());
        throw;
    }
    // Some file systems say only now that they are full.
    const bool closed = close(file) == 0;
    if (!closed || std::rename(unfinished.c_str(), name.c_str()) != 0) {
        const int error = errno;
        unlink(unfinished.c_str());
        fail(name, error);
    }
}

}  // namespace cowscope::record
