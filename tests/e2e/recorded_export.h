// A recorded program with its report and its exports.
#pragma once

#include <cstdint>
#include <fstream>
#include <map>
#include <sstream>
#include <string>

#include "tests/catch.h"
#include "tests/e2e/cowscope_program.h"
#include "tests/e2e/report_json.h"
#include "tests/e2e/temporary_folder.h"

namespace cowscope::e2e {

using PagesByName = std::map<std::string, uint64_t>;

inline std::string content_of(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

struct Recorded {
    explicit Recorded(const Words& program, const Words& options = {}) {
        const RunResult run = run_cowscope(
            joined(joined({"record", "-o", folder / "t.cow"}, options), joined({"--"}, program)));
        CAPTURE(run.out, run.err);
        REQUIRE(run.status() == 0);
        report = report_json(trace());
        check_consistent(report);
        REQUIRE(copied_pages() > 0);
    }
    std::string trace() const { return folder / "t.cow"; }
    uint64_t copied_pages() const { return report["totals"]["copied_pages"].get<uint64_t>(); }

    std::string exported(const std::string& format) const {
        const RunResult result = run_cowscope({"export", trace(), "--format", format});
        CAPTURE(format, result.err);
        CHECK(result.status() == 0);
        CHECK(result.err.empty());
        return result.out;
    }

    std::string exported_file(const std::string& format) const {
        const std::string file = folder / ("t." + format);
        const RunResult result = run_cowscope({"export", trace(), "--format", format, "-o", file});
        CAPTURE(format, result.err);
        CHECK(result.status() == 0);
        CHECK(result.out.empty());
        CHECK(result.err.empty());
        return file;
    }

    PagesByName causes() const {
        PagesByName pages;
        for (const Json& row : report["causes"]) pages[row["cause"]] = row["pages"];
        return pages;
    }
    PagesByName types() const {
        PagesByName pages;
        for (const Json& row : report["causes"]) {
            for (const Json& type : row["types"]) {
                pages[type["type"]] += type["pages"].get<uint64_t>();
            }
        }
        return pages;
    }
    PagesByName owners() const {
        PagesByName pages;
        for (const Json& row : report["owners"]) {
            const auto count = row["pages"].get<uint64_t>();
            if (row["owner"] != "(unowned)" && count != 0) pages[row["owner"]] = count;
        }
        return pages;
    }
    PagesByName pids() const {
        PagesByName pages;
        for (const Json& process : report["processes"]) {
            const auto count = process["copied_pages"].get<uint64_t>();
            if (count != 0) pages[std::to_string(process["pid"].get<int>())] += count;
        }
        return pages;
    }

    TemporaryFolder folder;
    Json report;
};

inline const Words kCppProgram = {kStringMap,   "--entries", "20000",    "--unique",  "1000",
                                  "--children", "2",         "--values", "refcounted"};

// For every case that only reads it.
inline const Recorded& recorded_cpp() {
    static const Recorded recorded(kCppProgram);
    return recorded;
}

}  // namespace cowscope::e2e
