// What changed from one trace to another. Pure.
#pragma once

#include <string>
#include <vector>

#include "arch/processor.h"
#include "attribute/report_model.h"

namespace cowscope::compare {

enum class Fate : uint8_t { same, changed, appeared, gone };
const char* fate_name(Fate fate);

// One line of a table: in pages, or pages for each forked process where Diff::per_process.
struct Change {
    double before = 0;
    double after = 0;

    double gain() const { return before - after; }
    // Within a page and a hundredth: runs differ by so much by themselves.
    Fate fate() const;
};

// Lines move when a program is changed, and addresses always do: a site is told by its names.
struct SiteNames {
    attribute::Cause cause = attribute::Cause::unknown;
    std::string type;      // of the object, or ""
    std::string function;  // of a runtime's code if there is some; "" where it is not known
    std::string place;     // name of the runtime's file or of the native module, or ""

    bool operator==(const SiteNames&) const = default;
    // Causes in the order of their names, as all tables have them.
    bool operator<(const SiteNames& other) const;
};
// Of the row of Diff::sites that a site counts to.
SiteNames names_of(const attribute::SiteShare& site);

// What a type's row is about.
struct CauseOfType {
    attribute::Cause cause = attribute::Cause::unknown;
    std::string type;

    bool operator==(const CauseOfType&) const = default;
    bool operator<(const CauseOfType& other) const;
};

template <typename Key>
struct Row {
    Key key;
    Change change;
};
// Largest change first.
template <typename Key>
using Rows = std::vector<Row<Key>>;

struct Side {
    std::string trace;
    std::vector<std::string> command;
    uint64_t forked = 0;  // processes that were forked
    uint64_t copied_pages = 0;
};

struct Diff {
    Side before;
    Side after;
    uint64_t page_size = arch::kPageBytes;
    // The two have not the same number of forked processes: every change is for one of them.
    bool per_process = false;
    Change copied;
    Rows<attribute::Cause> causes;
    Rows<CauseOfType> types;
    Rows<std::string> owners;  // empty where one of the two has none
    Rows<SiteNames> sites;
    // Advised before and no longer: what has been done about the owner or cause that gained most.
    std::string done;
};

Diff compare(const attribute::Report& before, const attribute::Report& after);

}  // namespace cowscope::compare
