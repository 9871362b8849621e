// Censuses of other processes through their page tables.
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <tuple>
#include <vector>

#include "base/file_descriptor.h"
#include "base/other_process.h"
#include "observe/page_census.h"
#include "tests/catch.h"
#include "tests/unit/outside_fixture.h"

using namespace cowscope;
using namespace cowscope::observe;

TEST_CASE("sets of pages from runs in any order, and without others", "[outside]") {
    CHECK(runs_of(trace::union_of({{0x5000, 2}, {0x1000, 3}, {0x2000, 1}, {0x6000, 4}})) ==
          Runs{{0x1000, 3}, {0x5000, 5}});
    CHECK(trace::union_of({}).runs().empty());

    const auto pages = pages_of({{0x1000, 4}, {0x8000, 2}, {0x10000, 1}});
    CHECK(runs_of(without(pages, {})) == Runs{{0x1000, 4}, {0x8000, 2}, {0x10000, 1}});
    CHECK(runs_of(without(pages, pages_of({{0x2000, 1}, {0x4000, 5}}))) ==
          Runs{{0x1000, 1}, {0x3000, 1}, {0x9000, 1}, {0x10000, 1}});
    CHECK(without(pages, pages_of({{0x1000, 100}})).runs().empty());
    CHECK(runs_of(without(pages, pages_of({{0x11000, 7}, {0x30000, 1}}))) ==
          Runs{{0x1000, 4}, {0x8000, 2}, {0x10000, 1}});
}

TEST_CASE("only private memory is scanned, in few ranges", "[outside]") {
    const trace::Mappings mappings(
        "00400000-00401000 r-xp 00000000 00:00 1    /bin/prog\n"
        "00402000-00403000 rw-p 00001000 00:00 1    /bin/prog\n"
        "01000000-01010000 rw-p 00000000 00:00 0    [heap]\n"
        "7f0000000000-7f0000010000 rw-p 00000000 00:00 0 \n"
        "7f0000010000-7f0000020000 rw-s 00000000 00:00 2    /shared\n"
        "7f0000020000-7f0000030000 rw-p 00000000 00:00 0 \n"
        "7f0000040000-7f0000050000 rw-p 00000000 00:00 0 \n"
        "7ffff0000000-7ffff0001000 r--p 00000000 00:00 0    [vvar]\n"
        "7ffff0001000-7ffff0002000 r-xp 00000000 00:00 0    [vdso]\n",
        1);
    using Ranges = std::vector<std::tuple<uint64_t, uint64_t, bool>>;
    const auto found = [&](uint64_t small_gap_bytes) {
        Ranges all;
        for (const PageRange& range :
             ranges_to_scan(mappings, pages_of({{0x7f0000045000, 2}}), small_gap_bytes)) {
            all.emplace_back(range.start, range.end, range.is_file);
        }
        return all;
    };
    CHECK(found(1 << 20) == Ranges{{0x400000, 0x403000, true},
                                   {0x1000000, 0x1010000, false},
                                   {0x7f0000000000, 0x7f0000010000, false},
                                   {0x7f0000020000, 0x7f0000045000, false},
                                   {0x7f0000047000, 0x7f0000050000, false}});
    CHECK(found(0x1000) == Ranges{{0x400000, 0x403000, true},
                                  {0x1000000, 0x1010000, false},
                                  {0x7f0000000000, 0x7f0000010000, false},
                                  {0x7f0000020000, 0x7f0000030000, false},
                                  {0x7f0000040000, 0x7f0000045000, false},
                                  {0x7f0000047000, 0x7f0000050000, false}});
}

TEST_CASE("a census counts the pages that are there", "[outside]") {
    Memory memory(1000);
    for (size_t page = 0; page < 1000; page += 3) memory.touch(page);
    const FileDescriptor pagemap(open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC));
    REQUIRE(pagemap.is_open());
    const auto count = [&](PageScanner* scanner, trace::Tracker tracker,
                           const trace::PageSet& inherited, PageCensus* census) {
        return scanner->take_census(pagemap.get(), tracker, {memory.range()}, inherited, census);
    };
    SECTION("read page by page") {
        PageScanner scanner(false);
        PageCensus census;
        REQUIRE(count(&scanner, trace::Tracker::soft_dirty, {}, &census) == 0);
        CHECK(census.fresh_pages == 334);
        CHECK(census.copied.pages() == 0);
        PageCensus half;
        const auto inherited = pages_of({{memory.address(), 500}});
        REQUIRE(count(&scanner, trace::Tracker::soft_dirty, inherited, &half) == 0);
        CHECK(half.fresh_pages == 167);
        CHECK(half.tracker_is_there);
    }
    SECTION("by PAGEMAP_SCAN") {
        PageScanner scanner;
        PageCensus census;
        const int error = count(&scanner, trace::Tracker::userfaultfd, {}, &census);
        if (error == ENOTTY || error == EINVAL) {
            WARN("this kernel has no PAGEMAP_SCAN");
            return;
        }
        REQUIRE(error == 0);
        CHECK(census.fresh_pages == 334);
        CHECK_FALSE(census.tracker_is_there);
        PageCensus unwatched;
        REQUIRE(count(&scanner, trace::Tracker::userfaultfd, pages_of({{memory.address(), 500}}),
                      &unwatched) == 0);
        // No userfaultfd has this memory in its care: all of it reads as written, and none is.
        CHECK(unwatched.copied.pages() == 0);
        CHECK_FALSE(unwatched.tracker_is_there);
    }
}

TEST_CASE("the memory of a process that is gone is not taken for an empty one", "[outside]") {
    int go[2];
    REQUIRE(pipe(go) == 0);
    const pid_t child = fork();
    if (child == 0) {
        close(go[1]);
        char byte = 0;
        _exit(read(go[0], &byte, 1) == 0 ? 0 : 1);
    }
    close(go[0]);
    const auto process = OtherProcess::open(child);
    REQUIRE(process);
    const FileDescriptor pagemap = process->open_file("pagemap");
    REQUIRE(pagemap.is_open());
    const Memory memory(1);
    CHECK(memory_is_alive(pagemap.get(), memory.address()));
    close(go[1]);
    REQUIRE(waitpid(child, nullptr, 0) == child);
    CHECK_FALSE(memory_is_alive(pagemap.get(), memory.address()));
    CHECK_FALSE(process->status());
    PageScanner scanner(false);
    PageCensus census;
    CHECK(scanner.take_census(pagemap.get(), trace::Tracker::soft_dirty, {memory.range()}, {},
                              &census) == ESRCH);
}
