// Copies held against what the kernel and the programs themselves say about private memory.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <regex>
#include <string>
#include <vector>

#include "tests/catch.h"
#include "tests/e2e/report_json.h"

namespace cowscope::e2e {

struct PrintedMemory {
    int64_t before_kb = 0;
    int64_t after_kb = 0;
};

// Of every child or worker, from what the workloads print.
inline std::vector<PrintedMemory> printed_memory(const std::string& output) {
    static const std::regex kLine("private memory (\\d+) kB before, (\\d+) kB after");
    std::vector<PrintedMemory> all;
    for (std::sregex_iterator at(output.begin(), output.end(), kLine), end; at != end; ++at) {
        all.push_back({std::stoll((*at)[1]), std::stoll((*at)[2])});
    }
    return all;
}

inline int64_t copied_and_fresh_kb(const Json& process) {
    constexpr int64_t kPageKb = 4;
    return kPageKb *
           (process["copied_pages"].get<int64_t>() + process["fresh_pages"].get<int64_t>());
}

// Within 2 % plus 1 MB. A page that the parent copied while the last other child ended is private
// from then on, without a copy: `taken_over_kb` at most.
inline void check_agrees(int64_t growth_kb, int64_t copied_kb, int64_t taken_over_kb = 0) {
    constexpr int64_t kSlackKb = 1024;
    const int64_t most_kb = growth_kb / 50 + kSlackKb;
    CAPTURE(growth_kb, copied_kb, taken_over_kb);
    CHECK(copied_kb - growth_kb <= most_kb);
    CHECK(growth_kb - copied_kb <= most_kb + taken_over_kb);
}

inline void check_memory_growth(const Json& process, int64_t taken_over_kb = 0) {
    CAPTURE(process.dump(1));
    check_agrees(process["private_dirty_kb_at_end"].get<int64_t>() -
                     process["private_dirty_kb_at_fork"].get<int64_t>(),
                 copied_and_fresh_kb(process), taken_over_kb);
}

}  // namespace cowscope::e2e
