// Programs that close and reuse descriptors which they do not know.
#include <string>

#include "tests/catch.h"
#include "tests/e2e/account_truth.h"
#include "tests/e2e/temporary_folder.h"
#include "tests/e2e/tree_truth.h"

using namespace cowscope::e2e;

namespace {

const std::string kDescriptors = program_of_tests("hostile_descriptors");

}  // namespace

TEST_CASE("a program that closes all descriptors is tracked to its end", "[hostile]") {
    const std::string name =
        GENERATE(std::string("close"), "closefrom", "close-range", "close-range-unshared",
                 "close-by-syscall", "close-range-by-syscall");
    CAPTURE(name);
    const TemporaryFolder folder;
    const AccountRun recorded = check_case(folder, kDescriptors, name, any_instruments());
    CHECK(recorded.report["notes"].empty());
}

TEST_CASE("a program that takes every number is tracked to its end", "[hostile]") {
    const std::string name = GENERATE(std::string("dup2"), "dup3", "dup2-by-syscall");
    CAPTURE(name);
    const TemporaryFolder folder;
    const AccountRun recorded = record_case(folder, kDescriptors, name, Instruments::all);
    CHECK(recorded.report["notes"].empty());
    for (const int pid : recorded.account.writers()) check_copies(recorded, pid);
}

TEST_CASE("descriptors that are closed behind the shim's back become the program's", "[hostile]") {
    const TemporaryFolder folder;
    const AccountRun recorded = record_case(folder, kDescriptors, "system-call", any_instruments());
    CHECK_FALSE(find_note(recorded.report, {"closed cowscope's own files"}).empty());
    if (recorded.instruments == Instruments::census_only) return;
    for (const int pid : recorded.account.writers()) check_copies(recorded, pid, Bound::at_least);
}

TEST_CASE("a daemon that closes everything before its first fork is recorded", "[hostile]") {
    const TemporaryFolder folder;
    const AccountRun recorded =
        check_case(folder, kDescriptors, "before-the-first-fork", any_instruments());
    CHECK(recorded.account.writers().size() == 3);
}

TEST_CASE("with few descriptors or none the program works as ever", "[hostile]") {
    const std::string name = GENERATE(std::string("few"), "none");
    CAPTURE(name);
    const TemporaryFolder folder;
    const AccountRun recorded = record_case(folder, kDescriptors, name, Instruments::all);
    if (name == "none") CHECK_FALSE(find_note(recorded.report, {"Too many open files"}).empty());
}
