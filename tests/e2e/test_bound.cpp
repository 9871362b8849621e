// `--max-trace`: a server that goes on for long does not fill the disk, and what it copies behind
// the bound is counted. The truth is what the server knows of its own writes.
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>

#include "tests/catch.h"
#include "tests/e2e/bounded_trace.h"
#include "tests/e2e/cowscope_program.h"
#include "tests/e2e/pythons.h"
#include "tests/e2e/report_json.h"
#include "tests/e2e/temporary_folder.h"

using namespace cowscope::e2e;
namespace fs = std::filesystem;

namespace {

constexpr uint64_t kMiB = uint64_t{1} << 20;
const std::string kServer = program_of_tests("prefork_server");
const std::string kPythonServer = COWSCOPE_SOURCE_DIR "/tests/e2e/programs/prefork_server.py";
const std::string kLateModuleServer =
    COWSCOPE_SOURCE_DIR "/tests/e2e/programs/late_module_server.py";
const std::string kManyPlacesServer =
    COWSCOPE_SOURCE_DIR "/tests/e2e/programs/many_places_server.py";
// Of each worker: what libc and the fork itself write, in it and in the server.
constexpr uint64_t kOtherPages = 40;

}  // namespace

TEST_CASE("a trace keeps to its bound, and what comes later is counted", "[bound]") {
    const Words options = GENERATE(Words{}, Words{"--kill", "3"}, Words{"--threads", "3"},
                                   Words{"--lived", "20"}, Words{"--read", "10"},
                                   Words{"--exec", "5", "--status", "7"}, Words{"--own", "200"});
    CAPTURE(options);
    const TemporaryFolder folder;
    const std::string trace = folder.path().string() + "/t.cow";
    const Words program = joined({kServer}, options);

    const RunResult alone = run_program(program);
    const RunResult unbounded = record(folder.path().string() + "/all.cow", program);
    CHECK(unbounded.out == alone.out);
    REQUIRE(bytes_in(folder.path().string() + "/all.cow") > 3 * kMiB);
    CHECK(files_named(folder.path().string() + "/all.cow", "bound") == 0);
    CHECK(files_named(folder.path().string() + "/all.cow", "later") == 0);

    const RunResult run = run_cowscope(bounded(trace, "1M", program));
    CAPTURE(run.err);
    CHECK(run.out == alone.out);
    CHECK(run.status() == alone.status());
    CHECK(contains(run.err, "reached its bound of 1048576 bytes"));
    CHECK(bytes_in(trace) <= kMiB);

    const Json truth = Json::parse(run.out);
    const Json report = report_json(trace);
    const Json& after = report["after_bound"];
    REQUIRE(after.is_object());
    CHECK(number(after, "limit_bytes") == kMiB);
    CHECK(number(after, "reached_ns") > 0);
    CHECK(number(after, "reached_ns") < number(report, "duration_ns"));
    check_place(report, "one_place", number(truth, "one"));
    check_place(report, "other_place", number(truth, "other"));
    check_place(report, "lived_place", number(truth, "lived"));
    check_place(report, "own_place", 0);
    CHECK(pages_of(report, "one_place").later > pages_of(report, "one_place").before);
    const uint64_t by_kernel = number(after, "by_kernel");
    CHECK(by_kernel <= number(truth, "read"));
    CHECK((by_kernel > number(truth, "read") / 2) == (number(truth, "read") != 0));

    const uint64_t written = number(truth, "one") + number(truth, "other") +
                             number(truth, "lived") + number(truth, "read");
    const uint64_t counted = number(report["totals"], "copied_pages") + number(after, "copies");
    CHECK(counted >= written);
    CHECK(counted - written <= kOtherPages * number(truth, "workers"));
    // libc blocks all signals while a thread begins (nptl/pthread_create.c): where that copied two
    // pages, one is only counted.
    const uint64_t threads = !options.empty() && options[0] == "--threads" ? 3 : 0;
    const uint64_t late = number(after, "late");
    CHECK(number(after, "witnessed") + by_kernel + late == number(after, "copies"));
    CHECK(late <= threads * number(truth, "workers"));
    CHECK(number(after, "processes_without_witness") == 0);
    // Each worker is either told of or counted; a few, and the server, are both.
    const uint64_t forked = processes_of(report, "fork").size();
    CHECK(forked < number(truth, "workers") / 2);
    CHECK(forked + number(after, "processes") >= number(truth, "workers"));
    // system(3) runs the program in a shell.
    const bool has_programs = std::find(options.begin(), options.end(), "--exec") != options.end();
    CHECK((number(after, "programs_not_recorded") != 0) == has_programs);
    for (const Json& process : report["processes"]) {
        CAPTURE(process.dump(1));
        CHECK(process["lost_events"] <= threads);
    }
    CHECK(find_note(report, {"reached its bound of 1M"}).size() > 0);
    CHECK(find_note(report, {"damaged"}).empty());
    CHECK(find_note(report, {"no trace"}).empty());
}

TEST_CASE("behind the bound a sample is an estimate, and without a witness nothing is known",
          "[bound]") {
    const TemporaryFolder folder;
    const std::string trace = folder.path().string() + "/t.cow";
    const auto record_with = [&](const Words& options) {
        const Words command = joined({"record", "--max-trace", "1M", "-o", trace}, options);
        return run_cowscope(joined(command, {"--", kServer}));
    };
    SECTION("sampled") {
        const RunResult run = record_with({"--sample", "8"});
        REQUIRE(run.status() == 0);
        const Json truth = Json::parse(run.out);
        const Json report = report_json(trace);
        const Json& after = report["after_bound"];
        CAPTURE(after.dump(1));
        // What was held back for a while has lost its place, and counts as the eight that it stands
        // for. It is seldom, and none in most runs.
        const uint64_t late = number(after, "late");
        const uint64_t by_kernel = number(after, "by_kernel");
        CHECK(number(after, "copies") == 8 * number(after, "witnessed") + late + by_kernel);
        CHECK((late + by_kernel) * 100 <= number(after, "copies"));
        CHECK_FALSE(find_note(report, {"an estimate"}).empty());
        const Pages one = pages_of(report, "one_place");
        const auto known = static_cast<double>(number(truth, "one") - one.before);
        // Six deviations of some 3000 events.
        CHECK(std::abs(static_cast<double>(one.later) - known) < 0.11 * known);
    }
    SECTION("without a witness") {
        const RunResult run = record_with({"--witness", "off"});
        REQUIRE(run.status() == 0);
        CHECK(bytes_in(trace) <= kMiB);
        const Json report = report_json(trace);
        const Json& after = report["after_bound"];
        CHECK(number(after, "copies") == 0);
        CHECK(number(after, "processes") > 20);
        CHECK(number(after, "processes_without_witness") == number(after, "processes"));
        CHECK_FALSE(find_note(report, {"had no witness"}).empty());
        CHECK(run_cowscope({"check", trace, "--max-copied", "1G"}).status() == 2);
    }
}

TEST_CASE("who lives through the bound is counted on both sides of it", "[bound]") {
    const TemporaryFolder folder;
    const std::string trace = folder.path().string() + "/t.cow";
    const Words program = {kServer, "--lived", "100", "--rounds", "200", "--pages", "100"};
    const RunResult run = run_cowscope(bounded(trace, "1M", program));
    CAPTURE(run.err);
    REQUIRE(run.status() == 0);
    const Json report = report_json(trace);
    const Pages lived = pages_of(report, "lived_place");
    CHECK(lived.before > 0);
    CHECK(lived.later > 0);
    CHECK(lived.before + lived.later == number(Json::parse(run.out), "lived"));
    const RunResult dump = run_cowscope({"dump", trace});
    CHECK(contains(dump.out, "kind=bound"));
    CHECK(contains(dump.out, "bound limit_bytes=1048576"));
    CHECK(contains(dump.out, " later copies="));
    CHECK_FALSE(contains(dump.out, "damaged"));
}

TEST_CASE("run and the text report say that the bound was reached", "[bound]") {
    const TemporaryFolder folder;
    const std::string trace = folder.path().string() + "/t.cow";
    const RunResult run = run_cowscope({"run", "--max-trace", "1M", "-o", trace, "--", kServer});
    CAPTURE(run.err);
    REQUIRE(run.status() == 0);
    CHECK(contains(run.err, "After the bound was reached"));
    CHECK(contains(run.err, "one_place (prefork_server.cpp:"));
    CHECK(contains(run.err, "the trace reached its bound of 1M (--max-trace)"));
    CHECK(contains(run.err, "reached its bound of 1048576 bytes; what was copied later"));
    CHECK(run_cowscope({"html", trace, "-o", folder.path().string() + "/p.html"}).status() == 0);
    // All copies count for a limit; what is not known one by one cannot be checked.
    const Json report = report_json(trace);
    const uint64_t pages =
        number(report["totals"], "copied_pages") + number(report["after_bound"], "copies");
    const auto limit = [](uint64_t count) { return std::to_string(count * 4096); };
    CHECK(run_cowscope({"check", trace, "--max-copied", limit(pages)}).status() == 0);
    CHECK(run_cowscope({"check", trace, "--max-copied", limit(pages - 1)}).status() == 1);
    CHECK(run_cowscope({"check", trace, "--max-per-process", limit(pages)}).status() == 2);
}

TEST_CASE("a bound that is not reached changes nothing", "[bound]") {
    const TemporaryFolder folder;
    const std::string trace = folder.path().string() + "/t.cow";
    const RunResult run = run_cowscope(bounded(trace, "64M", {kServer, "--rounds", "10"}));
    REQUIRE(run.status() == 0);
    CHECK_FALSE(contains(run.err, "bound"));
    const Json truth = Json::parse(run.out);
    const Json report = report_json(trace);
    CHECK_FALSE(report.contains("after_bound"));
    CHECK(pages_of(report, "one_place").before == number(truth, "one"));
    CHECK(pages_of(report, "other_place").before == number(truth, "other"));
    CHECK(processes_of(report, "fork").size() == 10);
}

TEST_CASE("the preloaded library alone keeps to a bound", "[bound]") {
    const TemporaryFolder folder;
    const std::string trace = folder.path().string() + "/t.cow";
    RunOptions options;
    options.environment = {"LD_PRELOAD=" + kShim, "COWSCOPE_OUTPUT=" + trace,
                           "COWSCOPE_MAX_TRACE=1M"};
    const RunResult run = run_program({kServer}, options);
    REQUIRE(run.status() == 0);
    CHECK(run.err.empty());
    CHECK(bytes_in(trace) <= kMiB);
    const Json truth = Json::parse(run.out);
    const Json report = report_json(trace);
    check_place(report, "one_place", number(truth, "one"));
    check_place(report, "other_place", number(truth, "other"));

    options.environment.back() = "COWSCOPE_MAX_TRACE=1k";
    options.environment[1] += "2";
    const RunResult refused = run_program({kServer}, options);
    CHECK(refused.out == run.out);
    CHECK(refused.err ==
          "cowscope: cannot record: COWSCOPE_MAX_TRACE is no size of at least 1M, as in 512M, 2G "
          "or 1500000\n");
}

TEST_CASE("a server that is killed behind the bound leaves its counts", "[bound]") {
    const TemporaryFolder folder;
    const std::string trace = folder.path().string() + "/t.cow";
    // The server's parent ends it in the midst of a worker, with all others.
    const std::string script =
        kServer +
        " --rounds 100000 & server=$!; until [ \"$(find \"$COWSCOPE_OUTPUT\" "
        "-name 'process-*' | wc -l)\" -gt 12 ]; do sleep 0.1; done; sleep 0.5; "
        "kill -9 $server; wait $server; exit 0";
    const RunResult run = run_cowscope(bounded(trace, "1M", {"/bin/sh", "-c", script}));
    CAPTURE(run.err);
    REQUIRE(run.status() == 0);
    CHECK(bytes_in(trace) <= kMiB);
    const Json report = report_json(trace);
    const Pages one = pages_of(report, "one_place");
    const Pages other = pages_of(report, "other_place");
    CHECK(one.later > one.before);
    // Three to one, but for what the last worker had not written yet.
    const auto ratio = static_cast<double>(one.later) / static_cast<double>(other.later);
    CHECK(ratio > 2.95);
    CHECK(ratio < 3.05);
    CHECK(find_note(report, {"damaged"}).empty());
}

TEST_CASE("a program whose bounded trace is deleted goes on as if nothing were", "[bound]") {
    const TemporaryFolder folder;
    const std::string trace = folder.path().string() + "/t.cow";
    const std::string script = kServer +
                               " --rounds 300 & server=$!; sleep 0.1; rm -rf \"$COWSCOPE_OUTPUT\"; "
                               "wait $server";
    const RunResult run = run_cowscope(bounded(trace, "1M", {"/bin/sh", "-c", script}));
    CAPTURE(run.err);
    CHECK(run.status() == 0);
    CHECK(run.out == run_program({kServer, "--rounds", "300"}).out);
    CHECK(contains(run.err, "was deleted"));
    CHECK_FALSE(fs::exists(trace));
}

TEST_CASE("a Python server's lines are named behind the bound", "[bound]") {
    const std::string python = GENERATE(pyenv_python_3_11(), debian_python());
    if (python.empty()) {
        WARN("SKIPPED: no such Python on this machine; nothing was tested with it");
        return;
    }
    const TemporaryFolder folder;
    const std::string trace = folder.path().string() + "/t.cow";
    const Words program = {python, kPythonServer, "60", "20000"};
    const RunResult run = run_cowscope(bounded(trace, "2M", program));
    CAPTURE(python, run.err);
    REQUIRE(run.status() == 0);
    CHECK(run.out == "served\n");
    CHECK(bytes_in(trace) <= 2 * kMiB);
    const Json report = report_json(trace);
    const Json& after = report["after_bound"];
    REQUIRE(after.is_object());
    REQUIRE(after["sites"].size() > 1);
    const Json& first = after["sites"][0];
    CAPTURE(first.dump(1));
    // The values are about 20000 * 56 bytes large.
    CHECK(first["share"].get<double>() > 0.3);
    REQUIRE(first["python"].size() >= 2);
    CHECK(first["python"][0]["function"] == "read_all");
    CHECK(first["python"][0]["line"] == 12);
    CHECK(contains(first["python"][0]["file"].get<std::string>(), "prefork_server.py"));
    CHECK(first["python"][1]["function"] == "<module>");
}

TEST_CASE("a place that copies much is named however many places came before it", "[bound]") {
    const std::string python = pyenv_python_3_11();
    if (python.empty()) {
        WARN("SKIPPED: no Python 3.11 on this machine; nothing was tested with it");
        return;
    }
    const TemporaryFolder folder;
    const std::string trace = folder.path().string() + "/t.cow";
    constexpr double kRounds = 60;
    constexpr double kPages = 400;
    // More places than any table has slots.
    const Words program = {python, kManyPlacesServer, "60", "1500", "400"};
    const RunResult run = run_cowscope(bounded(trace, "1M", program));
    CAPTURE(run.err);
    REQUIRE(run.status() == 0);
    CHECK(run.out == "served\n");
    CHECK(bytes_in(trace) <= kMiB);
    const Json report = report_json(trace);
    const Json& after = report["after_bound"];
    REQUIRE(after.is_object());
    // There were too many: else this tests nothing.
    CHECK(after["without_site"].get<double>() > 1500 * kRounds / 2);
    // Nobody had run it before the bound, and by then most room for names was taken.
    CHECK(pages_of(report, "copy_many").before == 0);
    const auto site = std::find_if(
        after["sites"].begin(), after["sites"].end(),
        [](const Json& one) { return !one["python"].empty() && one["python"][0]["line"] == 19; });
    REQUIRE(site != after["sites"].end());
    CAPTURE(site->dump(1));
    CHECK((*site)["python"][0]["function"] == "copy_many");
    // The first events of a place may not find a slot.
    CHECK((*site)["copies"].get<double>() > 0.9 * kPages * kRounds / 2);
    CHECK((*site)["copies"].get<double>() < 1.1 * kPages * kRounds / 2);
}

TEST_CASE("functions that nobody ran before the bound are named behind it", "[bound]") {
    const std::string version =
        GENERATE(as<std::string>{}, "3.6", "3.7", "3.8", "3.9", "3.10", "3.11", "3.12", "3.13");
    const std::string python = python_of_version(version);
    if (python.empty()) {
        WARN("SKIPPED: no Python " << version << " on this machine; nothing was tested with it");
        return;
    }
    const TemporaryFolder folder;
    const std::string trace = folder.path().string() + "/t.cow";
    const std::string module = folder.path().string() + "/late_module.py";
    std::ofstream(module) << "# read by each worker\n\n"
                             "def read_late(values):\n"
                             "    total = 0\n"
                             "    for value in values:\n"
                             "        total += len(value)\n"
                             "    return total\n";
    const RunResult run =
        run_cowscope(bounded(trace, "1M", {python, kLateModuleServer, "40", "20000", module}));
    CAPTURE(python, run.err);
    REQUIRE(run.status() == 0);
    CHECK(run.out == "served\n");
    CHECK(bytes_in(trace) <= kMiB);
    const Json report = report_json(trace);
    for (const Json& site : report["sites"]) {
        for (const Json& frame : site["python"]) CHECK(frame["function"] != "read_late");
    }
    const Json& after = report["after_bound"];
    REQUIRE(after.is_object());
    const Json& first = after["sites"][0];
    CAPTURE(first.dump(1));
    REQUIRE(first["python"].size() >= 2);
    CHECK(first["python"][0]["function"] == "read_late");
    CHECK(first["python"][0]["line"] == 5);
    CHECK(first["python"][0]["file"] == module);
    CHECK(first["python"][1]["function"] == "<module>");
    CHECK(find_note(report, {"damaged"}).empty());
}
