#include "attribute/lifetimes.h"

#include <algorithm>
#include <limits>
#include <optional>

namespace cowscope::attribute {
namespace {

constexpr uint64_t kForever = std::numeric_limits<uint64_t>::max();

uint64_t end_of(const trace::ProcessTrace& process) {
    if (process.end) return process.end->time_ns;
    // It may have ended before it was missed, but not after.
    return process.outside && process.outside->fate ? process.outside->fate->gone_ns : kForever;
}

// The process that forked trace.processes[child]: the latest image or fork of that pid before it.
std::optional<size_t> find_parent(const trace::Trace& trace, size_t child) {
    const auto& fork = trace.processes[child];
    if (fork.process.role != trace::Role::fork) return std::nullopt;
    for (size_t i = child; i-- > 0;) {
        if (trace.processes[i].pid() == fork.process.parent_pid) return i;
    }
    return std::nullopt;
}

}  // namespace

Lifetimes::Lifetimes(const trace::Trace& trace)
    : trace_(trace), children_(trace.processes.size()), shares_until_ns_(trace.processes.size()) {
    for (size_t i = 0; i < trace.processes.size(); ++i) {
        shares_until_ns_[i] = end_of(trace.processes[i]);
    }
    // Processes stand in the order of their start, so children come behind their parents.
    for (size_t i = trace.processes.size(); i-- > 0;) {
        if (const auto parent = find_parent(trace, i)) {
            children_[*parent].push_back({i, trace.processes[i].process.start_ns});
            shares_until_ns_[*parent] = std::max(shares_until_ns_[*parent], shares_until_ns_[i]);
        }
    }
}

bool Lifetimes::is_shared(size_t process, size_t generation, uint64_t time_ns) const {
    const trace::ProcessTrace& self = trace_.processes[process];
    // A forked child shares with its parent; whether that one is gone, or has copied the page
    // itself, is not looked into.
    if (self.process.role == trace::Role::fork) return true;
    const uint64_t next_generation_ns = generation + 1 < self.generations.size()
                                            ? self.generations[generation + 1].start_ns
                                            : kForever;
    return std::any_of(
        children_[process].begin(), children_[process].end(), [&](const Child& child) {
            return child.start_ns < next_generation_ns && time_ns < shares_until_ns_[child.process];
        });
}

}  // namespace cowscope::attribute
