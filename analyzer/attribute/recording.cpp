#include "attribute/recording.h"

#include <filesystem>
#include <fstream>

#include <nlohmann/json.hpp>

namespace cowscope::attribute {

Recording read_recording(const std::string& folder) {
    const std::string path = folder + "/recording.json";
    Recording recording;
    std::error_code error;
    if (!std::filesystem::is_regular_file(path, error)) return recording;
    std::ifstream file(path);
    try {
        const nlohmann::json json = nlohmann::json::parse(file);
        recording.command = json.at("command").get<std::vector<std::string>>();
        const auto start = json.at("start_ns").get<uint64_t>();
        const auto end = json.at("end_ns").get<uint64_t>();
        if (end >= start) recording.duration_ns = end - start;
        recording.exit = {json.at("exit").at("kind").get<std::string>(),
                          json.at("exit").at("value").get<int>()};
        recording.host = json.value("host", "");
        if (json.contains("start_unix_ns")) {
            recording.start_unix_ns = json.at("start_unix_ns").get<uint64_t>();
        }
        recording.notes = json.at("notes").get<std::vector<std::string>>();
    } catch (const nlohmann::json::exception& problem) {
        recording.notes.push_back(path + ": damaged, left out: " + problem.what());
    }
    return recording;
}

}  // namespace cowscope::attribute
