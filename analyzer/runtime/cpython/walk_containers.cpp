// What dicts, lists, tuples, sets and deques hold, and objects made in C.
#include <algorithm>

#include <fmt/format.h>

#include "runtime/cpython/walker.h"

namespace cowscope::cpython {

namespace {

// A dict with more entries than this is data: its values share a name.
constexpr uint64_t kMostNamedEntries = 64;
constexpr uint64_t kMostNamedItems = 8;

}  // namespace

void Walker::open_dict(const Item& item) {
    const DictShape shape = shape_of_dict(layout_, &memory_, item.object);
    mark_block(shape.keys, label(item.path, Part::dict_table));
    const LabelId keys = label(item.path, Part::dict_keys);
    const LabelId values = label(item.path, Part::dict_values);
    const bool is_named = memory_.word(item.object + kDictUsed) <= kMostNamedEntries;
    Alike all_keys;
    Alike all_values;
    if (shape.count > kMany && shape.count <= kMostItems) {
        const Memory::Sparse sparse(&memory_);
        for (const uint64_t index : sampled_indices(shape.count)) {
            const DictEntry entry = entry_at(shape, &memory_, index);
            add_to(&all_keys, entry.key);
            add_to(&all_values, entry.value);
        }
        begin_alike(&all_keys, keys, shape.count);
        begin_alike(&all_values, values, shape.count);
    }
    const auto take = [&](const DictEntry& entry) {
        if (all_keys) {
            take_alike(entry.key, &all_keys);
        } else {
            visit(
                entry.key, keys, [&] { return item.path; }, keys);
        }
        if (all_values) {
            take_alike(entry.value, &all_values);
        } else if (entry.value != 0) {
            visit(entry.value, values, [&] {
                return labels().branch(item.path,
                                       is_named ? key_segment(entry.key) : std::string(kAnyEntry),
                                       kAnyEntry);
            });
        }
    };
    const uint64_t unread_an_entry = (all_keys ? 1 : 0) + (all_values ? 1 : 0);
    for (DictEntries entries(shape, &memory_, kMostItems); !is_cut() && entries.read_more();) {
        uint64_t taken = 0;
        for (uint64_t i = 0; i < entries.size() && !is_cut(); ++i) {
            const DictEntry entry = entries[i];
            if (entry.key == 0) continue;
            take(entry);
            ++taken;
        }
        count_unread(taken * unread_an_entry);
    }
    end_alike(all_keys);
    end_alike(all_values);
}

void Walker::open_words(uint64_t start, uint64_t count, const Item& item, Part part) {
    const LabelId items = label(item.path, part);
    const bool is_named = count <= kMostNamedItems;
    constexpr uint64_t kWordsARead = 4096;
    std::vector<uint64_t> words(std::min(count, kWordsARead));
    Alike all;
    if (count > kMany && item.label == Labels::kNone) {
        const Memory::Sparse sparse(&memory_);
        for (const uint64_t index : sampled_indices(count)) {
            add_to(&all, memory_.word(start + index * kWordBytes));
        }
        begin_alike(&all, items, count);
    }
    for (uint64_t first = 0; first < count && !is_cut(); first += kWordsARead) {
        if (first != 0) check_limits();
        const uint64_t wanted = std::min(kWordsARead, count - first);
        const uint64_t got =
            memory_.read_table(start + first * kWordBytes, words.data(), wanted * kWordBytes) /
            kWordBytes;
        if (all) {
            for (uint64_t i = 0; i < got; ++i) take_alike(words[i], &all);
            count_unread(got);
        }
        for (uint64_t i = 0; i < got && !all && !is_cut(); ++i) {
            if (item.label != Labels::kNone) {
                visit_inside(words[i], item);
                continue;
            }
            visit(words[i], items, [&] {
                return labels().branch(
                    item.path, is_named ? fmt::format("[{}]", first + i) : std::string(kAnyEntry),
                    kAnyEntry);
            });
        }
        if (got < wanted) break;
    }
    end_alike(all);
}

void Walker::open_list(const Item& item) {
    const uint64_t count = memory_.word(item.object + kObSize);
    const uint64_t items = memory_.word(item.object + kListItems);
    const uint64_t allocated = memory_.word(item.object + kListAllocated);
    if (count > kMostItems || allocated > kMostItems) return;
    mark_block({items, allocated * kWordBytes}, label(item.path, Part::list_array));
    open_words(items, count, item, Part::list_items);
}

void Walker::open_tuple(const Item& item) {
    const uint64_t count = memory_.word(item.object + kObSize);
    if (count > kMostItems) return;
    open_words(item.object + layout_.tuple_items, count, item, Part::tuple_items);
}

void Walker::open_set(const Item& item) {
    const uint64_t slots = memory_.word(item.object + kSetMask) + 1;
    const uint64_t table = memory_.word(item.object + kSetTable);
    if (slots > kMostItems) return;
    const Block block{table, slots * kSetEntryBytes};
    // A small one is part of the object.
    if (result_.map.at(table) == 0) mark_block(block, label(item.path, Part::set_table));
    const LabelId items = label(item.path, Part::set_items);
    constexpr uint64_t kEntriesARead = 2048;
    std::vector<uint64_t> words(std::min(slots, kEntriesARead) * 2);
    for (uint64_t first = 0; first < slots && !is_cut(); first += kEntriesARead) {
        if (first != 0) check_limits();
        const uint64_t wanted = std::min(kEntriesARead, slots - first);
        const uint64_t got = memory_.read_table(table + first * kSetEntryBytes, words.data(),
                                                wanted * kSetEntryBytes) /
                             kSetEntryBytes;
        for (uint64_t i = 0; i < got && !is_cut(); ++i) {
            if (words[2 * i] == 0) continue;
            visit(
                words[2 * i], items, [&] { return item.path; }, items);
        }
        if (got < wanted) return;
    }
}

void Walker::open_deque(const Item& item) {
    constexpr uint64_t kLeftBlock = 24;
    constexpr uint64_t kRightBlock = 32;
    constexpr uint64_t kLeftIndex = 40;
    constexpr uint64_t kItemsABlock = 64;
    constexpr uint64_t kItems = kWordBytes;
    constexpr uint64_t kNext = kItems + kItemsABlock * kWordBytes;
    const uint64_t last = memory_.word(item.object + kRightBlock);
    uint64_t left = memory_.word(item.object + kObSize);
    uint64_t index = memory_.word(item.object + kLeftIndex);
    uint64_t block = memory_.word(item.object + kLeftBlock);
    while (block != 0 && left != 0 && index < kItemsABlock && !is_cut()) {
        mark_block({block, kNext + kWordBytes}, label(item.path, Part::list_array));
        const uint64_t count = std::min(left, kItemsABlock - index);
        open_words(block + kItems + index * kWordBytes, count, item, Part::deque_items);
        left -= count;
        index = 0;
        if (block == last) break;
        block = memory_.word(block + kNext);
    }
}

void Walker::open_fields(const Item& item) {
    Item inside = item;
    if (inside.label == Labels::kNone) inside.label = label(item.path, Part::contents);
    for (uint64_t at = kObjectBytes; at + kWordBytes <= item.type->basic_size && !is_cut();
         at += kWordBytes) {
        visit_inside(memory_.word(item.object + at), inside);
    }
}

}  // namespace cowscope::cpython
