// Recordings with a limit of their size, and what their reports count before it was reached and
// later.
#pragma once

#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <string>

#include "tests/catch.h"
#include "tests/e2e/cowscope_program.h"
#include "tests/e2e/report_json.h"

namespace cowscope::e2e {

// By size and by blocks, whichever is more.
inline uint64_t bytes_in(const std::string& folder) {
    uint64_t bytes = 0;
    for (const std::filesystem::directory_entry& entry :
         std::filesystem::directory_iterator(folder)) {
        struct stat status {};
        REQUIRE(stat(entry.path().c_str(), &status) == 0);
        bytes += std::max(static_cast<uint64_t>(status.st_size),
                          static_cast<uint64_t>(status.st_blocks) * 512);
    }
    return bytes;
}

inline size_t files_named(const std::string& folder, const std::string& part) {
    size_t count = 0;
    for (const std::filesystem::directory_entry& entry :
         std::filesystem::directory_iterator(folder)) {
        count += contains(entry.path().filename().string(), part) ? 1 : 0;
    }
    return count;
}

inline uint64_t number(const Json& json, const char* key) {
    return json[key].get<uint64_t>();
}

// Pages of a function, before the bound and behind it.
struct Pages {
    uint64_t before = 0;
    uint64_t later = 0;
};

inline Pages pages_of(const Json& report, const std::string& function) {
    Pages pages;
    for (const Json& site : report["sites"]) {
        if (site["function"].get<std::string>().rfind(function, 0) == 0) {
            pages.before += number(site, "pages");
        }
    }
    const Json after = report.value("after_bound", Json::object());
    for (const Json& site : after.value("sites", Json::array())) {
        if (site["function"].get<std::string>().rfind(function, 0) == 0) {
            pages.later += number(site, "copies");
        }
    }
    return pages;
}

inline void check_place(const Json& report, const std::string& function, uint64_t truth) {
    const Pages pages = pages_of(report, function);
    CAPTURE(function, pages.before, pages.later);
    CHECK(pages.before + pages.later == truth);
}

inline Words bounded(const std::string& folder, const std::string& size, const Words& program) {
    return joined({"record", "--max-trace", size, "-o", folder, "--"}, program);
}

}  // namespace cowscope::e2e
