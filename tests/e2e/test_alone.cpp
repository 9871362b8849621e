// What is written when nobody shares the pages any more is no copy, and hardly anything is spent on
// it; what is written while somebody does is one, however late. programs/last_owner.cpp knows.
#include <csignal>
#include <string>

#include "tests/catch.h"
#include "tests/e2e/cowscope_program.h"
#include "tests/e2e/report_json.h"
#include "tests/e2e/temporary_folder.h"

using namespace cowscope::e2e;

namespace {

constexpr uint64_t kPages = 4000;
// Of the C library and the loader, besides those that the program counts.
constexpr uint64_t kOtherPages = 64;
// The witness asks now and then whether it is still needed.
constexpr uint64_t kFaultsUntilAlone = 256;

struct Recorded {
    Json truth;
    Json report;
    Json process;  // the one that the truth is about
};

Recorded record_kind(const std::string& kind, const Words& more = {}, int status = 0,
                     const std::string& witness = "auto") {
    const TemporaryFolder folder;
    const std::string program = std::string(COWSCOPE_E2E_PROGRAMS) + "/last_owner";
    const RunResult run =
        run_cowscope(joined({"record", "--sample", "1", "--witness", witness, "-o",
                             folder / "t.cow", "--", program, kind, std::to_string(kPages)},
                            more));
    CAPTURE(kind, run.out, run.err);
    REQUIRE_FALSE(run.timed_out);
    REQUIRE(run.status() == status);
    Recorded recorded;
    recorded.truth = Json::parse(run.out);
    recorded.report = report_json(folder / "t.cow");
    check_consistent(recorded.report);
    for (const Json& process : recorded.report["processes"]) {
        if (process["pid"] == recorded.truth["pid"]) recorded.process = process;
    }
    REQUIRE_FALSE(recorded.process.is_null());
    CAPTURE(recorded.process.dump(1));
    const auto copied = recorded.process["copied_pages"].get<uint64_t>();
    CHECK(copied >= recorded.truth["copied"]);
    // Each fork of another thread has the same few pages copied once more.
    if (more.empty()) CHECK(copied <= recorded.truth["copied"].get<uint64_t>() + kOtherPages);
    return recorded;
}

}  // namespace

TEST_CASE("writes behind the end of all others are not looked at", "[alone]") {
    const Recorded recorded = record_kind("ended");
    CHECK(recorded.process["reused_pages"] < kFaultsUntilAlone);
    CHECK(recorded.process["census"] == "final");
    CHECK(recorded.process["alone_ns"].is_number());
}

TEST_CASE("a fork behind that begins anew", "[alone]") {
    const Recorded recorded = record_kind("anew");
    CHECK(recorded.process["reused_pages"] < kFaultsUntilAlone);
    CHECK(recorded.process["witnessed_pages"] >= kPages);
}

TEST_CASE("a grandchild that is left behind still shares", "[alone]") {
    const Recorded recorded = record_kind("grandchild");
    CHECK(recorded.process["witnessed_pages"] >= kPages);
    CHECK(recorded.process["alone_ns"].is_null());
}

TEST_CASE("one that is killed when it is alone lacks nothing", "[alone]") {
    const Recorded recorded = record_kind("killed", {}, 128 + SIGKILL);
    CHECK(recorded.process["census"] == "final");
    const std::string notes = recorded.report["notes"].dump();
    CHECK(notes.find("no copy is missing") != std::string::npos);
}

TEST_CASE("copies are not missed while another thread forks", "[alone]") {
    for (int round = 0; round < 5; ++round) record_kind("grandchild", {"--threads"});
}

TEST_CASE("without a witness, too, what is written behind the end of all others is no copy",
          "[alone]") {
    const std::string call =
        GENERATE(as<std::string>(), "wait", "waitpid", "wait3", "wait4", "waitid");
    CAPTURE(call);
    const Recorded recorded = record_kind("ended", {"--wait", call}, 0, "off");
    CHECK(recorded.process["copied_pages"] < kOtherPages);
    CHECK(recorded.process["census"] == "final");
    CHECK(recorded.process["alone_ns"].is_number());
}

TEST_CASE("without a witness, a grandchild that is left behind still shares", "[alone]") {
    const Recorded recorded = record_kind("grandchild", {}, 0, "off");
    CHECK(recorded.process["copied_pages"] >= kPages);
}

TEST_CASE("without a witness, a fork behind the end of all others begins anew", "[alone]") {
    const Recorded recorded = record_kind("anew", {}, 0, "off");
    CHECK(recorded.process["copied_pages"] >= kPages);
    CHECK(recorded.process["copied_pages"] <= kPages + kOtherPages);
}
