// What is known to help against what was measured, and never anything else: one pure function from
// the sums of a report to remedies, each with the pages that it is about.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "trace/owners.h"

namespace cowscope::attribute {

struct OwnerPages {
    trace::Owner owner;
    std::map<std::string, uint64_t> causes;  // pages
    // Pages of `refcount` by the object's type, and those of them that the interpreter's end wrote.
    std::map<std::string, uint64_t> counted_types;
    std::map<std::string, uint64_t> ended_types;
    uint64_t pages_with = 0;  // see OwnerShare
};

struct AdviceInput {
    uint64_t copied_pages = 0;
    std::map<std::string, uint64_t> causes;  // pages
    std::vector<OwnerPages> owners;
    // Those of them that were copied while the interpreter ended.
    std::map<std::string, uint64_t> ended_causes;
    // 11 for 3.11; 0 where no Python was seen, or its version is not known.
    uint32_t python_minor = 0;
};

struct Advice {
    std::string kind;   // "intern", "compact", "freeze", …
    std::string owner;  // "" where it is about all
    uint64_t pages = 0;
    std::string text;  // one or two sentences, without the pages
};

// The most pages first. Nothing that is about less than a hundredth of the copies.
std::vector<Advice> find_advice(const AdviceInput& input);

}  // namespace cowscope::attribute
