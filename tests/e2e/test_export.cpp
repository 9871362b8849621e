// Exports say what the report says, in every format.
#include <cstdint>
#include <filesystem>
#include <map>
#include <regex>
#include <sstream>
#include <string>
#include <tuple>
#include <vector>

#include "tests/catch.h"
#include "tests/e2e/cowscope_program.h"
#include "tests/e2e/pythons.h"
#include "tests/e2e/recorded_export.h"
#include "tests/e2e/report_json.h"

// Ends the test case where a tool that reads exports is missing; CTest counts it as skipped.
#define COWSCOPE_REQUIRE_TOOL(name)                                               \
    if (run_program({"/bin/sh", "-c", "command -v " name}).status() != 0) {       \
        WARN("SKIPPED: no " name " on this machine; nothing was tested with it"); \
        return;                                                                   \
    }

using namespace cowscope::e2e;
namespace fs = std::filesystem;

namespace {

std::vector<std::string> lines_of(const std::string& text) {
    std::vector<std::string> lines;
    std::istringstream stream(text);
    for (std::string line; std::getline(stream, line);) lines.push_back(line);
    return lines;
}

const Recorded& recorded_python(const std::string& python) {
    static const Recorded recorded(
        {python, kPythonWorkload, "--entries", "100000", "--unique", "300", "--processes", "2"});
    return recorded;
}

// Only the census: nobody saw who wrote.
const Recorded& recorded_unwitnessed() {
    static const Recorded recorded(kCppProgram, {"--witness", "off"});
    return recorded;
}

void check_collapsed(const Recorded& recorded) {
    PagesByName causes;
    uint64_t total = 0;
    for (const std::string& line : lines_of(recorded.exported("collapsed"))) {
        CAPTURE(line);
        std::smatch match;
        const std::regex shape(R"((?:.*;)?\[([a-z-]+)(?: of [^\]]+)?\] ([0-9]+))");
        REQUIRE(std::regex_match(line, match, shape));
        const uint64_t pages = std::stoull(match[2]);
        causes[match[1]] += pages;
        total += pages;
    }
    CHECK(total == recorded.copied_pages());
    CHECK(causes == recorded.causes());
}

void check_speedscope(const Recorded& recorded) {
    const Json file = Json::parse(recorded.exported("speedscope"), nullptr, false);
    REQUIRE_FALSE(file.is_discarded());
    CHECK(file["$schema"] == "https://www.speedscope.app/file-format-schema.json");
    const size_t frames = file["shared"]["frames"].size();
    for (const Json& frame : file["shared"]["frames"]) {
        CAPTURE(frame.dump());
        REQUIRE(frame.is_object());
        CHECK(frame["name"].is_string());
        if (frame.contains("file")) CHECK(frame["file"].is_string());
        if (frame.contains("line")) CHECK(frame["line"].is_number());
    }
    const uint64_t page_bytes = recorded.report["page_size"];
    std::vector<uint64_t> pages;
    for (const Json& profile : file["profiles"]) {
        CAPTURE(profile["name"]);
        CHECK(profile["type"] == "sampled");
        CHECK(profile["unit"] == "bytes");
        CHECK(profile["startValue"] == 0);
        CHECK(profile["samples"].size() == profile["weights"].size());
        uint64_t bytes = 0;
        for (const Json& weight : profile["weights"]) bytes += weight.get<uint64_t>();
        CHECK(profile["endValue"] == bytes);
        bool is_in_range = true;
        for (const Json& stack : profile["samples"]) {
            for (const Json& frame : stack) is_in_range &= frame.get<size_t>() < frames;
        }
        CHECK(is_in_range);
        pages.push_back(bytes / page_bytes);
    }
    std::vector<uint64_t> expected;
    for (const Json& process : recorded.report["processes"]) {
        const auto count = process["copied_pages"].get<uint64_t>();
        if (count != 0) expected.push_back(count);
    }
    if (expected.size() > 1) expected.insert(expected.begin(), recorded.copied_pages());
    CHECK(pages == expected);
}

const std::vector<std::string> kColumns = {"host",
                                           "trace",
                                           "command",
                                           "pid",
                                           "parent",
                                           "role",
                                           "t_ns",
                                           "page",
                                           "generation",
                                           "cause",
                                           "type",
                                           "owner",
                                           "module",
                                           "function",
                                           "inlined",
                                           "file",
                                           "line",
                                           "instruction",
                                           "python_function",
                                           "python_file",
                                           "python_line",
                                           "pages"};

void check_jsonl(const Recorded& recorded) {
    char host[256] = "";
    gethostname(host, sizeof(host));
    PagesByName causes;
    PagesByName pids;
    uint64_t witnessed = 0;
    std::map<std::tuple<int, std::string, std::string, uint64_t, uint64_t>, int> seen;
    for (const std::string& line : lines_of(recorded.exported("jsonl"))) {
        CAPTURE(line);
        const auto row = nlohmann::ordered_json::parse(line, nullptr, false);
        REQUIRE(row.is_object());
        std::vector<std::string> columns;
        for (const auto& [name, value] : row.items()) columns.push_back(name);
        REQUIRE(columns == kColumns);
        REQUIRE(row["pages"] == 1);
        REQUIRE(row["host"] == host);
        REQUIRE(row["trace"] == "t.cow");
        causes[row["cause"]] += 1;
        pids[std::to_string(row["pid"].get<int>())] += 1;
        const bool is_witnessed = !row["t_ns"].is_null();
        witnessed += is_witnessed ? 1 : 0;
        REQUIRE(row["instruction"].is_null() == !is_witnessed);
        REQUIRE(row["page"].is_null() == row["generation"].is_null());
        if (row["page"].is_null()) continue;
        REQUIRE(row["page"].get<uint64_t>() % 4096 == 0);
        REQUIRE(++seen[{row["pid"], row["role"], row["command"], row["generation"], row["page"]}] ==
                1);
    }
    CHECK(causes == recorded.causes());
    CHECK(pids == recorded.pids());
    CHECK(witnessed == recorded.report["totals"]["witnessed_pages"]);
}

std::string pprof(const Words& options, const std::string& file) {
    const RunResult result = run_program(joined(joined({"go", "tool", "pprof"}, options), {file}));
    CAPTURE(options, result.out, result.err);
    REQUIRE(result.status() == 0);
    return result.out;
}

// The rows of one label in the output of -tags.
PagesByName tags_of(const std::string& output, const std::string& label) {
    PagesByName pages;
    bool is_inside = false;
    for (const std::string& line : lines_of(output)) {
        std::smatch match;
        if (std::regex_match(line, match, std::regex(R"(\s*(\w+): Total .*)"))) {
            is_inside = match[1] == label;
        } else if (is_inside &&
                   std::regex_match(line, match, std::regex(R"(\s*([0-9]+)\.0 \(.*?\): (.*))"))) {
            pages[match[2]] = std::stoull(match[1]);
        }
    }
    return pages;
}

uint64_t flat_total(const std::string& top) {
    uint64_t total = 0;
    for (const std::string& line : lines_of(top)) {
        std::smatch match;
        const std::regex row(R"(\s*([0-9]+)\s+\S+%\s+\S+%\s+[0-9]+\s+\S+%\s+.*)");
        if (std::regex_match(line, match, row)) total += std::stoull(match[1]);
    }
    return total;
}

void check_pprof(const Recorded& recorded) {
    const std::string file = recorded.exported_file("pprof");
    const std::string pages = std::to_string(recorded.copied_pages());
    const std::string top =
        pprof({"-top", "-sample_index=pages", "-nodecount=0", "-nodefraction=0"}, file);
    CAPTURE(top);
    CHECK(contains(top, "Total samples = " + pages + " "));
    CHECK(flat_total(top) == recorded.copied_pages());
    const std::string bytes = pprof({"-top", "-sample_index=bytes", "-unit=B"}, file);
    CHECK(contains(bytes,
                   "Total samples = " +
                       std::to_string(recorded.report["totals"]["copied_bytes"].get<uint64_t>()) +
                       "B"));
    // Pages are what is shown unless something else is asked for.
    CHECK(contains(pprof({"-top"}, file), "Type: pages"));

    const std::string tags = pprof({"-tags", "-sample_index=pages"}, file);
    CHECK(tags_of(tags, "cause") == recorded.causes());
    CHECK(tags_of(tags, "pid") == recorded.pids());
    CHECK(tags_of(tags, "type") == recorded.types());
    CHECK(tags_of(tags, "owner") == recorded.owners());
}

std::string between(const std::string& text, const std::string& start, const std::string& end) {
    const size_t from = text.find(start);
    REQUIRE(from != std::string::npos);
    const size_t to = text.find(end, from + start.size());
    REQUIRE(to != std::string::npos);
    return text.substr(from + start.size(), to - from - start.size());
}

// With the commands that docs/export.md gives.
void check_sqlite(const Recorded& recorded) {
    const std::string page = content_of(COWSCOPE_SOURCE_DIR "/docs/export.md");
    RunOptions options;
    options.folder = recorded.folder.path().string();
    fs::rename(recorded.exported_file("jsonl"), recorded.folder / "demo.jsonl");
    fs::remove(recorded.folder / "demo.db");
    for (const std::string& line : lines_of(between(page, "<<'END'\n", "    END\n"))) {
        options.input += line.substr(4) + "\n";
    }
    const RunResult loaded = run_program({"sqlite3", "demo.db"}, options);
    CAPTURE(loaded.err);
    REQUIRE(loaded.status() == 0);
    REQUIRE(loaded.err.empty());

    options.input = between(page, "```sql\n", "```");
    const RunResult table = run_program({"sqlite3", "-json", "demo.db"}, options);
    CAPTURE(table.out, table.err);
    const Json rows = Json::parse(table.out, nullptr, false);
    REQUIRE(rows.is_array());
    const Json& causes = recorded.report["causes"];
    REQUIRE(rows.size() == causes.size());
    uint64_t last = ~uint64_t{0};
    std::map<std::string, Json> by_cause;
    for (const Json& row : rows) {
        CHECK(row["pages"].get<uint64_t>() <= last);
        last = row["pages"];
        by_cause[row["cause"]] = row;
    }
    for (const Json& cause : causes) {
        const Json& row = by_cause[cause["cause"]];
        CAPTURE(cause["cause"]);
        CHECK(row["pages"] == cause["pages"]);
        CHECK(row["bytes"] == cause["bytes"]);
        CHECK(row["share"].get<double>() == Approx(cause["share"].get<double>()));
    }
}

}  // namespace

TEST_CASE("exports of a C++ program have the report's copies", "[export]") {
    check_collapsed(recorded_cpp());
    check_speedscope(recorded_cpp());
    check_jsonl(recorded_cpp());
}

TEST_CASE("exports of a Python program have the report's copies", "[export]") {
    const std::string python = debian_python();
    COWSCOPE_REQUIRE_INTERPRETER(python, "python3");
    check_collapsed(recorded_python(python));
    check_speedscope(recorded_python(python));
    check_jsonl(recorded_python(python));
}

TEST_CASE("exports have copies that nobody saw, too", "[export]") {
    check_collapsed(recorded_unwitnessed());
    check_speedscope(recorded_unwitnessed());
    check_jsonl(recorded_unwitnessed());
    const std::string collapsed = recorded_unwitnessed().exported("collapsed");
    CHECK(collapsed == "[unknown] " + std::to_string(recorded_unwitnessed().copied_pages()) + "\n");
}

TEST_CASE("pprof reads the report's totals and labels", "[export]") {
    COWSCOPE_REQUIRE_TOOL("go");
    check_pprof(recorded_cpp());
    check_pprof(recorded_unwitnessed());
    const std::string raw = pprof({"-raw"}, recorded_cpp().exported_file("pprof"));
    CAPTURE(raw);
    // The program comes first, with its build id.
    CHECK(std::regex_search(
        raw, std::regex("Mappings\n1: 0x[0-9a-f/x]+ \\S*/string_map [0-9a-f]{40} ")));
}

TEST_CASE("pprof reads Python's functions, lines, types and owners", "[export]") {
    COWSCOPE_REQUIRE_TOOL("go");
    const std::string python = debian_python();
    COWSCOPE_REQUIRE_INTERPRETER(python, "python3");
    const Recorded& recorded = recorded_python(python);
    check_pprof(recorded);
    const std::string list =
        pprof({"-list", "^read_map$", "-sample_index=pages"}, recorded.exported_file("pprof"));
    CAPTURE(list);
    std::smatch match;
    REQUIRE(std::regex_search(
        list, match,
        std::regex(R"(\n\s+([0-9]+)\s+[0-9]+\s+[0-9]+:\s+value = global_map\[str\(i\)\])")));
    const uint64_t counted = pages_of_type(recorded.report, "refcount", "str");
    CHECK(std::stoull(match[1]) >= counted * 9 / 10);
    CHECK(std::stoull(match[1]) <= recorded.copied_pages());
    // Named by the program, although none of its own frames are shown.
    CHECK(std::regex_search(pprof({"-top"}, recorded.exported_file("pprof")),
                            std::regex("File: python3")));
}

TEST_CASE("SQLite makes the causes table of a jsonl export with the query of the docs",
          "[export]") {
    COWSCOPE_REQUIRE_TOOL("sqlite3");
    check_sqlite(recorded_cpp());
    check_sqlite(recorded_unwitnessed());
    if (const std::string python = debian_python(); !python.empty()) {
        check_sqlite(recorded_python(python));
    }
}
