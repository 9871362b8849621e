#include "attribute/sharing.h"

#include <algorithm>
#include <limits>

namespace cowscope::attribute {
namespace {

constexpr uint64_t kForever = std::numeric_limits<uint64_t>::max();

uint64_t end_of(const trace::ProcessTrace& process) {
    if (process.end) return process.end->time_ns;
    // It may have ended before it was missed, but not after.
    return process.outside && process.outside->fate ? process.outside->fate->gone_ns : kForever;
}

// When a child began to share pages. Between the parent's note and the child's first nothing is
// written but by the parent's other threads, mostly after the fork itself.
uint64_t fork_time(const trace::ProcessRecord& process) {
    const bool is_noted = process.fork_ns != 0 && process.fork_ns <= process.start_ns;
    return is_noted ? process.fork_ns : process.start_ns;
}

}  // namespace

Sharing::Sharing(const trace::Trace& trace)
    : members_(trace.processes.size()), families_(trace.processes.size()) {
    for (size_t i = 0; i < members_.size(); ++i) {
        const trace::ProcessTrace& process = trace.processes[i];
        Member& member = members_[i];
        member.end_ns = end_of(process);
        member.family = i;
        member.fork_ns = fork_time(process.process);
        // Processes stand in the order of their start: parents come before their children.
        if (const auto parent = trace::find_parent(trace, i)) {
            member.parent = *parent;
            member.family = members_[*parent].family;
        }
        families_[member.family].push_back(i);
        // Of millions of events growing would take twice the memory.
        member.writes.reserve(process.event_count);
        trace::for_each_event(process,
                              [&](const trace::EventRecord& event, const trace::EventPlace& place) {
                                  member.writes.push_back({place.page, event.time_ns});
                              });
        std::sort(member.writes.begin(), member.writes.end());
        member.is_sampled = std::any_of(
            process.generations.begin(), process.generations.end(),
            [](const trace::Generation& generation) { return generation.largest_weight > 1; });
    }
}

Sharing::Origin Sharing::origin(size_t process, uint64_t page, uint64_t before_ns) const {
    for (;;) {
        const Member& member = members_[process];
        const auto behind =
            std::lower_bound(member.writes.begin(), member.writes.end(), Write{page, before_ns});
        if (behind != member.writes.begin() && std::prev(behind)->page == page) {
            return {process, std::prev(behind)->time_ns};
        }
        if (member.parent == kNone) return {process, 0};
        process = member.parent;
        before_ns = member.fork_ns;
    }
}

bool Sharing::has_it(size_t process, uint64_t page, uint64_t time_ns, const Origin& from) const {
    const Member& member = members_[process];
    return member.fork_ns <= time_ns && time_ns < member.end_ns &&
           origin(process, page, time_ns) == from;
}

bool Sharing::is_shared(size_t process, uint64_t page, uint64_t time_ns,
                        uint64_t own_write_ns) const {
    const Member& self = members_[process];
    Origin from{process, own_write_ns};
    if (own_write_ns == 0 && self.parent != kNone) {
        from = origin(self.parent, page, self.fork_ns);
    }
    // Mostly it is the parent; then nobody else need be asked.
    if (self.parent != kNone && has_it(self.parent, page, time_ns, from)) return true;
    const auto& family = families_[self.family];
    return std::any_of(family.begin(), family.end(), [&](size_t other) {
        return other != process && other != self.parent && has_it(other, page, time_ns, from);
    });
}

std::optional<std::vector<uint64_t>> Sharing::written_by_kin(size_t process) const {
    std::vector<uint64_t> pages;
    for (const size_t other : families_[members_[process].family]) {
        const Member& member = members_[other];
        if (member.parent != process && members_[process].parent != other) continue;
        if (member.is_sampled) return std::nullopt;
        for (const Write& write : member.writes) pages.push_back(write.page);
    }
    std::sort(pages.begin(), pages.end());
    pages.erase(std::unique(pages.begin(), pages.end()), pages.end());
    return pages;
}

}  // namespace cowscope::attribute
