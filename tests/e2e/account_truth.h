// The accounts that programs/account.h prints, and what a trace and its report have to say for
// them.
#pragma once

#include <sys/wait.h>

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "tests/catch.h"
#include "tests/e2e/copied_pages.h"
#include "tests/e2e/cowscope_program.h"
#include "tests/e2e/report_json.h"
#include "tests/e2e/truth.h"

namespace cowscope::e2e {

struct Account {
    int root = 0;
    Json json;

    // Of a process's writes: how many pages, and which.
    uint64_t count(int pid, const std::string& kind) const {
        uint64_t pages = 0;
        for (const Json& row : json["written"]) {
            if (row["pid"] == pid && row["kind"] == kind) pages += row["pages"].get<uint64_t>();
        }
        return pages;
    }
    Pages pages(int pid, const std::string& kind) const {
        constexpr uint64_t kPageBytes = 4096;
        Pages all;
        for (const Json& row : json["written"]) {
            if (row["pid"] != pid || row["kind"] != kind) continue;
            const uint64_t step_bytes = row["step"].get<uint64_t>() * kPageBytes;
            for (uint64_t i = 0; i < row["pages"].get<uint64_t>(); ++i) {
                all.insert(row["start"].get<uint64_t>() + i * step_bytes);
            }
        }
        return all;
    }
    // The processes that wrote anything.
    std::set<int> writers() const {
        std::set<int> pids;
        for (const Json& row : json["written"]) pids.insert(row["pid"].get<int>());
        return pids;
    }
    // As often as it was noted, by any process.
    std::vector<int64_t> figures(const std::string& name) const {
        std::vector<int64_t> values;
        for (const Json& row : json["figures"]) {
            if (row["name"] == name) values.push_back(row["value"].get<int64_t>());
        }
        return values;
    }
    int64_t figure(const std::string& name) const {
        const std::vector<int64_t> values = figures(name);
        CAPTURE(name);
        REQUIRE(values.size() == 1);
        return values[0];
    }
};

inline Account account_from(const std::string& text) {
    Account account;
    account.json = Json::parse(text, nullptr, false);
    CAPTURE(text);
    REQUIRE_FALSE(account.json.is_discarded());
    account.root = account.json["root"].get<int>();
    return account;
}

// No child found itself to be wrong about its memory.
inline void check_children_succeeded(const Account& account, const RunResult& run) {
    CAPTURE(run.err);
    for (const Json& child : account.json["children"]) CHECK(child["wait_status"] == 0);
}

enum class Instruments { all, census_only };

struct AccountRun {
    Account account;
    Json report;
    Instruments instruments;
    std::string folder;
};

// A whole run takes seconds; a program that cannot go on would take the test's time for ever.
inline constexpr std::chrono::seconds kLongestRun{60};

// `options`: more of `cowscope record`.
inline RunResult record_account(const std::string& folder, const Words& program,
                                Instruments instruments, const Words& options = {}) {
    Words command = joined({"record", "-o", folder}, options);
    if (instruments == Instruments::census_only) command = joined(command, {"--witness", "off"});
    RunOptions run_options;
    run_options.timeout = kLongestRun;
    return run_cowscope(joined(joined(command, {"--"}), program), run_options);
}

// Records a program that ends with status 0 and prints its account.
inline AccountRun record_account_successfully(const std::string& folder, const Words& program,
                                              Instruments instruments, const Words& options = {}) {
    const RunResult run = record_account(folder, program, instruments, options);
    CAPTURE(program, run.out, run.err);
    REQUIRE_FALSE(run.timed_out);
    REQUIRE(run.status() == 0);
    AccountRun recorded{account_from(run.out), report_json(folder), instruments, folder};
    check_children_succeeded(recorded.account, run);
    check_consistent(recorded.report);
    return recorded;
}

// The one row of a process that is not of a program it became.
inline Json row_of(const AccountRun& recorded, int pid) {
    const Json row =
        find_process(recorded.report, pid, pid == recorded.account.root ? "root" : "fork");
    CAPTURE(pid, recorded.report["processes"].dump(1));
    REQUIRE_FALSE(row.is_null());
    return row;
}

// Pages of the sites in that function, in one process.
inline uint64_t pages_of_function(const Json& report_of_process, const std::string& function) {
    uint64_t pages = 0;
    for (const Json& site : report_of_process["sites"]) {
        if (contains(site["function"].get<std::string>(), function)) {
            pages += site["pages"].get<uint64_t>();
        }
    }
    return pages;
}

// A process copies some pages of its stack and libraries besides, and has some new ones.
inline constexpr uint64_t kOtherCopies = 64;
inline constexpr uint64_t kOtherFreshPages = 160;

// What can be known: the census alone does not say when a page was written, and does not see what
// libc gives up inside.
enum class Bound { exact, at_least, at_most };

// glibc blocks all signals twice for each thread that starts: in pthread_create(), and in the new
// thread until it runs the program's function. What they write then, to stacks that were inherited
// or may have been, leaves one pending signal each time. (A third time is the thread's end, from
// which no signal comes back.)
inline constexpr uint64_t kLostAThread = 2;

// `most_lost`: of the threads that the process starts.
inline void check_copies(const AccountRun& recorded, int pid, Bound bound = Bound::exact,
                         uint64_t most_lost = 0) {
    const Account& account = recorded.account;
    const Json row = row_of(recorded, pid);
    const uint64_t copied = account.count(pid, "copied");
    CAPTURE(pid, copied, row.dump(1));
    if (bound != Bound::at_most) CHECK(row["copied_pages"] >= copied);
    if (bound != Bound::at_least) CHECK(row["copied_pages"] <= copied + kOtherCopies);
    CHECK(row["lost_events"] <= most_lost);

    if (recorded.instruments == Instruments::all) {
        const Json own = report_json(recorded.folder, {"--process", std::to_string(pid)});
        CHECK(pages_of_function(own, "store_to_shared") == copied);
        CHECK(pages_of_function(own, "store_to_own") == 0);
        return;
    }
    const std::vector<CopiedPages> processes = read_copied_pages(recorded.folder);
    const CopiedPages& seen =
        pid == account.root ? root_process(processes) : forked_process(processes, pid);
    const Pages true_pages = account.pages(pid, "copied");
    // A page that was moved is known by where it was inherited; new memory may stand there since.
    const auto home = [&](uint64_t page) { return seen.fork_addresses.at_fork(page); };
    uint64_t missing = 0;
    uint64_t wrong = 0;
    for (const uint64_t page : true_pages) missing += seen.census.count(home(page)) == 0 ? 1 : 0;
    for (const char* kind : {"fresh", "kept"}) {
        for (const uint64_t page : account.pages(pid, kind)) {
            const bool is_new_there = home(page) == page && seen.fork_addresses.has_left(page);
            if (!is_new_there && true_pages.count(home(page)) == 0 &&
                seen.census.count(home(page)) != 0) {
                ++wrong;
            }
        }
    }
    if (bound != Bound::at_most) CHECK(missing == 0);
    if (bound != Bound::at_least) CHECK(wrong == 0);
}

// Pages that the program cannot name, such as those below its stack, it gives as a figure.
inline void check_fresh(const AccountRun& recorded, int pid) {
    uint64_t fresh = recorded.account.count(pid, "fresh");
    for (const int64_t more : recorded.account.figures("more fresh")) {
        fresh += static_cast<uint64_t>(more);
    }
    const Json row = row_of(recorded, pid);
    CAPTURE(pid, fresh, row.dump(1));
    CHECK(row["fresh_pages"] >= fresh);
    CHECK(row["fresh_pages"] <= fresh + kOtherFreshPages);
}

}  // namespace cowscope::e2e
