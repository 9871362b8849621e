// What changed from one trace to another. Pure.
#pragma once

#include <string>
#include <vector>

#include "attribute/report_model.h"

namespace cowscope::compare {

enum class Fate : uint8_t { same, changed, appeared, gone };
const char* fate_name(Fate fate);

// One line of a table: in pages, or pages for each forked process where Diff::per_process.
struct Change {
    std::string name;
    double before = 0;
    double after = 0;

    double gain() const { return before - after; }
    // Within a page and a hundredth: runs differ by so much by themselves.
    Fate fate() const;
};

struct Side {
    std::string trace;
    std::vector<std::string> command;
    uint64_t forked = 0;  // processes that were forked
    uint64_t copied_pages = 0;
};

struct Diff {
    Side before;
    Side after;
    uint64_t page_size = 4096;
    // The two have not the same number of forked processes: every change is for one of them.
    bool per_process = false;
    Change copied;
    // Largest change first.
    std::vector<Change> causes;
    std::vector<Change> types;   // "refcount of str"
    std::vector<Change> owners;  // empty where one of the two has none
    std::vector<Change> sites;   // "refcount of str in read_map (string_map.py)"
    // Advised before and no longer: what has been done about the owner or cause that gained most.
    std::string done;
};

Diff compare(const attribute::Report& before, const attribute::Report& after);

// Of the row of Diff::sites that a site counts to.
std::string site_name(const attribute::SiteShare& site);

}  // namespace cowscope::compare
