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

// When the fork began that made the process share the pages of a generation.
uint64_t shared_time(const trace::ProcessTrace& process, const trace::Generation& generation) {
    if (generation.number == 0) {
        return std::min(fork_time(process.process), generation.start_ns);
    }
    const auto& forks = process.fork_times_ns;
    return generation.number <= forks.size() ? forks[generation.number - 1] : generation.start_ns;
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
    for (const trace::Generation& generation : process.generations) {
        // A damaged trace may name any number.
        if (generation.earlier.pages() <= kMostEarlierPages) {
            for (const trace::PageRun& run : generation.earlier.runs()) {
                for (uint64_t i = 0; i < run.pages; ++i) {
                    sharing->wrote(index, run.start + i * trace::kPageBytes,
                                   shared_time(process, generation) + 1);
                }
            }
        }
        if (generation.unseen.pages() <= kMostUnseenPages) {
            for (const trace::PageRun& run : generation.unseen.runs()) {
                for (uint64_t i = 0; i < run.pages; ++i) {
                    sharing->wrote(index, run.start + i * trace::kPageBytes, generation.unseen_ns);
                }
            }
        }
        for (const auto& each : generation.given_up) {
            sharing->gave_up(index, each.range, each.time_ns);
        }
        const uint64_t shared_ns = shared_time(process, generation);
        // Without a tracker, or all of its list, it may have had any page.
        const bool is_whole =
            generation.is_listed && !generation.is_list_torn && !generation.had_more;
        const bool is_known = is_whole && (generation.tracker != trace::Tracker::off ||
                                           generation.inherited.pages() != 0);
        // A damaged trace may say any times.
        if (!is_known || shared_ns < last_ns) continue;
        sharing->had(index, generation.inherited, shared_ns, generation.listed_ns);
        last_ns = std::max(shared_ns, generation.listed_ns);
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
        is_sampled_.push_back(std::any_of(
            process.generations.begin(), process.generations.end(),
            [](const trace::Generation& generation) { return generation.largest_weight > 1; }));
    }
    sharing_.settle();
}

bool Family::parent_copied(size_t process, uint64_t page, uint64_t until_ns) const {
    if (!parents_[process]) return false;
    const uint64_t fork_ns = fork_time(trace_.processes[process].process);
    const auto& generations = trace_.processes[*parents_[process]].generations;
    // The last that began before the fork, and those that follow, which are in the order of time.
    auto at = std::partition_point(
        generations.begin(), generations.end(),
        [&](const trace::Generation& generation) { return generation.start_ns < fork_ns; });
    if (at != generations.begin()) --at;
    for (; at != generations.end() && at->start_ns <= until_ns; ++at) {
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
