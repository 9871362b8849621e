// What programs say about themselves: the pages that they wrote, found without cowscope.
#pragma once

#include <cstdint>
#include <fstream>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace cowscope::e2e {

using Pages = std::set<uint64_t>;  // addresses of their first bytes

struct ProcessTruth {
    int pid = 0;
    int parent = 0;  // 0 where the program does not say
    int wait_status = 0;
    Pages pages;
    Pages later_pages;  // written when the process shared them with nobody any more
    uint64_t fresh_pages = 0;
};

struct Truth {
    uint64_t region_start = 0;  // of the memory that the program's pages are all in, if it says so
    uint64_t region_pages = 0;
    ProcessTruth parent;
    std::vector<ProcessTruth> children;
};

inline uint64_t parse_address(const nlohmann::json& text) {
    return std::stoull(text.get<std::string>(), nullptr, 16);
}

inline ProcessTruth process_truth_from(const nlohmann::json& json) {
    ProcessTruth truth;
    truth.pid = json.at("pid").get<int>();
    truth.parent = json.value("parent", 0);
    truth.wait_status = json.value("wait_status", 0);
    truth.fresh_pages = json.value("fresh", uint64_t{0});
    for (const auto& page : json.at("pages")) truth.pages.insert(parse_address(page));
    if (json.contains("later_pages")) {
        for (const auto& page : json["later_pages"]) truth.later_pages.insert(parse_address(page));
    }
    return truth;
}

// Of the JSON that string_map --truth, page_writer and dict_reader.py write. Throws where it is
// none.
inline Truth truth_from(const std::string& text) {
    const auto json = nlohmann::json::parse(text);
    Truth truth;
    if (json.contains("region")) {
        truth.region_start = parse_address(json["region"].at("start"));
        truth.region_pages = json["region"].at("pages").get<uint64_t>();
    }
    if (json.contains("parent")) truth.parent = process_truth_from(json["parent"]);
    for (const auto& child : json.at("children")) {
        truth.children.push_back(process_truth_from(child));
    }
    return truth;
}

inline std::string read_file(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) throw std::runtime_error("cannot read " + path);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

inline Truth read_truth(const std::string& path) {
    return truth_from(read_file(path));
}

}  // namespace cowscope::e2e
