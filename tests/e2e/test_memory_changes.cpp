// Memory that changes while it is shared: what was copied stays counted, what is new is no copy.
// The programs know which pages the kernel copied (programs/account.h).
#include <string>

#include "tests/catch.h"
#include "tests/e2e/account_truth.h"
#include "tests/e2e/temporary_folder.h"

using namespace cowscope::e2e;

namespace {

// Of a process that is small, and of one so large that what is done to all of its memory shows.
const std::string kNoBallast = "0";
const std::string kBallast = "40000";  // pages

AccountRun record_case(const TemporaryFolder& folder, const std::string& program,
                       const std::string& name) {
    const Instruments instruments = GENERATE(Instruments::all, Instruments::census_only);
    const std::string ballast = GENERATE(kNoBallast, kBallast);
    return record_account_successfully(folder / "t.cow", {program_of_tests(program), name, ballast},
                                       instruments);
}

bool is_census_only(const AccountRun& recorded) {
    return recorded.instruments == Instruments::census_only;
}

AccountRun check_case(const std::string& program, const std::string& name) {
    const TemporaryFolder folder;
    AccountRun recorded = record_case(folder, program, name);
    CAPTURE(name, recorded.report["witness"].dump(), recorded.report["command"].dump());
    for (const int pid : recorded.account.writers()) {
        CHECK(row_of(recorded, pid)["census"] == "final");
        check_copies(recorded, pid);
        if (pid != recorded.account.root) check_fresh(recorded, pid);
    }
    return recorded;
}

}  // namespace

TEST_CASE("pages that are mapped after a fork are no copies", "[changes]") {
    check_case("memory_changes",
               GENERATE(std::string("map"), "read-before", "stack", "deep-stack"));
}

TEST_CASE("copies count although they are unmapped", "[changes]") {
    check_case("memory_changes",
               GENERATE(std::string("unmap"), "unmap-a-part", "shrink", "shrink-within-a-page"));
}

TEST_CASE("what comes to the place of inherited pages is no copy", "[changes]") {
    check_case("memory_changes", GENERATE(std::string("map-anew"), "map-over"));
}

TEST_CASE("what comes to the place of a few inherited pages is no copy", "[changes]") {
    check_case("renewed_memory", GENERATE(std::string("share-over"), "share-anew", "map-over",
                                          "map-anew", "move-over", "move-away", "attach-over",
                                          "syscall", "syscall-over", "discard-file"));
}

TEST_CASE("a process whose first thread has ended is seen like others", "[changes]") {
    check_case("renewed_memory", "first-thread-gone");
}

TEST_CASE("memory that a parent gets beside its own is no copy", "[changes]") {
    check_case("memory_changes", GENERATE(std::string("map-beside"), "parent-brk"));
}

// The census alone cannot see what libc gives up inside: it may have too little, never too much.
TEST_CASE("blocks that libc moves and frees keep their copies", "[changes]") {
    const std::string name = GENERATE(std::string("realloc"), "realloc-written", "free");
    const TemporaryFolder folder;
    const AccountRun recorded = record_case(folder, "memory_changes", name);
    CAPTURE(name, recorded.report["witness"].dump(), recorded.report["command"].dump());
    for (const int pid : recorded.account.writers()) {
        check_copies(recorded, pid, is_census_only(recorded) ? Bound::at_most : Bound::exact);
    }
}

TEST_CASE("pages that are moved are still inherited", "[changes]") {
    check_case("memory_changes", GENERATE(std::string("move"), "move-and-grow", "move-over",
                                          "move-and-leave", "move-back", "move-back-by-syscall"));
}

TEST_CASE("memory that grows is new at its end", "[changes]") {
    check_case("memory_changes", GENERATE(std::string("grow-in-place"), "brk"));
}

TEST_CASE("memory that is given back by advice comes back new", "[changes]") {
    check_case("memory_attributes", GENERATE(std::string("dontneed"), "free-lazily"));
}

TEST_CASE("memory that is kept from children is copied by nobody", "[changes]") {
    check_case("memory_attributes", GENERATE(std::string("dontfork"), "wipeonfork"));
}

// As glibc has it for its random numbers since 2.41: nothing that anybody has to be told of.
TEST_CASE("memory that the kernel may drop is copied by nobody", "[changes]") {
    const AccountRun recorded = check_case("memory_attributes", "droppable");
    if (recorded.account.figure("droppable") == 0) {
        WARN("SKIPPED: no MAP_DROPPABLE before Linux 6.11; nothing was tested with it");
    }
    for (const Json& note : recorded.report["notes"]) {
        CHECK(note.get<std::string>().find("could not be tracked") == std::string::npos);
    }
}

TEST_CASE("memory that is shared with children again is copied again", "[changes]") {
    check_case("memory_attributes", GENERATE(std::string("dofork"), "keeponfork"));
}

TEST_CASE("protection that comes and goes changes nothing about copies", "[changes]") {
    check_case("memory_attributes", GENERATE(std::string("read-only"), "read-only-and-back"));
}

TEST_CASE("a program's own guard pages work the same", "[changes]") {
    const std::string name = GENERATE(std::string("guard"), "new-guard");
    const RunResult alone = run_program({program_of_tests("memory_attributes"), name});
    REQUIRE(alone.status() == 0);
    const TemporaryFolder folder;
    const AccountRun recorded = record_case(folder, "memory_attributes", name);
    CAPTURE(name, recorded.report["witness"].dump(), recorded.report["command"].dump());
    CHECK(recorded.account.figure("guard faults") ==
          account_from(alone.out).figure("guard faults"));
    for (const int pid : recorded.account.writers()) {
        check_copies(recorded, pid);
        check_fresh(recorded, pid);
    }
}

TEST_CASE("memory that is shared on purpose is never copied", "[changes]") {
    check_case("memory_attributes", GENERATE(std::string("shared"), "memfd-shared", "file-shared"));
}

TEST_CASE("private pages of files are copied like others", "[changes]") {
    check_case("memory_attributes", GENERATE(std::string("file-private"), "memfd-private",
                                             "file-unwritten", "file-read-only", "image"));
}
