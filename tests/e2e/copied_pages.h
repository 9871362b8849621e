// What a trace says of every single page. The reports only count, and truth is held against
// addresses.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "trace/fork_addresses.h"

namespace cowscope::e2e {

struct FirstWrite {
    std::string cause;  // as reports name it
    std::string type;   // of the CPython object, or ""
};

struct CopiedPages {
    int pid = 0;
    int parent = 0;
    bool forked = false;
    std::map<uint64_t, FirstWrite> witnessed;  // by address of the page
    // Pages of the last census, where they were inherited.
    std::set<uint64_t> census;
    // Copied by the kernel, where nobody who shared them had copied them before.
    std::set<uint64_t> unseen;
    trace::ForkAddresses fork_addresses;  // of the last epoch
    bool is_copied(uint64_t page) const {
        return witnessed.count(page) != 0 || census.count(page) != 0;
    }
    // "" where no instruction was seen to write it.
    std::string cause_of(uint64_t page) const;
    uint64_t count_of_cause(const std::string& cause) const;
    uint64_t copied_count() const;       // without the unseen ones
    uint64_t most_copied_count() const;  // with all of them
};

// Every process of the trace. Throws cowscope::Error where FOLDER is no trace.
std::vector<CopiedPages> read_copied_pages(const std::string& folder);

// The forked process of that id; fails the test where there is none.
const CopiedPages& forked_process(const std::vector<CopiedPages>& processes, int pid);
// The first image: what cowscope started.
const CopiedPages& root_process(const std::vector<CopiedPages>& processes);

}  // namespace cowscope::e2e
