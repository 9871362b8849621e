#include <atomic>
#include <cstdint>
#include <cstring>
#include <set>
#include <thread>
#include <vector>

#include "session/code_store.h"
#include "tests/catch.h"

namespace {

using namespace cowscope;

struct Store {
    std::vector<trace::AggregateCode> codes;
    std::vector<uint64_t> texts;
    uint64_t used = 0;

    Store(size_t code_count, size_t text_bytes) : codes(code_count), texts(text_bytes / 8) {}
    session::CodeStore open() {
        return {codes.data(), static_cast<uint32_t>(codes.size()),
                reinterpret_cast<unsigned char*>(texts.data()), texts.size() * 8, &used};
    }
    uint64_t text_of(uint32_t number) const { return texts[codes[number - 1].offset / 8]; }
};

// As the shim does: the number of `key`, whose text is the key itself.
uint32_t name(session::CodeStore store, uint64_t key, uint64_t bytes = 8) {
    if (const uint32_t known = store.find(key)) return known;
    void* room = store.take_room(bytes);
    if (room == nullptr) return 0;
    std::memcpy(room, &key, sizeof(key));
    return store.add(key, room);
}

}  // namespace

TEST_CASE("a code object that was named is found again", "[code_store]") {
    Store store(100, 4000);
    std::set<uint32_t> numbers;
    for (uint64_t key = 1; key <= 50; ++key) {
        CHECK(store.open().find(key) == 0);
        const uint32_t number = name(store.open(), key, 9);
        REQUIRE(number >= 1);
        REQUIRE(number <= 100);
        numbers.insert(number);
        CHECK(store.text_of(number) == key);
        CHECK(store.codes[number - 1].is_whole == trace::kWhole);
        CHECK(store.codes[number - 1].offset % trace::kAggregateCodeAlignment == 0);
    }
    CHECK(numbers.size() == 50);
    CHECK(store.used == 50 * 16);
    for (uint64_t key = 1; key <= 50; ++key) CHECK(name(store.open(), key) != 0);
    CHECK(store.used == 50 * 16);
}

TEST_CASE("a store that is full keeps what it has", "[code_store]") {
    SECTION("of texts") {
        Store store(100, 80);
        for (uint64_t key = 1; key <= 20; ++key)
            CHECK((name(store.open(), key) != 0) == (key <= 10));
        CHECK(store.used == 80);
        CHECK(store.open().take_room(~uint64_t{0} - 16) == nullptr);
        CHECK(store.open().take_room(81) == nullptr);
    }
    SECTION("of entries") {
        Store store(5, 4000);
        for (uint64_t key = 1; key <= 20; ++key) name(store.open(), key);
        for (const trace::AggregateCode& code : store.codes) CHECK(code.is_whole == trace::kWhole);
        CHECK(name(store.open(), 21) == 0);
    }
    SECTION("half of it is told") {
        Store store(100, 80);
        for (uint64_t key = 1; key <= 10; ++key) {
            CHECK(store.open().is_half_full() == (key > 5));
            name(store.open(), key);
        }
    }
    SECTION("there is none") {
        Store store(0, 0);
        CHECK(name(store.open(), 7) == 0);
        CHECK(store.open().is_half_full());
    }
}

TEST_CASE("whatever its counter holds, a store writes to its own room alone", "[code_store]") {
    Store store(100, 80);
    for (const uint64_t used : {uint64_t{3}, uint64_t{73}, uint64_t{81}, ~uint64_t{0}}) {
        CAPTURE(used);
        store.used = used;
        CHECK(store.open().take_room(8) == nullptr);
    }
}

TEST_CASE("threads that name at once get the same numbers", "[code_store]") {
    constexpr uint64_t kThreads = 4;
    constexpr uint64_t kKeys = 2000;
    Store store(2 * kKeys, kThreads * kKeys * 8);
    std::vector<std::vector<uint32_t>> numbers(kThreads, std::vector<uint32_t>(kKeys));
    std::atomic<bool> may_go = false;
    std::vector<std::thread> threads;
    for (auto& of_thread : numbers) {
        threads.emplace_back([&] {
            while (!may_go) std::this_thread::yield();
            for (uint64_t key = 0; key < kKeys; ++key) of_thread[key] = name(store.open(), key + 5);
        });
    }
    may_go = true;
    for (std::thread& thread : threads) thread.join();
    for (uint64_t key = 0; key < kKeys; ++key) {
        REQUIRE(numbers[0][key] != 0);
        REQUIRE(store.text_of(numbers[0][key]) == key + 5);
        for (const auto& of_thread : numbers) REQUIRE(of_thread[key] == numbers[0][key]);
    }
}
