// The truth that a report can be held against: the pages that the program's own reference counts
// lie on, found from its own data. A child that takes and drops a reference to every value writes
// each of these pages, and writes no count anywhere else.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "child.h"
#include "value_kinds.h"

namespace cowscope::workload {

// Collects the pages of count words.
class CountPages {
  public:
    CountPages();

    void add(const int* word);
    // Sorted addresses of the first bytes of the pages, each page once.
    std::vector<uintptr_t> take();

  private:
    uintptr_t page_mask_;
    std::vector<uintptr_t> pages_;
};

// True if the word goes up by one with a reference taken, and back with the reference dropped.
template <class Kind>
bool counts_references(const typename Kind::Value& value, const int* word) {
    const int before = load(word);
    return Kind::count_while_copied(value) == before + 1 && load(word) == before;
}

// To be called before the first fork: proves of every single word that it is the count, by writing
// it. False if one is not: a standard library of another layout.
template <class Kind, class Map>
bool find_count_pages(const Map& map, std::vector<uintptr_t>* pages) {
    CountPages found;
    if constexpr (requires(const typename Kind::Value& value) { Kind::count_word(value); }) {
        for (const auto& [key, value] : map) {
            const int* word = Kind::count_word(value);
            if (!word) continue;
            if (!counts_references<Kind>(value, word)) return false;
            found.add(word);
        }
    }
    *pages = found.take();
    return true;
}

// Writes the JSON and closes `fd`. Children that did not read every value are left out: nobody
// knows what they wrote. False, with errno set, if writing fails.
bool write_truth(int fd, ValueKind kind, std::span<const Child> children,
                 std::span<const uintptr_t> pages);

}  // namespace cowscope::workload
