#include "tests/catch.h"
#include "trace/home_addresses.h"

using cowscope::trace::HomeAddresses;
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

TEST_CASE("a page that was never moved is at home") {
    const HomeAddresses homes;
    CHECK(homes.home_of(0x10000) == 0x10000);
}

TEST_CASE("moved pages keep their home, also when they are moved again and in parts") {
    HomeAddresses homes;
    homes.move({0x10000, 4}, 0x50000);
    CHECK(homes.home_of(0x50000 + kPage) == 0x10000 + kPage);
    CHECK(homes.home_of(0x50000 + 4 * kPage) == 0x50000 + 4 * kPage);

    homes.move({0x50000 + kPage, 2}, 0x90000);
    CHECK(homes.home_of(0x90000 + kPage) == 0x10000 + 2 * kPage);
    CHECK(homes.home_of(0x50000) == 0x10000);
    CHECK(homes.home_of(0x50000 + 3 * kPage) == 0x10000 + 3 * kPage);

    homes.move({0x90000, 2}, 0x10000 + kPage);  // back home
    CHECK(homes.home_of(0x10000 + kPage) == 0x10000 + kPage);
}

TEST_CASE("what is moved over something else takes its place") {
    HomeAddresses homes;
    homes.move({0x10000, 4}, 0x50000);
    homes.move({0x20000, 1}, 0x50000 + kPage);
    CHECK(homes.home_of(0x50000 + kPage) == 0x20000);
    CHECK(homes.home_of(0x50000 + 2 * kPage) == 0x10000 + 2 * kPage);
}

TEST_CASE("sets of pages are taken home run by run") {
    HomeAddresses homes;
    homes.move({0x10000, 2}, 0x50000);
    const PageSet present = set_of({{0x30000, 1}, {0x50000 - kPage, 4}});
    const PageSet at_home = homes.homes_of(present);
    CHECK(at_home.pages() == 5);
    CHECK(at_home.contains(0x10000));
    CHECK(at_home.contains(0x10000 + kPage));
    CHECK(at_home.contains(0x30000));
    CHECK(at_home.contains(0x50000 - kPage));
    CHECK(at_home.contains(0x50000 + 2 * kPage));
    CHECK_FALSE(at_home.contains(0x50000));
}
