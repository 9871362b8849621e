// What is known to help against what was measured, and never anything else: from the sums of a
// report to remedies, each with the pages that it is about.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "runtime/verdict.h"
#include "trace/heap_owners.h"

namespace cowscope::runtime {

// Pages of an owner, by what wrote them.
struct OwnerPages {
    trace::Owner owner;
    std::map<Cause, uint64_t, ByName> causes;
    // Pages of `refcount` by the object's type, and those of them that the runtime's end wrote.
    std::map<std::string, uint64_t> counted_types;
    std::map<std::string, uint64_t> ended_types;
    uint64_t pages_with = 0;  // see OwnerShare
};

struct AdviceInput {
    uint64_t copied_pages = 0;
    std::map<RuntimeCause, uint64_t> causes;  // pages
    std::vector<OwnerPages> owners;
    // Those of them that were copied while a runtime ended.
    std::map<RuntimeCause, uint64_t> ended_causes;
    // Of the runtimes that were seen, as Runtime::version_in().
    std::map<Id, uint32_t> versions;
};

struct Advice {
    std::string kind;   // "intern", "compact", "freeze", …
    std::string owner;  // "" where it is about all
    uint64_t pages = 0;
    std::string text;  // one or two sentences, without the pages
};

class Advisor {
  public:
    // Must outlive this object.
    explicit Advisor(const AdviceInput& input) : input_(input) {}

    // Nothing that is about less than a hundredth of the copies, or less than 1 MiB.
    void add(std::string kind, std::string owner, uint64_t pages, std::string text);

    // Without what the runtime's end wrote: against that something else helps.
    uint64_t pages_of(RuntimeCause cause) const;
    static uint64_t pages_of_type(const OwnerPages& owner, const std::string& type);

    // The most pages first.
    std::vector<Advice> take();

  private:
    const AdviceInput& input_;
    std::vector<Advice> advice_;
};

}  // namespace cowscope::runtime
