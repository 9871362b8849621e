// What the kernel that these tests run on is known to have; the machine's list of checks says it.
#pragma once

#include <cstdlib>
#include <sstream>
#include <string>
#include <vector>

#include "tests/catch.h"

namespace cowscope::vm {

// In the order in which `auto` prefers them.
inline std::vector<std::string> expected_trackers() {
    const char* names = std::getenv("VM_TRACKERS");
    REQUIRE(names != nullptr);
    std::istringstream words(names);
    std::vector<std::string> trackers;
    for (std::string word; words >> word;) trackers.push_back(word);
    REQUIRE_FALSE(trackers.empty());
    return trackers;
}

inline bool is_expected(const std::string& tracker) {
    for (const std::string& expected : expected_trackers()) {
        if (expected == tracker) return true;
    }
    return false;
}

}  // namespace cowscope::vm
