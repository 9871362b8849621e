// The two trackers, one after the other on the same program, name the same pages.
//
// The program runs with the same addresses both times: without address randomization, with
// arguments and an environment of the same length. Compared are, for every epoch of every
// process, the addresses of all pages that its census calls copied.
#include <sys/personality.h>

#include <algorithm>
#include <cstdio>
#include <iterator>
#include <string>
#include <vector>

#include "tests/catch.h"
#include "tests/e2e/cowscope_program.h"
#include "tests/e2e/temporary_folder.h"
#include "tests/e2e/truth.h"
#include "tests/vm/expectations.h"
#include "trace/trace.h"

using namespace cowscope::e2e;
using namespace cowscope::vm;
namespace trace = cowscope::trace;

namespace {

Pages pages_of(const trace::PageSet& set) {
    Pages pages;
    for (const trace::PageRun& run : set.runs()) {
        for (uint64_t i = 0; i < run.pages; ++i) pages.insert(run.start + i * trace::kPageBytes);
    }
    return pages;
}

struct Traced {
    trace::Trace trace;
    Truth truth;
};

Traced record_with(const std::string& tracker, const Words& options) {
    const TemporaryFolder folder;
    RunOptions run_options;
    run_options.before_exec = [] { return personality(ADDR_NO_RANDOMIZE) != -1; };
    // The stack starts below the environment, in which the tracker's name stands twice over: in the
    // recorder's arguments, which the program does not get, and in COWSCOPE_TRACKER.
    constexpr size_t kLongestName = 11;
    REQUIRE(tracker.size() <= kLongestName);
    run_options.environment = {
        "PADDING=" + std::string(kLongestName - tracker.size(), 'x'),
        // The kernel writes the CPU's number to a thread's own memory when it was interrupted at a
        // bad moment (rseq(2)): a copy that comes once and not the next time.
        "GLIBC_TUNABLES=glibc.pthread.rseq=0",
    };
    const RunResult run =
        run_cowscope(joined({"record", "--tracker", tracker, "--witness", "off", "-o",
                             folder / "t.cow", "--", kStringMap, "--truth", folder / "truth"},
                            options),
                     run_options);
    CAPTURE(run.err);
    REQUIRE(run.status() == 0);
    return {trace::load(folder / "t.cow"), read_truth(folder / "truth")};
}

std::string where(const trace::ProcessTrace& process, uint64_t page) {
    for (const auto& mappings : process.mappings) {
        const trace::Mapping* mapping = mappings->find(page);
        if (mapping != nullptr) return mapping->path.empty() ? "anonymous" : mapping->path;
    }
    return "nowhere";
}

// Prints them, so that a difference can be understood from the log.
void print_only_in(const char* name, const trace::ProcessTrace& process, const Pages& pages,
                   const Pages& others) {
    Pages only;
    std::set_difference(pages.begin(), pages.end(), others.begin(), others.end(),
                        std::inserter(only, only.end()));
    for (const uint64_t page : only) {
        std::printf("only with %s: process %u, page %#lx of %s\n", name, process.pid(),
                    static_cast<unsigned long>(page), where(process, page).c_str());
    }
}

void check_same_copies(const trace::ProcessTrace& one, const trace::ProcessTrace& other) {
    REQUIRE(one.epochs.size() == other.epochs.size());
    for (size_t i = 0; i < one.epochs.size(); ++i) {
        const trace::Epoch& first = one.epochs[i];
        const trace::Epoch& second = other.epochs[i];
        CAPTURE(one.pid(), other.pid(), i);
        REQUIRE(first.tracker == trace::Tracker::userfaultfd);
        REQUIRE(second.tracker == trace::Tracker::soft_dirty);
        REQUIRE(first.census.has_value());
        REQUIRE(second.census.has_value());
        const Pages copied = pages_of(first.copied);
        const Pages copied_too = pages_of(second.copied);
        REQUIRE_FALSE(copied.empty());
        print_only_in("userfaultfd", one, copied, copied_too);
        print_only_in("soft-dirty", other, copied_too, copied);
        std::printf("process %u and %u, generation %zu: %zu and %zu pages copied\n", one.pid(),
                    other.pid(), i, copied.size(), copied_too.size());
        CHECK(copied == copied_too);
        CHECK(pages_of(first.inherited) == pages_of(second.inherited));
        // Each of them runs through code of its own at the fork, and leaves a stack page or two.
        constexpr uint64_t kOwnStackPages = 4;
        CHECK(first.fresh_pages <= second.fresh_pages + kOwnStackPages);
        CHECK(second.fresh_pages <= first.fresh_pages + kOwnStackPages);
    }
}

}  // namespace

TEST_CASE("both trackers name the same pages") {
    for (const std::string values : {"refcounted", "interned", "cow-string"}) {
        CAPTURE(values);
        const Words options = {"--entries", "20000", "--children", "2",
                               "--values",  values,  "--no-memory"};
        const Traced one = record_with("userfaultfd", options);
        const Traced other = record_with("soft-dirty", options);

        // Otherwise they did not do the same, and nothing could be compared.
        REQUIRE(one.truth.children.size() == 2);
        REQUIRE(other.truth.children.size() == 2);
        REQUIRE(one.truth.children[0].pages == other.truth.children[0].pages);

        REQUIRE(one.trace.processes.size() == 3);
        REQUIRE(other.trace.processes.size() == 3);
        for (size_t i = 0; i < one.trace.processes.size(); ++i) {
            check_same_copies(one.trace.processes[i], other.trace.processes[i]);
        }
    }
}
