// The programs under test, and the ways to run them.
#pragma once

#include <algorithm>
#include <filesystem>
#include <string>
#include <system_error>
#include <vector>

#include "tests/catch.h"
#include "tests/e2e/run_program.h"

namespace cowscope::e2e {

using Words = std::vector<std::string>;

inline const std::string kCowscope = COWSCOPE_BUILD_DIR "/cowscope";
inline const std::string kShim = COWSCOPE_BUILD_DIR "/libcowscope.so";
inline const std::string kStringMap = COWSCOPE_BUILD_DIR "/string_map";
// One of tests/e2e/programs.
inline std::string program_of_tests(const std::string& name) {
    return COWSCOPE_E2E_PROGRAMS "/" + name;
}
inline const std::string kPageWriter = program_of_tests("page_writer");
inline const std::string kPythonWorkload = COWSCOPE_SOURCE_DIR "/workloads/python/string_map.py";
inline const std::string kPythonReader = COWSCOPE_SOURCE_DIR "/tests/e2e/programs/dict_reader.py";

inline Words joined(Words first, const Words& second) {
    first.insert(first.end(), second.begin(), second.end());
    return first;
}

// Whether a process has begun to be recorded there.
inline bool has_segment(const std::string& trace) {
    std::error_code error;
    const std::filesystem::directory_iterator entries(trace, error);
    return !error && std::any_of(begin(entries), end(entries), [](const auto& entry) {
        return entry.path().extension() == ".cowseg";
    });
}

inline RunResult run_cowscope(const Words& arguments, const RunOptions& options = {}) {
    return run_program(joined({kCowscope}, arguments), options);
}

// Records PROGRAM into FOLDER, which must be new or empty. Not quietly, so that notes are seen.
inline RunResult record(const std::string& folder, const Words& program,
                        const RunOptions& options = {}) {
    return run_cowscope(joined({"record", "-o", folder, "--"}, program), options);
}

// Requires that the program was recorded and ended with status 0.
inline RunResult record_successfully(const std::string& folder, const Words& program,
                                     const RunOptions& options = {}) {
    RunResult result = record(folder, program, options);
    CAPTURE(program, result.out, result.err);
    REQUIRE_FALSE(result.timed_out);
    REQUIRE(result.status() == 0);
    return result;
}

inline size_t line_count(const std::string& text) {
    size_t lines = 0;
    for (const char c : text) lines += c == '\n' ? 1 : 0;
    return lines;
}

inline bool contains(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

// The way in which every command of cowscope's refuses: status 2, one line on stderr that says who
// speaks, nothing on stdout.
inline void check_refusal(const RunResult& result) {
    CAPTURE(result.out, result.err);
    CHECK_FALSE(result.timed_out);
    CHECK(result.status() == 2);
    CHECK(result.out.empty());
    CHECK(line_count(result.err) == 1);
    CHECK(result.err.rfind("cowscope: ", 0) == 0);
    CHECK(result.err.size() > std::string("cowscope: \n").size());
}

}  // namespace cowscope::e2e
