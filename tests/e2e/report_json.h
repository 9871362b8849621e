// The JSON report of a trace, as scripts get it.
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "tests/catch.h"
#include "tests/e2e/cowscope_program.h"

namespace cowscope::e2e {

using Json = nlohmann::json;

inline Json report_json(const std::string& folder, const Words& more = {}) {
    const RunResult result = run_cowscope(joined({"report", folder, "--format", "json"}, more));
    CAPTURE(folder, result.err);
    REQUIRE(result.status() == 0);
    Json report = Json::parse(result.out, nullptr, false);
    REQUIRE_FALSE(report.is_discarded());
    REQUIRE(report["schema"] == "cowscope.report/1");
    return report;
}

// The processes of that role, in the report's order.
inline std::vector<Json> processes_of(const Json& report, const std::string& role) {
    std::vector<Json> found;
    for (const Json& process : report["processes"]) {
        if (process["role"] == role) found.push_back(process);
    }
    return found;
}

// null where there is none.
inline Json find_process(const Json& report, int pid, const std::string& role = "fork") {
    for (const Json& process : report["processes"]) {
        if (process["pid"] == pid && process["role"] == role) return process;
    }
    return nullptr;
}

inline uint64_t pages_of_cause(const Json& report, const std::string& cause) {
    for (const Json& row : report["causes"]) {
        if (row["cause"] == cause) return row["pages"].get<uint64_t>();
    }
    return 0;
}

inline uint64_t pages_of_type(const Json& report, const std::string& cause,
                              const std::string& type) {
    for (const Json& row : report["causes"]) {
        if (row["cause"] != cause) continue;
        for (const Json& each : row["types"]) {
            if (each["type"] == type) return each["pages"].get<uint64_t>();
        }
    }
    return 0;
}

// The first note that holds all of the parts; "" where there is none.
inline std::string find_note(const Json& report, const std::vector<std::string>& parts) {
    for (const Json& note : report["notes"]) {
        const auto text = note.get<std::string>();
        bool all = true;
        for (const std::string& part : parts) all = all && contains(text, part);
        if (all) return text;
    }
    return "";
}

// What holds of every report, whatever was recorded: sums agree with their parts.
inline void check_consistent(const Json& report) {
    const Json& totals = report["totals"];
    CHECK(totals["processes"] == report["processes"].size());
    uint64_t copied = 0;
    uint64_t witnessed = 0;
    for (const Json& process : report["processes"]) {
        copied += process["copied_pages"].get<uint64_t>();
        witnessed += process["witnessed_pages"].get<uint64_t>();
        CHECK(process["witnessed_pages"] <= process["copied_pages"]);
    }
    CHECK(totals["copied_pages"] == copied);
    CHECK(totals["witnessed_pages"] == witnessed);
    CHECK(totals["copied_bytes"] == copied * report["page_size"].get<uint64_t>());
    uint64_t by_cause = 0;
    uint64_t by_site = 0;
    double shares = 0;
    for (const Json& row : report["causes"]) {
        by_cause += row["pages"].get<uint64_t>();
        shares += row["share"].get<double>();
    }
    for (const Json& site : report["sites"]) by_site += site["pages"].get<uint64_t>();
    CHECK(by_cause == copied);
    CHECK(by_site == copied);
    if (copied != 0) CHECK(shares == Approx(1.0));
}

}  // namespace cowscope::e2e
