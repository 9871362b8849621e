// The Python interpreters of this machine that the tests record.
#pragma once

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "tests/catch.h"
#include "tests/e2e/run_program.h"

namespace cowscope::e2e {

inline const std::string kDebianPython = "/usr/bin/python3";

// The newest 3.N of pyenv; "" where there is none.
inline std::string newest_of_pyenv(const std::string& version) {
    namespace fs = std::filesystem;
    std::string root;
    if (const char* named = std::getenv("PYENV_ROOT")) {
        root = named;
    } else if (const char* home = std::getenv("HOME")) {
        root = std::string(home) + "/.pyenv";
    }
    std::string found;
    int newest = -1;
    std::error_code error;
    for (fs::directory_iterator entry(root + "/versions", error), end; !error && entry != end;
         entry.increment(error)) {
        const std::string name = entry->path().filename().string();
        const std::string prefix = version + ".";
        if (name.rfind(prefix, 0) != 0) continue;
        const std::string python = (entry->path() / "bin" / "python").string();
        const int patch = std::atoi(name.c_str() + prefix.size());
        if (patch > newest && access(python.c_str(), X_OK) == 0) {
            newest = patch;
            found = python;
        }
    }
    return found;
}

inline std::string pyenv_python_3_11() {
    return newest_of_pyenv("3.11");
}

// Of pyenv (its newest), or python3.N of the system; "" where there is none.
inline std::string python_of_version(const std::string& version) {
    const std::string found = newest_of_pyenv(version);
    if (!found.empty()) return found;
    const std::string python = "/usr/bin/python" + version;
    return access(python.c_str(), X_OK) == 0 ? python : "";
}

inline std::string debian_python() {
    return access(kDebianPython.c_str(), X_OK) == 0 ? kDebianPython : "";
}

// Debian's Python of a newer suite than this machine's, unpacked beside the tests (fetch_python);
// "" where it cannot be had.
inline std::string unpacked_python(const std::string& suite, const std::string& version) {
    const std::string folder = COWSCOPE_BUILD_DIR "/tests/e2e/pythons/" + suite + "-" + version;
    const RunResult fetched = run_program(
        {COWSCOPE_SOURCE_DIR "/tests/e2e/fetch_python", suite, version, folder}, RunOptions());
    if (fetched.status() == 0) return folder + "/python";
    WARN(fetched.err);
    return "";
}

}  // namespace cowscope::e2e

// Ends the test case where the interpreter is missing. CTest counts the case as skipped by this
// text (SKIP_REGULAR_EXPRESSION), so nothing else may print it.
#define COWSCOPE_REQUIRE_INTERPRETER(python, name)                                \
    if ((python).empty()) {                                                       \
        WARN("SKIPPED: no " name " on this machine; nothing was tested with it"); \
        return;                                                                   \
    }

namespace cowscope::e2e {

// check(path) with the newest of each version that is looked into: of pyenv, and Debian's 3.14.
template <typename Check>
void with_each_python(Check&& check) {
    for (int minor = 6; minor <= 13; ++minor) {
        const std::string python = newest_of_pyenv("3." + std::to_string(minor));
        COWSCOPE_REQUIRE_INTERPRETER(python, "Python of pyenv");
        check(python);
    }
    const std::string newest = unpacked_python("forky", "3.14");
    COWSCOPE_REQUIRE_INTERPRETER(newest, "Python 3.14 of Debian forky");
    check(newest);
}

}  // namespace cowscope::e2e
