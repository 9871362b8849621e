#include "attribute/family.h"

#include <algorithm>
#include <map>

#include "attribute/page_write.h"
#include "decode/instruction.h"

namespace cowscope::attribute {
namespace {

uint64_t end_of(const trace::ProcessTrace& process) {
    // An exec that failed ended nothing.
    const bool went_on = process.end && process.end->kind == trace::EndKind::exec &&
                         process.last_time_ns > process.end->time_ns;
    if (process.end && !went_on) return process.end->time_ns;
    // It may have ended before it was missed, but not after.
    return process.outside && process.outside->fate ? process.outside->fate->gone_ns : kForever;
}

// When a child began to share pages. Between the parent's note and the child's first nothing is
// written but by the parent's other threads, mostly after the fork itself.
uint64_t fork_time(const trace::ProcessRecord& process) {
    const bool is_noted = process.fork_ns != 0 && process.fork_ns <= process.start_ns;
    return is_noted ? process.fork_ns : process.start_ns;
}

// When the fork began that made the process share the pages of an epoch.
uint64_t shared_time(const trace::ProcessTrace& process, const trace::Epoch& epoch) {
    if (epoch.number == 0) {
        return std::min(fork_time(process.process), epoch.start_ns);
    }
    const auto& forks = process.fork_times_ns;
    return epoch.number <= forks.size() ? forks[epoch.number - 1] : epoch.start_ns;
}

// Which of a process's sites only read.
class Readers {
  public:
    explicit Readers(decode::Decoder* decoder) : decoder_(decoder) {}

    void start(const trace::ProcessTrace& process) {
        reads_.clear();
        for (const trace::Site& site : process.sites) {
            const auto [known, is_new] = by_code_.try_emplace(site.code, false);
            if (is_new) {
                const auto instruction = decoder_->decode(site.code, site.instruction_pointer);
                known->second = instruction && !instruction->writes();
            }
            reads_.push_back(known->second);
        }
    }
    bool reads(uint32_t site) const { return reads_[site]; }

  private:
    decode::Decoder* decoder_;
    std::vector<bool> reads_;
    std::map<std::array<uint8_t, trace::kCodeBytes>, bool> by_code_;
};

void add_writes(const trace::ProcessTrace& process, size_t index, const Readers& readers,
                Sharing* sharing) {
    // Of millions of events growing would take twice the memory.
    sharing->reserve_writes(index, process.event_count);
    trace::for_each_event(process,
                          [&](const trace::EventRecord& event, const trace::EventPlace& place) {
                              if (readers.reads(event.site)) return;
                              if ((event.header.flags & trace::kHugePage) == 0) {
                                  sharing->wrote(index, place.page, event.time_ns);
                                  return;
                              }
                              const uint64_t start = place.page & ~(kHugePageBytes - 1);
                              for (uint64_t i = 0; i < kHugePageBytes; i += trace::kPageBytes) {
                                  sharing->wrote(index, start + i, event.time_ns);
                              }
                          });
}

void add_memory(const trace::ProcessTrace& process, size_t index, Sharing* sharing) {
    constexpr uint64_t kMostEarlierPages = uint64_t{1} << 24;
    uint64_t last_ns = 0;
    for (const trace::Epoch& epoch : process.epochs) {
        // A damaged trace may name any number.
        if (epoch.earlier.pages() <= kMostEarlierPages) {
            for (const trace::PageRun& run : epoch.earlier.runs()) {
                for (uint64_t i = 0; i < run.pages; ++i) {
                    sharing->wrote(index, run.start + i * trace::kPageBytes,
                                   shared_time(process, epoch) + 1);
                }
            }
        }
        if (epoch.unseen.pages() <= kMostUnseenPages) {
            for (const trace::PageRun& run : epoch.unseen.runs()) {
                for (uint64_t i = 0; i < run.pages; ++i) {
                    sharing->wrote(index, run.start + i * trace::kPageBytes, epoch.unseen_ns);
                }
            }
        }
        for (const auto& each : epoch.discarded) {
            sharing->gave_up(index, each.range, each.time_ns);
        }
        const uint64_t shared_ns = shared_time(process, epoch);
        // Without a tracker, or all of its list, it may have had any page.
        const bool is_whole = epoch.is_listed && !epoch.is_list_torn && !epoch.had_more;
        const bool is_known =
            is_whole && (epoch.tracker != trace::Tracker::off || epoch.inherited.pages() != 0);
        // A damaged trace may say any times.
        if (!is_known || shared_ns < last_ns) continue;
        sharing->had(index, epoch.inherited, shared_ns, epoch.listed_ns);
        last_ns = std::max(shared_ns, epoch.listed_ns);
    }
}

}  // namespace

Family::Family(const trace::Trace& trace) : trace_(trace) {
    decode::Decoder decoder;
    Readers readers(&decoder);
    for (size_t i = 0; i < trace.processes.size(); ++i) {
        const trace::ProcessTrace& process = trace.processes[i];
        parents_.push_back(process.parent);
        sharing_.add_process(process.parent, fork_time(process.process), end_of(process));
        readers.start(process);
        add_writes(process, i, readers, &sharing_);
        add_memory(process, i, &sharing_);
        is_sampled_.push_back(
            std::any_of(process.epochs.begin(), process.epochs.end(),
                        [](const trace::Epoch& epoch) { return epoch.largest_weight > 1; }));
    }
    sharing_.settle();
}

bool Family::parent_copied(size_t process, uint64_t page, uint64_t until_ns) const {
    if (!parents_[process]) return false;
    const uint64_t fork_ns = fork_time(trace_.processes[process].process);
    const auto& epochs = trace_.processes[*parents_[process]].epochs;
    // The last that began before the fork, and those that follow, which are in the order of time.
    auto at = std::partition_point(epochs.begin(), epochs.end(), [&](const trace::Epoch& epoch) {
        return epoch.start_ns < fork_ns;
    });
    if (at != epochs.begin()) --at;
    for (; at != epochs.end() && at->start_ns <= until_ns; ++at) {
        if (at->census_ns >= fork_ns && at->copied.contains(page)) return true;
    }
    return false;
}

std::optional<std::vector<uint64_t>> Family::written_by_kin(size_t process) const {
    if (parents_[process] && is_sampled_[*parents_[process]]) return std::nullopt;
    for (const size_t child : sharing_.children(process)) {
        if (is_sampled_[child]) return std::nullopt;
    }
    return sharing_.written_by_kin(process);
}

}  // namespace cowscope::attribute
