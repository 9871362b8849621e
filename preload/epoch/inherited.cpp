#include "epoch/inherited.h"

#include "arch/cpu.h"
#include "epoch/census.h"
#include "epoch/memory_changes.h"
#include "support/faults.h"
#include "tracker/own_writes.h"

#include "support/poison.h"

namespace cowscope::epoch {
namespace {

// Faults of which the witness was not told, in one epoch: the shim's own are fewer.
constexpr uint64_t kUnseenFaults = 16;

// A fresh page may be a huge one.
void widen_classified_pages() {
    for (ClassifiedPages::Entry& entry : sharing.epoch->classified_pages) {
        tracker::PageFacts facts;
        if (!entry.is_fresh || !sharing.look.ask(entry.range.start, &facts) || !facts.is_huge) {
            continue;
        }
        const uint64_t start = entry.range.start & ~(cpu::kHugePageBytes - 1);
        entry.range = {start, start + cpu::kHugePageBytes};
    }
}

// A page of a file comes with content whether the parent had it or not. The mappings are known now,
// and the parent can be asked.
void classify_file_pages_again(tracker::ParentPages* parent) {
    if (sharing.forks != 0) return;
    Epoch& epoch = *sharing.epoch;
    const Mapping* last = nullptr;
    bool parent_wrote_last = false;
    for (ClassifiedPages::Entry& entry : epoch.classified_pages) {
        const uint64_t page = entry.range.start;
        const Mapping* mapping = epoch.mappings.find(page);
        if (entry.is_fresh || mapping == nullptr || !mapping->is_file || mapping->is_hugetlb) {
            continue;
        }
        if (mapping != last) {
            parent_wrote_last = parent->has_private({mapping->start, mapping->end});
            last = mapping;
        }
        if (parent_wrote_last && parent->has(page)) continue;
        entry.is_fresh = true;
        record_page(trace::CensusKind::fresh, page);
    }
}

// Faults of which the witness was not told: the kernel's own, on the process's behalf, and a few of
// the shim's.
uint64_t unseen_faults() {
    const Epoch& epoch = *sharing.epoch;
    const uint64_t known = epoch.faults_at_start + epoch.faults_told;
    const uint64_t all = all_faults();
    return all > known ? all - known : 0;
}

// A call inside libc may have had the kernel write to memory, which no one saw.
bool has_unseen_faults() {
    return sharing.epoch->has_unseen_faults || unseen_faults() > kUnseenFaults;
}

// What of a child's nobody else maps it has written: then it is fresh, or was copied unseen where
// the parent has it too. Or it was left alone with what it inherited, by others who copied that or
// gave it up. Who shared with it what it has written may have copied that as well, and been the
// first: that the analyzer can tell, who knows what they wrote.
void find_unseen_copies(tracker::ParentPages* parent) {
    Epoch& epoch = *sharing.epoch;
    epoch.unseen.clear();
    // What it has written took a fault for each page. Asking takes one where it has not, so of what
    // it was left alone with no more is asked about than it has done itself, or than 20 ms allow.
    constexpr uint64_t kAskedInAnyCase = 16 * 1024;
    constexpr uint64_t kAskedAFault = 4;
    const uint64_t faults = all_faults();
    uint64_t left_to_ask = kAskedInAnyCase;
    if (faults > epoch.faults_at_start) {
        left_to_ask += kAskedAFault * (faults - epoch.faults_at_start);
    }
    tracker::OwnWrites writes(&sharing.look);
    const auto is_kept = [&](uint64_t page, bool is_own) {
        if (epoch.classified_pages.is_copied(page)) return true;
        if (is_own) {
            if (left_to_ask == 0) return true;
            --left_to_ask;
            if (!writes.include(page)) return true;
        }
        if (!parent->has(page)) return false;
        if (is_own && !epoch.earlier.contains(page)) {
            epoch.unseen.append(epoch.arena, page, page + cpu::kPageBytes);
        }
        return true;
    };
    sharing.look.remove_unshared(epoch.arena, epoch.scan_buffer, &epoch.inherited,
                                 &epoch.census.copied, is_kept);
    if (epoch.unseen.pages() == 0) return;
    epoch.census.clear();
    for (const trace::PageRun& run : epoch.unseen.runs()) {
        const uint64_t end = run.start + run.pages * cpu::kPageBytes;
        epoch.census.copied.append(epoch.arena, run.start, end);
    }
    write_census_record(trace::CensusKind::unseen, epoch.census);
}

}  // namespace

void leave_out_unshared() {
    Epoch& epoch = *sharing.epoch;
    const bool is_child = sharing.forks == 0;
    uint64_t own_pages = epoch.inherited.pages();
    for (const AddressRange& range : unshared) {
        epoch.inherited.remove(epoch.arena, range.start, range.end);
    }
    // A child's are new; others had theirs before the fork.
    if (!is_child) own_pages = epoch.inherited.pages();
    if (!epoch.state.is_classifying()) return;
    widen_classified_pages();
    tracker::ParentPages& parent = sharing.look.parent();
    classify_file_pages_again(&parent);
    for (const ClassifiedPages::Entry& entry : epoch.classified_pages) {
        if (entry.is_fresh) {
            epoch.inherited.remove(epoch.arena, entry.range.start, entry.range.end);
        }
    }
    for (const AddressRange& range : epoch.renewed) {
        epoch.inherited.remove(epoch.arena, range.start, range.end);
    }
    // What only a parent has may be what its children have copied: its list says what it shared.
    if (is_child && has_unseen_faults()) find_unseen_copies(&parent);
    epoch.fresh_at_end = own_pages - epoch.inherited.pages();
}

}  // namespace cowscope::epoch
