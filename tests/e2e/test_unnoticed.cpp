// What a program finds of its own descriptors, limits and filters is what it finds without
// cowscope.
#include <map>
#include <sstream>
#include <string>

#include "tests/catch.h"
#include "tests/e2e/cowscope_program.h"
#include "tests/e2e/report_json.h"
#include "tests/e2e/temporary_folder.h"

using namespace cowscope::e2e;

namespace {

const std::string kAsked = program_of_tests("asked_descriptors");
const std::string kTaken = program_of_tests("taken_limits");
const std::string kThreads = program_of_tests("many_threads");
const std::string kFiltered = program_of_tests("filtered_start");

// The numbers behind "...: ", a line each.
std::map<std::string, long> figures_of(const std::string& text) {
    std::map<std::string, long> figures;
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
        const size_t colon = line.find(": ");
        REQUIRE(colon != std::string::npos);
        figures[line.substr(0, colon)] = std::stol(line.substr(colon + 2));
    }
    return figures;
}

std::string note_with(const Json& report, const std::string& text) {
    for (const Json& note : report["notes"]) {
        if (contains(note.get<std::string>(), text)) return note.get<std::string>();
    }
    return {};
}

}  // namespace

TEST_CASE("a process that has not forked holds no descriptor of the shim's", "[hostile]") {
    const std::string name = GENERATE(std::string("start"), "exec");
    CAPTURE(name);
    const TemporaryFolder folder;
    const RunResult alone = run_program({kAsked, name});
    REQUIRE(alone.status() == 0);
    const RunResult recorded =
        run_cowscope({"record", "--quiet", "-o", folder / "t.cow", "--", kAsked, name});
    CHECK(recorded.status() == 0);
    CHECK(recorded.out == alone.out);
    // By the kernel's own account, too.
    CHECK(recorded.err == alone.err);
    CHECK(report_json(folder / "t.cow")["processes"][0]["exit"]["kind"] == "exit");
}

TEST_CASE("a process that has forked is not told of the shim's descriptors", "[hostile]") {
    const std::string witness = GENERATE(std::string("auto"), "off");
    CAPTURE(witness);
    const TemporaryFolder folder;
    const RunResult alone = run_program({kAsked, "fork"});
    REQUIRE(alone.status() == 0);
    const RunResult recorded = run_cowscope(
        {"record", "--quiet", "--witness", witness, "-o", folder / "t.cow", "--", kAsked, "fork"});
    CHECK(recorded.status() == 0);
    CHECK(recorded.out == alone.out);
    // There are some.
    CHECK(std::stol(recorded.err) > std::stol(alone.err));
}

TEST_CASE("no function of libc tells a process that has forked of the shim's descriptors",
          "[hostile]") {
    const std::string witness = GENERATE(std::string("auto"), "off");
    CAPTURE(witness);
    const TemporaryFolder folder;
    const std::string program = program_of_tests("every_descriptor_call");
    const RunResult alone = run_program({program});
    REQUIRE(alone.status() == 0);
    const RunResult recorded = run_cowscope(
        {"record", "--quiet", "--witness", witness, "-o", folder / "t.cow", "--", program});
    CHECK(recorded.status() == 0);
    const auto lines_of = [](const std::string& text) {
        std::istringstream in(text);
        Words lines;
        for (std::string line; std::getline(in, line);) lines.push_back(line);
        return lines;
    };
    const Words lines = lines_of(recorded.out);
    const Words expected = lines_of(alone.out);
    REQUIRE(lines.size() == expected.size());
    std::string differing;
    for (size_t i = 0; i < lines.size(); ++i) {
        if (lines[i] != expected[i]) differing += lines[i] + "\n";
    }
    CHECK(differing == "");
    // There are some, and the program has one that is found.
    CHECK(std::stol(recorded.err) > std::stol(alone.err));
    CHECK(contains(alone.out, "\nread: 5"));
    CHECK(contains(alone.out, "\nreadlink: 5"));
}

TEST_CASE("of what is no memory libc's functions of files say what they say without", "[hostile]") {
    const TemporaryFolder folder;
    const std::string program = program_of_tests("bad_arguments");
    const RunResult alone = run_program({program});
    REQUIRE(alone.status() == 0);
    const RunResult recorded =
        run_cowscope({"record", "--quiet", "-o", folder / "t.cow", "--", program});
    CHECK(recorded.status() == 0);
    CHECK(recorded.out == alone.out);
}

TEST_CASE("threads can be cancelled in calls that wait, as without", "[hostile]") {
    const std::string witness = GENERATE(std::string("auto"), "off");
    CAPTURE(witness);
    const TemporaryFolder folder;
    const std::string program = program_of_tests("cancelled_calls");
    const RunResult alone = run_program({program});
    REQUIRE(alone.status() == 0);
    const RunResult recorded = run_cowscope(
        {"record", "--quiet", "--witness", witness, "-o", folder / "t.cow", "--", program});
    CHECK(recorded.status() == 0);
    CHECK(recorded.out == alone.out);
    CHECK_FALSE(contains(alone.out, "went on"));
}

TEST_CASE("what a program locks of its memory is no more than without", "[hostile]") {
    const std::string name = GENERATE(std::string("locked"), "locked-later", "locked-on-fault");
    CAPTURE(name);
    const TemporaryFolder folder;
    const RunResult alone = run_program({kTaken, name});
    CAPTURE(alone.err);
    if (alone.status() == 97) {
        WARN("SKIPPED: this user may not lock memory");
        return;
    }
    REQUIRE(alone.status() == 0);
    const RunResult run =
        run_cowscope({"record", "--quiet", "-o", folder / "t.cow", "--", kTaken, name});
    CAPTURE(alone.out, run.out, run.err);
    REQUIRE(run.status() == 0);
    // The shim's library is locked like any other.
    constexpr long kLibraryKb = 1024;
    const auto with = figures_of(run.out);
    for (const auto& [what, kb] : figures_of(alone.out)) {
        CAPTURE(what);
        CHECK(with.at(what) <= kb + kLibraryKb);
    }
}

TEST_CASE("of what a limit leaves the shim takes a small part", "[hostile]") {
    const std::string name = GENERATE(std::string("address-space"), "address-space-later", "data");
    CAPTURE(name);
    const TemporaryFolder folder;
    const RunResult alone = run_program({kTaken, name});
    REQUIRE(alone.status() == 0);
    const RunResult run =
        run_cowscope({"record", "--quiet", "-o", folder / "t.cow", "--", kTaken, name});
    CAPTURE(alone.out, run.out, run.err);
    REQUIRE(run.status() == 0);
    const auto with = figures_of(run.out);
    for (const auto& [what, kb] : figures_of(alone.out)) {
        CAPTURE(what);
        CHECK(with.at(what) >= kb - kb / 8);
    }
    // It is recorded all the same.
    const Json report = report_json(folder / "t.cow");
    CHECK(report["totals"]["copied_pages"] >= 256);
}

// This is what vm.overcommit_memory = 2 charges.
TEST_CASE("little of the shim's memory is accessible ahead of use", "[hostile]") {
    const TemporaryFolder folder;
    const RunResult alone = run_program({kTaken, "accessible"});
    const RunResult run =
        run_cowscope({"record", "--quiet", "-o", folder / "t.cow", "--", kTaken, "accessible"});
    CAPTURE(alone.out, run.out);
    REQUIRE(run.status() == 0);
    const auto with = figures_of(run.out);
    for (const auto& [what, kb] : figures_of(alone.out)) {
        CAPTURE(what);
        CHECK(with.at(what) <= kb + 1024);
    }
}

// The shim's own mappings do not stand where the program may map something again.
TEST_CASE("addresses that the program has unmapped stay free for it", "[hostile]") {
    const std::string witness = GENERATE(std::string("auto"), "off");
    CAPTURE(witness);
    const TemporaryFolder folder;
    const Words program = {program_of_tests("reused_addresses")};
    const RunResult alone = run_program(program);
    REQUIRE(alone.status() == 0);
    REQUIRE(alone.out == "taken: 0 and 0\n");
    const Words record = {"record", "--quiet", "--witness", witness, "-o", folder / "t.cow", "--"};
    const RunResult run = run_cowscope(joined(record, program));
    CAPTURE(run.err);
    CHECK(run.status() == 0);
    CHECK(run.out == alone.out);
    const Json report = report_json(folder / "t.cow");
    CHECK(processes_of(report, "fork").at(0)["copied_pages"] >= 128);
}

// What the shim wrote there would be a copy that the program does not make.
TEST_CASE("the page of errno is untouched where the program leaves it alone", "[hostile]") {
    const std::string witness = GENERATE(std::string("auto"), "off");
    CAPTURE(witness);
    const TemporaryFolder folder;
    RunOptions options;
    // The kernel writes the CPU's number to a thread's own memory (rseq(2)).
    options.environment = {"GLIBC_TUNABLES=glibc.pthread.rseq=0"};
    const Words program = {program_of_tests("errno_page")};
    const RunResult alone = run_program(program, options);
    REQUIRE(alone.status() == 0);
    if (alone.out == "unknown\n") {
        WARN("SKIPPED: this kernel cannot be asked");
        return;
    }
    REQUIRE(alone.out == "untouched\n");
    const Words record = {"record", "--quiet", "--witness", witness, "-o", folder / "t.cow", "--"};
    const RunResult run = run_cowscope(joined(record, program), options);
    CAPTURE(run.err);
    CHECK(run.status() == 0);
    CHECK(run.out == "untouched\n");
}

TEST_CASE("many threads leave most descriptors to the program", "[hostile]") {
    const auto [threads, descriptors] =
        GENERATE(std::pair(60, 4096), std::pair(200, 256), std::pair(520, 4096));
    CAPTURE(threads, descriptors);
    const TemporaryFolder folder;
    const Words program = {kThreads, std::to_string(threads), std::to_string(descriptors)};
    const RunResult alone = run_program(program);
    REQUIRE(alone.status() == 0);
    const RunResult run =
        run_cowscope(joined({"record", "--quiet", "-o", folder / "t.cow", "--"}, program));
    CAPTURE(run.err);
    REQUIRE(run.status() == 0);
    const long without = std::stol(alone.out);
    CHECK(std::stol(run.out) >= without - descriptors / 4 - 8);
    const Json report = report_json(folder / "t.cow");
    check_consistent(report);
    if (report["witness"] != "trap") {
        WARN("SKIPPED: there is no witness here");
        return;
    }
    uint64_t by_main = 0;
    uint64_t by_threads = 0;
    for (const Json& site : report["sites"]) {
        const std::string function = site["function"];
        if (contains(function, "store_in_main")) by_main += site["pages"].get<uint64_t>();
        if (contains(function, "store_in_thread")) by_threads += site["pages"].get<uint64_t>();
    }
    CHECK(by_main == 64);
    const std::string note = note_with(report, "does not watch");
    const uint64_t pages_of_threads = 4 * static_cast<uint64_t>(threads);
    CHECK(report["totals"]["copied_pages"] >= 64 + pages_of_threads);
    if (threads < 64) {
        CHECK(note.empty());
        CHECK(by_threads == pages_of_threads);
        return;
    }
    REQUIRE_FALSE(note.empty());
    const size_t at = note.find("does not watch ") + std::string("does not watch ").size();
    const uint64_t unseen = std::stoul(note.substr(at));
    CHECK(by_threads == pages_of_threads - 4 * unseen);
    // The kernel did not write what nobody saw.
    for (const Json& cause : report["causes"]) {
        if (cause["cause"] == "kernel") CHECK(cause["pages"] == 0);
        if (cause["cause"] == "unknown") CHECK(cause["pages"] >= 4 * unseen);
    }
}

TEST_CASE("a filter that was there before kills for no call of the shim's", "[hostile]") {
    const Words program = GENERATE(Words{"/bin/true"}, Words{"/bin/sh", "-c", "(x=1; :); exit 3"});
    CAPTURE(program);
    const TemporaryFolder folder;
    const RunResult alone = run_program(joined({kFiltered, "--"}, program));
    REQUIRE(alone.status() == 0);
    CHECK(contains(alone.out, "1: "));
    const std::string preload = "LD_PRELOAD=" + kShim;
    const std::string output = "COWSCOPE_OUTPUT=" + (folder / "t.cow");
    const RunResult recorded = run_program(joined({kFiltered, preload, output, "--"}, program));
    REQUIRE(recorded.status() == 0);
    CHECK(recorded.out == alone.out);
    // Most filters kill for what nobody calls: under these the program is recorded once it forks.
    if (program.size() > 1) CHECK(report_json(folder / "t.cow")["processes"].size() >= 400);
}

TEST_CASE("a program under the recorder's own filter is recorded from its start", "[hostile]") {
    const TemporaryFolder folder;
    // One that allows all; of a shell that becomes the recorder.
    const RunResult run =
        run_program({program_of_tests("under_filter"), kCowscope, "record", "--quiet", "-o",
                     folder / "t.cow", "--", "/bin/sh", "-c", "/bin/true; exit 3"});
    CAPTURE(run.err);
    CHECK(run.status() == 3);
    CHECK(report_json(folder / "t.cow")["processes"].size() >= 2);
}
