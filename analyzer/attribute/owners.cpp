#include "attribute/owners.h"

#include <algorithm>
#include <optional>

namespace cowscope::attribute {

OwnerIndex::OwnerIndex(const trace::Trace& trace) : trace_(trace) {
    std::unordered_map<std::string, OwnerId> id_by_name;
    for (const trace::Owners& look : trace.owners) {
        std::vector<OwnerId>& ids = ids_.emplace_back();
        ids.reserve(look.owners.size());
        for (const trace::Owner& owner : look.owners) {
            const auto next = static_cast<OwnerId>(owners_.size() + 1);
            const auto [at, is_new] = id_by_name.try_emplace(owner.name, next);
            if (is_new) {
                owners_.push_back(owner);
            } else if (owner.objects > owners_[at->second - 1].objects) {
                owners_[at->second - 1] = owner;
            }
            ids.push_back(at->second);
        }
    }
}

size_t OwnerIndex::nearest_look(const trace::ProcessTrace& process, uint64_t time_ns) const {
    size_t nearest = kNone;
    uint64_t least = ~uint64_t{0};
    for (size_t i = 0; i < trace_.owners.size(); ++i) {
        const trace::Owners& look = trace_.owners[i];
        const bool is_its =
            look.pid == process.pid() && look.created_ns == process.header.created_ns;
        if (!is_its) continue;
        const uint64_t at = look.look->start_ns;
        const uint64_t away = at > time_ns ? at - time_ns : time_ns - at;
        if (away < least) {
            least = away;
            nearest = i;
        }
    }
    return nearest;
}

size_t OwnerIndex::find_look(size_t process, size_t generation) const {
    const trace::ProcessTrace* each = &trace_.processes[process];
    uint64_t time_ns = each->generations[generation].start_ns;
    // What a child inherits its parent knows best: the child's own looks come at its own forks.
    const bool is_inherited =
        each->process.role == trace::Role::fork && each->generations[generation].number == 0;
    if (!is_inherited) {
        const size_t own = nearest_look(*each, time_ns);
        if (own != kNone) return own;
    }
    while (each->parent) {
        time_ns = each->process.start_ns;
        each = &trace_.processes[*each->parent];
        const size_t look = nearest_look(*each, time_ns);
        if (look != kNone) return look;
    }
    return is_inherited ? nearest_look(trace_.processes[process], time_ns) : kNone;
}

size_t OwnerIndex::look_of(size_t process, size_t generation) {
    if (owners_.empty()) return kNone;
    const auto [at, is_new] = look_by_generation_.try_emplace({process, generation}, kNone);
    if (is_new) at->second = find_look(process, generation);
    return at->second;
}

OwnerId OwnerIndex::find(size_t process, size_t generation, uint64_t address) {
    const size_t look = look_of(process, generation);
    if (look == kNone) return 0;
    const uint32_t id = trace_.owners[look].find(address);
    return id == 0 ? 0 : ids_[look][id - 1];
}

std::vector<OwnerId> OwnerIndex::owners_on_page(size_t process, size_t generation, uint64_t page) {
    std::vector<OwnerId> found;
    const size_t look = look_of(process, generation);
    if (look == kNone) return found;
    trace_.owners[look].for_each_on_page(page, [&](uint32_t id) {
        const OwnerId owner = ids_[look][id - 1];
        // Few own something on one page.
        if (std::find(found.begin(), found.end(), owner) == found.end()) found.push_back(owner);
    });
    return found;
}

}  // namespace cowscope::attribute
