#include "attribute/recording.h"

#include <sys/stat.h>
#include <unistd.h>

#include <limits>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "error.h"
#include "record/file_descriptor.h"
#include "record/other_process.h"
#include "trace/trace_file.h"

namespace cowscope::attribute {

namespace {

// Most of it is the command, which the kernel limits to a few MiB.
constexpr size_t kMostBytes = size_t{32} << 20;

std::string content_of(const std::string& path) {
    const record::FileDescriptor file(trace::open_trace_file(path));
    auto text = record::read_all(file.get(), kMostBytes);
    if (!text) throw Error(fmt::format("cannot be read, or has over {} bytes", kMostBytes));
    return *std::move(text);
}

// nlohmann's get() turns any number into any other.
template <typename Number>
Number whole_number(const nlohmann::json& value) {
    using Limits = std::numeric_limits<Number>;
    // What is not unsigned is negative.
    const bool fits = value.is_number_unsigned()
                          ? std::cmp_less_equal(value.get<uint64_t>(), Limits::max())
                          : value.is_number_integer() &&
                                std::cmp_greater_equal(value.get<int64_t>(), Limits::min());
    if (!fits) throw Error("a number that is impossible there");
    return value.get<Number>();
}

}  // namespace

Recording read_recording(const std::string& folder) {
    const std::string path = folder + "/recording.json";
    Recording recording;
    struct stat status {};
    if (lstat(path.c_str(), &status) != 0) return recording;
    try {
        const nlohmann::json json = nlohmann::json::parse(content_of(path));
        recording.command = json.at("command").get<std::vector<std::string>>();
        const auto start = whole_number<uint64_t>(json.at("start_ns"));
        const auto end = whole_number<uint64_t>(json.at("end_ns"));
        if (end >= start) recording.duration_ns = end - start;
        recording.exit = {json.at("exit").at("kind").get<std::string>(),
                          whole_number<int>(json.at("exit").at("value"))};
        recording.host = json.value("host", "");
        if (json.contains("start_unix_ns")) {
            recording.start_unix_ns = whole_number<uint64_t>(json.at("start_unix_ns"));
        }
        recording.notes = json.at("notes").get<std::vector<std::string>>();
    } catch (const nlohmann::json::exception& problem) {
        recording.notes.push_back(path + ": damaged, left out: " + problem.what());
    } catch (const Error& problem) {
        recording.notes.push_back(path + ": damaged, left out: " + problem.what());
    }
    return recording;
}

}  // namespace cowscope::attribute
