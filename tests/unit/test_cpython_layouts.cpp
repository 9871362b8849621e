// The table of CPython's layouts, and what heads of objects say.
#include <cstdint>
#include <set>

#include "preload/format/cpython_objects.h"
#include "runtime/cpython/heap_layout.h"
#include "tests/catch.h"

using namespace cowscope::cpython;

TEST_CASE("each version from 3.6 to 3.14 has one column, for both readers", "[layouts]") {
    std::set<uint16_t> versions;
    for (size_t i = 0; i < kVersions; ++i) {
        const int minor = 6 + static_cast<int>(i);
        CHECK(kLayouts[i].version == (3 << 8 | minor));
        versions.insert(kLayouts[i].version);
        const HeapLayout* layout = layout_of(minor);
        REQUIRE(layout != nullptr);
        CHECK(layout->minor() == minor);
        CHECK(layout->thread_frame == kLayouts[i].thread_frame);
    }
    CHECK(versions.size() == kVersions);
    CHECK(layout_of(5) == nullptr);
    CHECK(layout_of(15) == nullptr);
}

// As in the headers of the versions where a structure changed.
TEST_CASE("columns are those of their versions", "[layouts]") {
    const HeapLayout& v3_6 = *layout_of(6);
    CHECK(v3_6.frame_is_object);
    CHECK(v3_6.frame_instruction == 120);
    CHECK(v3_6.main_interpreter == kNone);
    CHECK(v3_6.gc_head_bytes == 32);
    const HeapLayout& v3_10 = *layout_of(10);
    CHECK(v3_10.instruction_field == InstructionField::units);
    CHECK(v3_10.cframe_frame == kNone);
    CHECK(v3_10.pool_bytes == 16384);
    const HeapLayout& v3_11 = *layout_of(11);
    CHECK(v3_11.cframe_frame == 8);
    CHECK(v3_11.frame_is_entry == 68);
    CHECK(v3_11.managed_dict == ManagedDict::v3_11);
    CHECK(v3_11.code_cell_names == kNone);
    const HeapLayout& v3_14 = *layout_of(14);
    CHECK(v3_14.tuple_items == 32);
    CHECK(v3_14.frame_owner == 74);
    CHECK(v3_14.frame_variables == 80);
    CHECK(v3_14.ascii_bytes == 40);
}

TEST_CASE("keys of a dict have their entries behind the indices", "[layouts]") {
    KeysShape shape{};
    // 3.10: eight slots of a byte, five entries of which three are used.
    const uint64_t sized[kKeysHeadWords] = {1, 8, 0, 2, 3};
    REQUIRE(parse_keys(*layout_of(10), sized, &shape));
    CHECK(shape.slots == 8);
    CHECK(shape.entries == 48);
    CHECK(shape.entry_bytes == 24);
    CHECK(shape.key == 8);
    CHECK(shape.used == 3);
    CHECK(shape.usable == 2);
    // 65536 slots have indices of four bytes.
    const uint64_t large[kKeysHeadWords] = {1, 65536, 0, 0, 43690};
    REQUIRE(parse_keys(*layout_of(10), large, &shape));
    CHECK(shape.entries == 40 + 4 * 65536);
    // 3.11: 2^3 slots, 2^3 bytes of indices, keys of any kind or strs alone.
    const uint64_t general[kKeysHeadWords] = {1, 0x00'03'03, 2, 3, 0};
    REQUIRE(parse_keys(*layout_of(11), general, &shape));
    CHECK(shape.entries == 40);
    CHECK(shape.entry_bytes == 24);
    const uint64_t strs[kKeysHeadWords] = {1, 0x01'03'03, 2, 3, 0};
    REQUIRE(parse_keys(*layout_of(14), strs, &shape));
    CHECK(shape.entry_bytes == 16);
    CHECK(shape.key == 0);
}

TEST_CASE("what cannot be keys is none", "[layouts]") {
    KeysShape shape{};
    const HeapLayout& v3_10 = *layout_of(10);
    for (const uint64_t size : {uint64_t{0}, uint64_t{7}, uint64_t{1} << 40, ~uint64_t{0}}) {
        const uint64_t head[kKeysHeadWords] = {1, size, 0, 0, 0};
        CHECK_FALSE(parse_keys(v3_10, head, &shape));
    }
    const uint64_t overfull[kKeysHeadWords] = {1, 8, 0, 0, 9};
    CHECK_FALSE(parse_keys(v3_10, overfull, &shape));
    const HeapLayout& v3_11 = *layout_of(11);
    for (const uint64_t word : {uint64_t{0x00'03'29}, uint64_t{0x00'2c'03}, uint64_t{0x03'03'03}}) {
        const uint64_t head[kKeysHeadWords] = {1, word, 0, 0, 0};
        CHECK_FALSE(parse_keys(v3_11, head, &shape));
    }
    const uint64_t more[kKeysHeadWords] = {1, 0x00'03'03, 0, 16, 0};
    CHECK_FALSE(parse_keys(v3_11, more, &shape));
}

TEST_CASE("the state of a str says where its text is", "[layouts]") {
    const HeapLayout& v3_12 = *layout_of(12);
    const StrState ascii = parse_str_state(1 << 2 | 1 << 5 | 1 << 6);
    CHECK(ascii.is_plausible());
    CHECK(ascii.is_compact);
    CHECK(str_text_offset(v3_12, ascii) == 40);
    const StrState wide = parse_str_state(4 << 2 | 1 << 5);
    CHECK(wide.character_bytes == 4);
    CHECK(str_text_offset(v3_12, wide) == 56);
    CHECK_FALSE(parse_str_state(0).is_plausible());
    CHECK_FALSE(parse_str_state(3 << 2).is_plausible());
}
