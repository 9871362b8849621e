// Copies without an event of their own, of which events of one process tell that stand for several
// (docs/sampling.md): how many there are, and of which classes.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "attribute/copies.h"
#include "attribute/family.h"
#include "attribute/page_write.h"

namespace cowscope::attribute {

class SampledCopies {
  public:
    // Both must outlive this object. `index`: of the process in the family.
    SampledCopies(const trace::ProcessTrace& process, size_t index, const Family& family)
        : process_(process), index_(index), family_(family) {}

    // Of each event, by the faults that it stands for.
    void saw_event(uint32_t weight) { event_weights_ += weight; }
    // Of each event that may have copied.
    void saw_write(uint32_t weight, uint32_t tid) {
        copying_weights_ += weight;
        if (weight > 1) tids_.insert(tid);
    }

    // Of each write that is the first to its page.
    void count(const PageWrite& write, bool is_copy);

    // Behind the last count(), once for each epoch: gives its groups the pages that they speak
    // for. `unseen`: the pages of its census without an event; returns how many of them are
    // accounted for by that. `writes`: all of the process, by page.
    uint64_t represent(size_t epoch, uint64_t unseen, const std::vector<PageWrite>& writes);

    // Behind the last represent(): pages that the write's event stands for, beside its own.
    double others_of(const PageWrite& write) const;

    // Last of all: shares what each group speaks for out among the classes.
    void spread(Copies* copies);

  private:
    std::optional<size_t> find_group(const PageWrite& write) const;
    size_t group_of(const PageWrite& write);
    double copying() const;
    void limit_reused(uint32_t epoch, const std::vector<PageWrite>& writes, SampleGroup* group);
    void speak_for_each_other();

    const trace::ProcessTrace& process_;
    size_t index_;
    const Family& family_;
    std::vector<SampleGroup> groups_;
    // Of an epoch's events on pages of its census (true), or on others.
    std::map<std::pair<uint32_t, bool>, size_t> group_index_;
    std::map<size_t, double> squared_weights_;  // sum, by group
    std::set<uint32_t> tids_;                   // of events that stand for more than themselves
    double event_weights_ = 0;                  // of all events
    double copying_weights_ = 0;                // of those that may be copies
    // By epoch: of events that stand for more than themselves and were no copies.
    std::map<uint32_t, std::vector<uint64_t>> reused_;
    // Once they were needed: see Family.
    std::optional<std::optional<std::vector<uint64_t>>> kin_pages_;
    uint64_t unsampled_ = 0;  // see Copies
};

}  // namespace cowscope::attribute
