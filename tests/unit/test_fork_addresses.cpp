#include "tests/catch.h"
#include "trace/fork_addresses.h"

using cowscope::trace::ForkAddresses;
using cowscope::trace::PageRun;
using cowscope::trace::PageSet;

namespace {

constexpr uint64_t kPage = 4096;

PageSet set_of(const std::vector<PageRun>& runs) {
    PageSet pages;
    for (const PageRun& run : runs) REQUIRE(pages.append(run));
    return pages;
}

}  // namespace

TEST_CASE("a page that was never moved stands where it stood at the fork") {
    const ForkAddresses fork_addresses;
    CHECK(fork_addresses.at_fork(0x10000) == 0x10000);
    CHECK_FALSE(fork_addresses.has_left(0x10000));
}

TEST_CASE(
    "moved pages keep their address at the fork, also when they are moved again and in parts") {
    ForkAddresses fork_addresses;
    fork_addresses.move({0x10000, 4}, 0x50000);
    CHECK(fork_addresses.at_fork(0x50000 + kPage) == 0x10000 + kPage);
    CHECK(fork_addresses.at_fork(0x50000 + 4 * kPage) == 0x50000 + 4 * kPage);
    CHECK(fork_addresses.has_left(0x10000));

    fork_addresses.move({0x50000 + kPage, 2}, 0x90000);
    CHECK(fork_addresses.at_fork(0x90000 + kPage) == 0x10000 + 2 * kPage);
    CHECK(fork_addresses.at_fork(0x50000) == 0x10000);
    CHECK(fork_addresses.at_fork(0x50000 + 3 * kPage) == 0x10000 + 3 * kPage);

    fork_addresses.move({0x90000, 2}, 0x10000 + kPage);  // back
    CHECK(fork_addresses.at_fork(0x10000 + kPage) == 0x10000 + kPage);
    CHECK_FALSE(fork_addresses.has_left(0x10000 + kPage));
    CHECK(fork_addresses.has_left(0x10000));
}

TEST_CASE("what is moved over something else takes its place") {
    ForkAddresses fork_addresses;
    fork_addresses.move({0x10000, 4}, 0x50000);
    fork_addresses.move({0x20000, 1}, 0x50000 + kPage);
    CHECK(fork_addresses.at_fork(0x50000 + kPage) == 0x20000);
    CHECK(fork_addresses.at_fork(0x50000 + 2 * kPage) == 0x10000 + 2 * kPage);
}

TEST_CASE("sets of pages are taken back run by run") {
    ForkAddresses fork_addresses;
    fork_addresses.move({0x10000, 2}, 0x50000);
    const PageSet present = set_of({{0x30000, 1}, {0x50000 - kPage, 4}});
    const PageSet then = fork_addresses.pages_at_fork(present);
    CHECK(then.pages() == 5);
    CHECK(then.contains(0x10000));
    CHECK(then.contains(0x10000 + kPage));
    CHECK(then.contains(0x30000));
    CHECK(then.contains(0x50000 - kPage));
    CHECK(then.contains(0x50000 + 2 * kPage));
    CHECK_FALSE(then.contains(0x50000));
}
