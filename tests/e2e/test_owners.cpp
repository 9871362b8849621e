// The variables that lead to what was copied, on every Python of this machine.
#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>

#include "tests/catch.h"
#include "tests/e2e/cowscope_program.h"
#include "tests/e2e/pythons.h"
#include "tests/e2e/report_json.h"
#include "tests/e2e/temporary_folder.h"

using namespace cowscope::e2e;

namespace {

const std::string kOwnedData = COWSCOPE_SOURCE_DIR "/tests/e2e/programs/owned_data.py";
const std::string kNamedOwners = COWSCOPE_SOURCE_DIR "/tests/e2e/programs/named_owners.py";
const std::string kValues = "__main__.global_map (dict values)";

uint64_t pages_of_owner(const Json& report, const std::string& owner, const std::string& cause) {
    for (const Json& row : report["owners"]) {
        if (row["owner"] != owner) continue;
        for (const Json& each : row["causes"]) {
            if (each["cause"] == cause) return each["pages"].get<uint64_t>();
        }
    }
    return 0;
}

uint64_t pages_with(const Json& report, const std::string& owner) {
    for (const Json& row : report["owners"]) {
        if (row["owner"] == owner) return row["pages_with"].get<uint64_t>();
    }
    return 0;
}

// Owners with the unowned make up all copies.
void check_sums(const Json& report) {
    check_consistent(report);
    uint64_t pages = 0;
    double shares = 0;
    for (const Json& row : report["owners"]) {
        pages += row["pages"].get<uint64_t>();
        shares += row["share"].get<double>();
    }
    CHECK(pages == report["totals"]["copied_pages"]);
    CHECK(shares == Approx(1.0));
}

bool has_advice(const Json& report, const std::string& kind, const std::string& owner) {
    for (const Json& advice : report["advice"]) {
        if (advice["kind"] == kind && advice["owner"] == owner) return true;
    }
    return false;
}

void check_string_map(const std::string& python, const std::string& order) {
    CAPTURE(python, order);
    const TemporaryFolder folder;
    // So many that what the interpreter copies anyway is little beside them.
    record_successfully(folder / "t.cow", {python, kPythonWorkload, "--entries", "600000",
                                           "--processes", "2", "--read", order});
    const Json report = report_json(folder / "t.cow");
    check_sums(report);
    CAPTURE(report["owners"].dump(1).substr(0, 3000), report["notes"].dump(1));
    const auto counted = static_cast<double>(pages_of_cause(report, "refcount"));
    CHECK(counted >= 2 * 600'000 / 4096 * 64);
    CHECK(static_cast<double>(pages_of_owner(report, kValues, "refcount")) >= 0.95 * counted);
    // 300 different values.
    CHECK(has_advice(report, "intern", kValues));
}

void check_interned(const std::string& python) {
    CAPTURE(python);
    const TemporaryFolder folder;
    record_successfully(folder / "t.cow", {python, kPythonWorkload, "--entries", "100000",
                                           "--processes", "2", "--intern"});
    const Json report = report_json(folder / "t.cow");
    check_sums(report);
    CAPTURE(report["owners"].dump(1).substr(0, 3000));
    // Three hundred values lie on a handful of pages.
    CHECK(pages_of_owner(report, kValues, "refcount") <= 2 * 20);
    CHECK_FALSE(has_advice(report, "intern", kValues));
}

// Of the copies beyond what an idle child copies, at least 90 % belong to one of `owners`.
void check_owned(const std::string& python, const std::string& what,
                 const std::vector<std::string>& owners) {
    CAPTURE(python, what);
    const TemporaryFolder folder;
    record_successfully(folder / "t.cow", {python, kOwnedData, what, "40000"});
    const Json report = report_json(folder / "t.cow");
    check_sums(report);
    CAPTURE(report["owners"].dump(1).substr(0, 3000), report["notes"].dump(1));
    uint64_t owned = 0;
    for (const std::string& owner : owners) {
        // Two owners may share all of their pages, and then one of them is always first.
        CHECK(pages_with(report, owner) != 0);
        owned += pages_of_owner(report, owner, "refcount");
    }
    constexpr uint64_t kIdlePages = 200;
    CHECK(static_cast<double>(owned) >=
          0.9 * (static_cast<double>(pages_of_cause(report, "refcount")) - kIdlePages));
    // All of these are many, and different.
    CHECK(has_advice(report, "compact", owners.front()));
    // A str of 16 bytes takes a 64th part of a page at least.
    CHECK(owned >= 40'000 / 64);
}

// Reading the values copies the pages that they are on, and what else is on these. Where keys and
// values are of one size, that is the keys.
void check_beside(const std::string& python) {
    CAPTURE(python);
    const TemporaryFolder folder;
    const RunResult run =
        record_successfully(folder / "t.cow", {python, kOwnedData, "beside", "100000"});
    uint64_t of_values = 0;
    uint64_t with_keys = 0;
    REQUIRE(std::sscanf(run.out.c_str(), "%" SCNu64 " %" SCNu64, &of_values, &with_keys) == 2);
    const Json report = report_json(folder / "t.cow");
    check_sums(report);
    const uint64_t values = pages_with(report, "__main__.index (dict values)");
    const uint64_t keys = pages_with(report, "__main__.index (dict keys)");
    CAPTURE(of_values, with_keys, values, keys, report["notes"].dump(1));
    // Pages of the last bytes alone are not copied, and what else a child writes is.
    constexpr uint64_t kOtherPages = 200;
    CHECK(values >= of_values * 95 / 100);
    CHECK(values <= of_values + kOtherPages);
    CHECK(keys >= with_keys * 95 / 100);
    CHECK(keys <= with_keys + kOtherPages);
}

void check_version(const std::string& python) {
    check_string_map(python, "values");
    check_string_map(python, "key");
    check_interned(python);
    check_beside(python);
    check_owned(python, "nested", {"__main__.STORE['users'] (list items)"});
    check_owned(python, "class", {"__main__.Model.registry (dict values)"});
    check_owned(python, "attributes", {"__main__.settings (instance attributes)"});
    check_owned(python, "instances",
                {"__main__.rows (list items)", "__main__.rows[...] (instance attributes)"});
    check_owned(python, "keys", {"__main__.index (dict keys)"});
    check_owned(python, "mixed",
                {"__main__.index[...] (list items)", "__main__.index (dict values)"});
    check_owned(python, "local", {"__main__.of_function().local (list items)"});
}

#define COWSCOPE_CHECK_VERSION(version)                      \
    const std::string python = python_of_version(version);   \
    COWSCOPE_REQUIRE_INTERPRETER(python, "Python " version); \
    check_version(python)

}  // namespace

// A test of its own for each, so that a version that is missing is seen.
TEST_CASE("owners on Python 3.6", "[owners]") {
    COWSCOPE_CHECK_VERSION("3.6");
}
TEST_CASE("owners on Python 3.7", "[owners]") {
    COWSCOPE_CHECK_VERSION("3.7");
}
TEST_CASE("owners on Python 3.8", "[owners]") {
    COWSCOPE_CHECK_VERSION("3.8");
}
TEST_CASE("owners on Python 3.9", "[owners]") {
    COWSCOPE_CHECK_VERSION("3.9");
}
TEST_CASE("owners on Python 3.10", "[owners]") {
    COWSCOPE_CHECK_VERSION("3.10");
}
TEST_CASE("owners on Python 3.11", "[owners]") {
    COWSCOPE_CHECK_VERSION("3.11");
}
TEST_CASE("owners on Python 3.12", "[owners]") {
    COWSCOPE_CHECK_VERSION("3.12");
}
TEST_CASE("owners on Python 3.13", "[owners]") {
    COWSCOPE_CHECK_VERSION("3.13");
}
TEST_CASE("owners on Debian's Python", "[owners]") {
    const std::string python = debian_python();
    COWSCOPE_REQUIRE_INTERPRETER(python, "/usr/bin/python3");
    check_version(python);
}

TEST_CASE("owners on Debian's Python 3.13", "[owners]") {
    const std::string python = unpacked_python("trixie", "3.13");
    COWSCOPE_REQUIRE_INTERPRETER(python, "Python 3.13 of Debian trixie");
    check_version(python);
}
TEST_CASE("owners on Debian's Python 3.14", "[owners]") {
    const std::string python = unpacked_python("forky", "3.14");
    COWSCOPE_REQUIRE_INTERPRETER(python, "Python 3.14 of Debian forky");
    check_version(python);
}

TEST_CASE("a variable that nobody reads takes no names from others", "[owners]") {
    const std::string python = debian_python();
    COWSCOPE_REQUIRE_INTERPRETER(python, "/usr/bin/python3");
    const TemporaryFolder folder;
    record_successfully(folder / "t.cow", {python, kNamedOwners, "hidden", "100000"});
    const Json report = report_json(folder / "t.cow");
    check_sums(report);
    CAPTURE(report["owners"].dump(1).substr(0, 3000), report["notes"].dump(1));
    const auto counted = static_cast<double>(pages_of_cause(report, "refcount"));
    const std::string rows = "__main__.main().rows (list items)";
    CHECK(static_cast<double>(pages_of_owner(report, rows, "refcount")) >= 0.8 * counted);
}

TEST_CASE("the entries of a tree share one name", "[owners]") {
    const std::string python = debian_python();
    COWSCOPE_REQUIRE_INTERPRETER(python, "/usr/bin/python3");
    const TemporaryFolder folder;
    record_successfully(folder / "t.cow", {python, kNamedOwners, "tree", "30000"});
    const Json report = report_json(folder / "t.cow");
    check_sums(report);
    CAPTURE(report["owners"].dump(1).substr(0, 3000), report["notes"].dump(1));
    size_t of_tree = 0;
    for (const Json& row : report["owners"]) {
        if (contains(row["owner"].get<std::string>(), "__main__.TREE")) ++of_tree;
    }
    // Beside the entries the root's own keys, table and the like.
    CHECK(of_tree <= 5);
    CHECK(pages_with(report, "__main__.TREE[...]") >
          report["totals"]["copied_pages"].get<uint64_t>() / 2);
}

TEST_CASE("built-in types belong to the interpreter or their module", "[owners]") {
    with_each_python([](const std::string& python) {
        CAPTURE(python);
        const TemporaryFolder folder;
        record_successfully(folder / "t.cow", {python, kNamedOwners, "types", "0"});
        const Json report = report_json(folder / "t.cow");
        check_sums(report);
        CAPTURE(report["owners"].dump(1).substr(0, 3000));
        uint64_t inside_of_table = 0;
        for (const Json& row : report["owners"]) {
            const bool is_inside =
                contains(row["owner"].get<std::string>(), "__main__.Table.<inner>");
            if (is_inside) inside_of_table += row["pages"].get<uint64_t>();
        }
        // What the class itself has been given (__orig_bases__) is its own.
        CHECK(inside_of_table <= 4);
    });
}

// From 3.12 on nothing forks then.
TEST_CASE("an interpreter that is being taken down is no unknown one", "[owners]") {
    const std::string python = python_of_version("3.11");
    COWSCOPE_REQUIRE_INTERPRETER(python, "Python 3.11");
    const TemporaryFolder folder;
    record_successfully(folder / "t.cow", {python, kNamedOwners, "late", "0"});
    const Json report = report_json(folder / "t.cow");
    CAPTURE(report["notes"].dump(1));
    CHECK(report["totals"]["processes"] == 2);
    CHECK(find_note(report, {"unknown way"}).empty());
}

TEST_CASE("a dump has the looks at owners too", "[owners]") {
    const std::string python = debian_python();
    COWSCOPE_REQUIRE_INTERPRETER(python, "/usr/bin/python3");
    const TemporaryFolder folder;
    record_successfully(folder / "t.cow", {python, kOwnedData, "nested", "10000"});
    const RunResult dump = run_cowscope({"dump", folder / "t.cow"});
    CHECK(dump.status() == 0);
    CHECK(contains(dump.out, " look start_ns="));
    CHECK(contains(dump.out, "name=__main__.STORE['users'] (list items)"));
    CHECK(contains(dump.out, " ranges start="));
    CHECK_FALSE(contains(dump.out, "damaged"));
}

TEST_CASE("a bare LD_PRELOAD has no owners and says who finds them", "[owners]") {
    const std::string python = debian_python();
    COWSCOPE_REQUIRE_INTERPRETER(python, "/usr/bin/python3");
    const TemporaryFolder folder;
    RunOptions options;
    options.environment = {"LD_PRELOAD=" + kShim, "COWSCOPE_OUTPUT=" + (folder / "t.cow")};
    const RunResult run = run_program({python, kOwnedData, "nested", "10000"}, options);
    REQUIRE(run.status() == 0);
    const Json report = report_json(folder / "t.cow");
    CHECK(report["owners"].empty());
    CHECK(find_note(report, {"no owners", "cowscope record"}) != "");
}

TEST_CASE("a program without Python has no owners and no note of them", "[owners]") {
    const TemporaryFolder folder;
    record_successfully(folder / "t.cow", {kStringMap, "--entries", "20000", "--children", "2"});
    const Json report = report_json(folder / "t.cow");
    CHECK(report["totals"]["copied_pages"] > 0);
    CHECK(report["owners"].empty());
    CHECK(find_note(report, {"owners"}).empty());
}

// Owners are those of addresses that were written, which a census does not tell.
TEST_CASE("without a witness nobody looks for owners", "[owners]") {
    const std::string python = debian_python();
    COWSCOPE_REQUIRE_INTERPRETER(python, "/usr/bin/python3");
    const TemporaryFolder folder;
    const RunResult run =
        run_cowscope({"record", "-o", folder / "t.cow", "--witness", "off", "--", python,
                      kPythonWorkload, "--entries", "100000", "--processes", "2"});
    CAPTURE(run.err);
    REQUIRE(run.status() == 0);
    for (const auto& entry : std::filesystem::directory_iterator(folder / "t.cow")) {
        CHECK(entry.path().extension() != ".cowown");
    }
    const Json report = report_json(folder / "t.cow");
    CHECK(report["totals"]["copied_pages"] > 0);
    CHECK(report["owners"].empty());
    CHECK(find_note(report, {"owners"}).empty());
}

TEST_CASE("the text report names owners and what would help", "[owners]") {
    const std::string python = debian_python();
    COWSCOPE_REQUIRE_INTERPRETER(python, "/usr/bin/python3");
    const TemporaryFolder folder;
    record_successfully(folder / "t.cow",
                        {python, kPythonWorkload, "--entries", "100000", "--processes", "2"});
    const RunResult text = run_cowscope({"report", folder / "t.cow"});
    CAPTURE(text.out);
    CHECK(contains(text.out, kValues));
    CHECK(contains(text.out, "sys.intern"));
    CHECK(contains(text.out, "first writer"));
    const RunResult owners = run_cowscope({"report", folder / "t.cow", "--by", "owner"});
    CHECK(contains(owners.out, kValues));
    CHECK(contains(owners.out, "(unowned)"));
}
