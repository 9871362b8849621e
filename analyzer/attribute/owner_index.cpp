#include "attribute/owner_index.h"

#include <algorithm>
#include <iterator>
#include <optional>

namespace cowscope::attribute {

OwnerIndex::OwnerIndex(const trace::Trace& trace) : trace_(trace) {
    std::unordered_map<std::string, OwnerId> id_by_name;
    for (const trace::Owners& look : trace.owners) {
        looks_of_[{look.pid, look.created_ns}].push_back(ids_.size());
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
    for (auto& each : looks_of_) {
        std::stable_sort(each.second.begin(), each.second.end(), [&](size_t a, size_t b) {
            return trace.owners[a].look->start_ns < trace.owners[b].look->start_ns;
        });
    }
}

size_t OwnerIndex::nearest_look(const trace::ProcessTrace& process, uint64_t time_ns) const {
    const auto its = looks_of_.find({process.pid(), process.header.created_ns});
    if (its == looks_of_.end()) return kNone;
    const auto start_of = [&](size_t look) { return trace_.owners[look].look->start_ns; };
    const std::vector<size_t>& looks = its->second;
    const auto next = std::partition_point(looks.begin(), looks.end(),
                                           [&](size_t look) { return start_of(look) < time_ns; });
    if (next == looks.end()) return looks.back();
    if (next == looks.begin()) return looks.front();
    const size_t before = *std::prev(next);
    return time_ns - start_of(before) <= start_of(*next) - time_ns ? before : *next;
}

size_t OwnerIndex::find_look(size_t process, size_t epoch) const {
    const trace::ProcessTrace* each = &trace_.processes[process];
    uint64_t time_ns = each->epochs[epoch].start_ns;
    // What a child inherits its parent knows best: the child's own looks come at its own forks.
    const bool is_inherited =
        each->process.role == trace::Role::fork && each->epochs[epoch].number == 0;
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

size_t OwnerIndex::look_of(size_t process, size_t epoch) {
    if (owners_.empty()) return kNone;
    const auto [at, is_new] = look_by_generation_.try_emplace({process, epoch}, kNone);
    if (is_new) at->second = find_look(process, epoch);
    return at->second;
}

OwnerId OwnerIndex::find(size_t process, size_t epoch, uint64_t address) {
    const size_t look = look_of(process, epoch);
    if (look == kNone) return 0;
    const uint32_t id = trace_.owners[look].find(address);
    return id == 0 ? 0 : ids_[look][id - 1];
}

std::vector<OwnerId> OwnerIndex::owners_on_page(size_t process, size_t epoch, uint64_t page) {
    std::vector<OwnerId> found;
    const size_t look = look_of(process, epoch);
    if (look == kNone) return found;
    trace_.owners[look].for_each_on_page(page, [&](uint32_t id) {
        const OwnerId owner = ids_[look][id - 1];
        // Few own something on one page.
        if (std::find(found.begin(), found.end(), owner) == found.end()) found.push_back(owner);
    });
    return found;
}

}  // namespace cowscope::attribute
