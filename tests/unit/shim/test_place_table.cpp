#include <algorithm>
#include <atomic>
#include <cstdint>
#include <map>
#include <thread>
#include <vector>

#include "session/call_site_table.h"
#include "tests/catch.h"

namespace {

using namespace cowscope;

class Table {
  public:
    explicit Table(uint64_t slots) : slots_(slots) {}

    // As the shim does at an event that copied `copies` pages.
    void count(uint64_t key, uint64_t copies = 1) {
        const auto found = places_.find(key, events_++);
        if (found.slot == nullptr) {
            unplaced_ += copies;
            return;
        }
        found.slot->copies += copies;
        if (found.is_new) session::CallSiteTable::set_complete(found.slot);
    }
    // Nothing where it has no slot.
    uint64_t copies_of(uint64_t key) const {
        uint64_t copies = 0;
        for (const trace::AggregateSlot& slot : slots_) copies += slot.key == key ? slot.copies : 0;
        return copies;
    }
    uint64_t all() const {
        uint64_t copies = unplaced_;
        for (const trace::AggregateSlot& slot : slots_) copies += slot.copies;
        return copies;
    }
    uint64_t unplaced() const { return unplaced_; }
    std::vector<trace::AggregateSlot>& slots() { return slots_; }

  private:
    std::vector<trace::AggregateSlot> slots_;
    uint64_t unplaced_ = 0;
    uint64_t events_ = 0;
    session::CallSiteTable places_{slots_.data(), slots_.size(), &unplaced_};
};

}  // namespace

TEST_CASE("places are counted exactly while there is room", "[place_table]") {
    Table table(300);
    for (uint64_t round = 1; round <= 10; ++round) {
        for (uint64_t key = 0; key < 200; ++key) table.count(1000 + key, key);
    }
    CHECK(table.unplaced() == 0);
    for (uint64_t key = 0; key < 200; ++key) REQUIRE(table.copies_of(1000 + key) == 10 * key);
}

TEST_CASE("a place that copies much gets a slot however many came before it", "[place_table]") {
    constexpr uint64_t kSlots = 300;
    constexpr uint64_t kCold = 20'000;
    Table table(kSlots);
    uint64_t events = 0;
    for (uint64_t round = 0; round < 50; ++round) {
        for (uint64_t key = 0; key < kCold; ++key, ++events) table.count(1000 + key);
    }
    // Among the same multitude, 20 that copy one page in 100 each.
    constexpr uint64_t kHot = 20;
    std::map<uint64_t, uint64_t> truth;
    for (uint64_t i = 0; i < 1'000'000; ++i, ++events) {
        const uint64_t key = i % 5 == 0 ? 100 + i / 5 % kHot : 1000 + i * 7919 % kCold;
        table.count(key);
        ++truth[key];
    }
    CHECK(table.all() == events);
    for (uint64_t key = 100; key < 100 + kHot; ++key) {
        CAPTURE(key);
        CHECK(table.copies_of(key) <= truth[key]);
        CHECK(table.copies_of(key) > truth[key] * 9 / 10);
    }
}

TEST_CASE("slots whose owners were killed in the midst of them stay as they are", "[place_table]") {
    Table table(100);
    for (uint64_t key = 0; key < 100'000; ++key) table.count(1000 + key);
    // One that was being described, one that was being taken over.
    trace::AggregateSlot& claimed = table.slots()[0];
    claimed.is_whole = 0;
    trace::AggregateSlot& changing = table.slots()[1];
    changing.key = 1;
    const uint64_t claimed_key = claimed.key;
    const uint64_t copies = claimed.copies + changing.copies;
    for (uint64_t key = 0; key < 100'000; ++key) table.count(200'000 + key);
    CHECK(claimed.key == claimed_key);
    CHECK(changing.key == 1);
    CHECK(claimed.copies + changing.copies == copies);
    CHECK(table.all() == 200'000);
}

TEST_CASE("no copy is lost where many count at once", "[place_table]") {
    constexpr uint64_t kThreads = 4;
    constexpr uint64_t kEvents = 300'000;
    std::vector<trace::AggregateSlot> slots(80);
    uint64_t unplaced = 0;
    std::atomic_ref<uint64_t> all_unplaced(unplaced);
    std::vector<std::thread> threads;
    for (uint64_t number = 0; number < kThreads; ++number) {
        threads.emplace_back([&, number] {
            session::CallSiteTable places(slots.data(), slots.size(), &unplaced);
            for (uint64_t i = 0; i < kEvents; ++i) {
                // One in four is the same, the others are of 500.
                const uint64_t key = i % 4 == 0 ? 7 : 100 + (i + number) * 7919 % 500;
                const auto found = places.find(key, i * kThreads + number);
                if (found.slot == nullptr) {
                    ++all_unplaced;
                    continue;
                }
                ++std::atomic_ref<uint64_t>(found.slot->copies);
                if (found.is_new) session::CallSiteTable::set_complete(found.slot);
            }
        });
    }
    for (std::thread& thread : threads) thread.join();
    uint64_t placed = 0;
    uint64_t of_main = 0;
    for (const trace::AggregateSlot& slot : slots) {
        placed += slot.copies;
        if (slot.key == 7) of_main += slot.copies;
    }
    CHECK(placed + unplaced == kThreads * kEvents);
    CHECK(of_main > kThreads * kEvents / 4 * 9 / 10);
    CHECK(of_main <= kThreads * kEvents / 4 * 11 / 10);
}

TEST_CASE("a place that is kept keeps its slot", "[place_table]") {
    Table table(100);
    for (uint64_t key = 0; key < 100'000; ++key) table.count(1000 + key);
    trace::AggregateSlot& kept = table.slots()[0];
    const uint64_t key = kept.key;
    REQUIRE(session::CallSiteTable::hold(&kept, key));
    CHECK_FALSE(session::CallSiteTable::hold(&kept, key));
    for (uint64_t other = 0; other < 100'000; ++other) table.count(200'000 + other);
    CHECK(kept.key == key);
    session::CallSiteTable::release(&kept);
    for (uint64_t other = 0; other < 100'000; ++other) table.count(400'000 + other);
    CHECK(kept.key != key);
    // Another has it now, or it is being described.
    CHECK_FALSE(session::CallSiteTable::hold(&kept, key));
    CHECK(session::CallSiteTable::hold(&kept, kept.key));
    session::CallSiteTable::release(&kept);
    kept.is_whole = 0;
    CHECK_FALSE(session::CallSiteTable::hold(&kept, kept.key));
    CHECK(kept.is_whole == 0);
}

TEST_CASE("who keeps a place finds what was said of it, whoever takes slots over",
          "[place_table]") {
    constexpr uint64_t kThreads = 4;
    constexpr uint64_t kEvents = 300'000;
    std::vector<trace::AggregateSlot> slots(64);
    uint64_t unplaced = 0;
    std::atomic<uint64_t> held = 0;
    std::atomic<uint64_t> wrong = 0;
    std::vector<std::thread> threads;
    for (uint64_t number = 0; number < kThreads; ++number) {
        threads.emplace_back([&, number] {
            session::CallSiteTable places(slots.data(), slots.size(), &unplaced);
            for (uint64_t i = 0; i < kEvents; ++i) {
                const uint64_t key = 100 + (i * kThreads + number) * 7919 % 400;
                const auto found = places.find(key, i * kThreads + number);
                if (found.slot == nullptr) continue;
                ++std::atomic_ref<uint64_t>(found.slot->copies);
                std::atomic_ref<uint32_t> described(found.slot->tid);
                if (found.is_new) {
                    described = static_cast<uint32_t>(key);
                    session::CallSiteTable::set_complete(found.slot);
                } else if (session::CallSiteTable::hold(found.slot, key)) {
                    ++held;
                    if (described != key) ++wrong;
                    session::CallSiteTable::release(found.slot);
                }
            }
        });
    }
    for (std::thread& thread : threads) thread.join();
    CHECK(held > 1000);
    CHECK(wrong == 0);
}

TEST_CASE("a key may be any number", "[place_table]") {
    Table table(64);
    for (const uint64_t key : {uint64_t{0}, uint64_t{1}, ~uint64_t{0}}) {
        table.count(key, 5);
        table.count(key, 6);
    }
    CHECK(table.unplaced() == 0);
    CHECK(table.all() == 33);
    CHECK(std::count_if(table.slots().begin(), table.slots().end(),
                        [](const auto& slot) { return slot.copies == 11; }) == 3);
}
