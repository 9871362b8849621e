#include "attribute/sharing.h"

#include <algorithm>
#include <functional>
#include <map>
#include <queue>
#include <utility>

namespace cowscope::attribute {

using trace::PageRun;
using trace::PageSet;

size_t Sharing::add_process(std::optional<size_t> parent, uint64_t fork_ns, uint64_t end_ns) {
    const size_t index = members_.size();
    Member& member = members_.emplace_back();
    member.fork_ns = fork_ns;
    member.end_ns = end_ns;
    if (parent && *parent < index) {
        member.parent = *parent;
        members_[*parent].children.push_back(index);
    }
    return index;
}

void Sharing::wrote(size_t process, uint64_t page, uint64_t time_ns) {
    members_[process].writes.push_back({page, time_ns});
}

void Sharing::gave_up(size_t process, const PageRun& range, uint64_t time_ns) {
    members_[process].discarded.emplace_back(range, time_ns);
}

void Sharing::had(size_t process, const PageSet& pages, uint64_t shared_ns, uint64_t listed_ns) {
    members_[process].lists.push_back({&pages, shared_ns, listed_ns});
}

void Sharing::settle() {
    for (Member& member : members_) {
        std::sort(member.writes.begin(), member.writes.end());
        find_changes(&member);
    }
    order_processes();
    find_shared_writes();
}

namespace {

// Calls action(run) for what of a range is in a set.
template <typename Action>
void for_each_common(const PageSet& pages, const PageRun& range, Action&& action) {
    const uint64_t end = range.start + range.pages * trace::kPageBytes;
    const auto& runs = pages.runs();
    auto run = std::partition_point(runs.begin(), runs.end(), [&](const PageRun& each) {
        return each.start + each.pages * trace::kPageBytes <= range.start;
    });
    for (; run != runs.end() && run->start < end; ++run) {
        const uint64_t from = std::max(run->start, range.start);
        const uint64_t until = std::min(run->start + run->pages * trace::kPageBytes, end);
        action(PageRun{from, (until - from) / trace::kPageBytes});
    }
}

}  // namespace

// What differs from one list to the next went, or came, in between. What went did so before it was
// listed, at the latest; what came, not before the earlier list was made, which lacks also what was
// nobody else's any more by then.
void Sharing::find_changes(Member* member) {
    auto& discarded = member->discarded;
    std::stable_sort(discarded.begin(), discarded.end(),
                     [](const auto& a, const auto& b) { return a.second < b.second; });
    for (const auto& [range, time_ns] : discarded) {
        member->left.add(range, time_ns);
        member->gave_up.add(range, time_ns);
    }
    auto next = discarded.begin();
    const List* before = nullptr;
    for (const List& now : member->lists) {
        std::vector<PageRun> ranges;
        const auto first = next;
        for (; next != discarded.end() && next->second < now.shared_ns; ++next) {
            ranges.push_back(next->first);
        }
        const PageSet gone = trace::union_of(std::move(ranges));
        // Of the first list only what was given up before can have come since.
        const PageSet kept = trace::without(before == nullptr ? *now.pages : *before->pages, gone);
        const PageSet went = trace::without(kept, *now.pages);
        const PageSet came = trace::without(*now.pages, kept);
        for (const PageRun& run : went.runs()) member->left.add(run, now.listed_ns);
        const uint64_t listed_ns = before == nullptr ? 0 : before->listed_ns;
        const uint64_t latest_ns = now.shared_ns - 1;
        const PageSet unseen = trace::without(came, gone);
        for (const PageRun& run : unseen.runs()) {
            member->came.add(run, std::min(listed_ns + 1, latest_ns));
        }
        for (auto each = first; each != next; ++each) {
            const uint64_t came_ns = std::min(std::max(listed_ns, each->second) + 1, latest_ns);
            for_each_common(came, each->first,
                            [&](const PageRun& run) { member->came.add(run, came_ns); });
        }
        before = &now;
    }
    member->left.settle();
    member->gave_up.settle();
    member->came.settle();
    discarded = {};
}

void Sharing::order_processes() {
    for (Member& member : members_) {
        std::stable_sort(member.children.begin(), member.children.end(), [&](size_t a, size_t b) {
            return members_[a].fork_ns < members_[b].fork_ns;
        });
    }
    at_position_.clear();
    at_position_.reserve(members_.size());
    // Who is to come: a member, or, with its tree behind it, its end.
    std::vector<std::pair<size_t, bool>> stack;
    for (size_t i = members_.size(); i-- > 0;) {
        if (members_[i].parent == kNone) stack.emplace_back(i, false);
    }
    while (!stack.empty()) {
        const auto [index, is_end] = stack.back();
        stack.pop_back();
        Member& member = members_[index];
        if (is_end) {
            member.tree_end = at_position_.size();
            continue;
        }
        member.position = at_position_.size();
        at_position_.push_back(index);
        stack.emplace_back(index, true);
        for (size_t i = member.children.size(); i-- > 0;) {
            stack.emplace_back(member.children[i], false);
        }
    }
    const size_t count = members_.size();
    latest_.resize(2 * count);
    for (size_t i = 0; i < count; ++i) latest_[count + i] = i;
    const auto end_at = [&](size_t position) { return members_[at_position_[position]].end_ns; };
    for (size_t i = count; i-- > 1;) {
        const size_t a = latest_[2 * i];
        const size_t b = latest_[2 * i + 1];
        latest_[i] = end_at(b) > end_at(a) ? b : a;
    }
}

size_t Sharing::ends_last(size_t low, size_t high) const {
    const auto end_at = [&](size_t position) { return members_[at_position_[position]].end_ns; };
    size_t found = low;
    const auto look = [&](size_t node) {
        if (end_at(latest_[node]) > end_at(found)) found = latest_[node];
    };
    const size_t count = members_.size();
    for (low += count, high += count; low < high; low /= 2, high /= 2) {
        if (low % 2 == 1) look(low++);
        if (high % 2 == 1) look(--high);
    }
    return found;
}

std::vector<size_t>::const_iterator Sharing::child_after(const Member& member,
                                                         uint64_t time_ns) const {
    return std::partition_point(member.children.begin(), member.children.end(),
                                [&](size_t each) { return members_[each].fork_ns <= time_ns; });
}

size_t Sharing::first_forked_after(const Member& member, uint64_t time_ns) const {
    const auto child = child_after(member, time_ns);
    return child == member.children.end() ? member.tree_end : members_[*child].position;
}

bool Sharing::has_write(const Member& member, uint64_t page, uint64_t until_ns) const {
    const auto first = std::lower_bound(member.writes.begin(), member.writes.end(), Write{page, 0});
    return first != member.writes.end() && first->page == page && first->time_ns <= until_ns;
}

// Whether the process did not have the page when it shared what is in the list: nor has it given it
// up before that was made.
bool Sharing::lacks(const Member& member, const List& list, uint64_t page) {
    if (list.pages->contains(page)) return false;
    return member.gave_up.first_after(page, list.shared_ns).value_or(kForever) > list.listed_ns;
}

// Of the fork at that time, or the next that there is.
std::vector<Sharing::List>::const_iterator Sharing::first_list_from(const Member& member,
                                                                    uint64_t time_ns) {
    return std::partition_point(member.lists.begin(), member.lists.end(),
                                [&](const List& list) { return list.shared_ns < time_ns; });
}

// Whether a forked process did not inherit the page. Its parent's list of that fork tells, or its
// own, as far as it has not written the page or given it up before that was made.
bool Sharing::never_had(const Member& member, uint64_t page) const {
    if (member.parent == kNone) return false;
    const bool has_own = !member.lists.empty() && member.lists.front().shared_ns <= member.fork_ns;
    const uint64_t listed_ns = has_own ? member.lists.front().listed_ns : kForever;
    // Behind a list of a later fork it may have written what came since.
    const uint64_t told_ns =
        has_own || member.lists.empty() ? listed_ns : member.lists.front().shared_ns;
    if (has_write(member, page, told_ns)) return false;
    if (has_own && member.lists.front().pages->contains(page)) return false;
    const Member& parent = members_[member.parent];
    const auto of_fork = first_list_from(parent, member.fork_ns);
    const bool is_told = of_fork != parent.lists.end() && of_fork->shared_ns == member.fork_ns;
    if (is_told && lacks(parent, *of_fork, page)) return true;
    return has_own && member.left.first_after(page, member.fork_ns).value_or(kForever) > listed_ns;
}

uint64_t Sharing::last_lack(const Member& member, uint64_t page, uint64_t before_ns) const {
    uint64_t lacked_ns = member.left.last_before(page, before_ns).value_or(0);
    if (never_had(member, page)) lacked_ns = std::max(lacked_ns, member.fork_ns);
    auto list = first_list_from(member, before_ns);
    while (list != member.lists.begin() && !(--list)->pages->contains(page)) {
        if (!lacks(member, *list, page)) continue;
        lacked_ns = std::max(lacked_ns, list->shared_ns);
        break;
    }
    return lacked_ns;
}

bool Sharing::has_forked(const Member& member, uint64_t from_ns, uint64_t until_ns) const {
    const auto child = child_after(member, from_ns);
    return child != member.children.end() && members_[*child].fork_ns < until_ns;
}

uint64_t Sharing::leave_of(const Member& member, uint64_t page, uint64_t since_ns) const {
    uint64_t leave = member.end_ns;
    const auto write =
        std::upper_bound(member.writes.begin(), member.writes.end(), Write{page, since_ns});
    if (write != member.writes.end() && write->page == page) {
        leave = std::min(leave, write->time_ns);
    }
    if (!member.left.empty()) {
        leave = std::min(leave, member.left.first_after(page, since_ns).value_or(kForever));
    }
    if (!member.came.empty()) {
        leave = std::min(leave, member.came.first_after(page, since_ns).value_or(kForever));
    }
    return leave;
}

uint64_t Sharing::leave_inherited(const Member& member, uint64_t page) const {
    return never_had(member, page) ? member.fork_ns : leave_of(member, page, member.fork_ns);
}

std::optional<Sharing::Origin> Sharing::origin(size_t writer, uint64_t page,
                                               uint64_t before_ns) const {
    for (size_t process = writer;;) {
        const Member& member = members_[process];
        uint64_t came_ns = 0;
        const auto behind =
            std::lower_bound(member.writes.begin(), member.writes.end(), Write{page, before_ns});
        if (behind != member.writes.begin() && std::prev(behind)->page == page) {
            came_ns = std::prev(behind)->time_ns;
        }
        came_ns = std::max(came_ns, member.came.last_before(page, before_ns).value_or(0));
        const uint64_t lacked_ns = last_lack(member, page, before_ns);
        if (came_ns > lacked_ns) return Origin{process, came_ns};
        // What it had not by then it can only have anew, and shares with whom it has forked since.
        if (lacked_ns != 0) {
            if (!has_forked(member, lacked_ns, before_ns)) return std::nullopt;
            return Origin{process, lacked_ns + 1};
        }
        if (member.parent == kNone) return Origin{process, 0};
        const Member& parent = members_[member.parent];
        const auto next = first_list_from(parent, member.fork_ns);
        const bool is_missing = next != parent.lists.end() && !next->pages->contains(page);
        const uint64_t given_up_ns =
            is_missing ? parent.gave_up.first_after(page, member.fork_ns).value_or(kForever) : 0;
        if (is_missing && given_up_ns > next->listed_ns) {
            // Pages that libc has moved stand where its parent had none.
            const bool is_of_fork = next->shared_ns == member.fork_ns;
            if (process == writer && is_of_fork) return Origin{process, kMovedThere};
            if (process != writer) return Origin{process, member.fork_ns + 1};
        }
        process = member.parent;
        before_ns = member.fork_ns + 1;
    }
}

// Among all that were forked while they had it, those who live longest come first: who lives no
// longer than another one has had the page cannot be the last.
uint64_t Sharing::last_leave(uint64_t page, const Origin& from) const {
    const Member& first = members_[from.process];
    uint64_t last = leave_of(first, page, from.time_ns);
    struct Part {
        size_t low;
        size_t high;
    };
    // A child that was forked at the moment of the write has what was there before.
    std::vector<Part> parts = {
        {first_forked_after(first, from.time_ns), first_forked_after(first, last - 1)}};
    while (!parts.empty()) {
        const Part part = parts.back();
        parts.pop_back();
        if (part.low >= part.high) continue;
        const size_t found = ends_last(part.low, part.high);
        const Member& member = members_[at_position_[found]];
        if (member.end_ns <= last) continue;
        // Each ancestor must have had it when it forked the next.
        const Member* lacks = nullptr;
        uint64_t leave_ns = 0;
        const Member* forked = &member;
        for (size_t each = member.parent; each != from.process; each = members_[each].parent) {
            const Member& ancestor = members_[each];
            const uint64_t leave = leave_inherited(ancestor, page);
            if (leave <= forked->fork_ns) {
                lacks = &ancestor;
                leave_ns = leave;
            }
            forked = &ancestor;
        }
        if (lacks == nullptr) {
            last = std::max(last, leave_inherited(member, page));
            parts.push_back({part.low, found});
            parts.push_back({found + 1, part.high});
            continue;
        }
        // None of those that it forked since has it either.
        const size_t without_from = first_forked_after(*lacks, leave_ns - 1);
        parts.push_back({part.low, std::max(part.low, std::min(without_from, found))});
        parts.push_back({std::min(part.high, lacks->tree_end), part.high});
    }
    return last;
}

// Page by page over all processes, so that each content is asked about once.
void Sharing::find_shared_writes() {
    struct Next {
        uint64_t page;
        size_t process;
        bool operator>(const Next& other) const { return page > other.page; }
    };
    std::priority_queue<Next, std::vector<Next>, std::greater<>> next;
    std::vector<size_t> done(members_.size(), 0);
    for (size_t i = 0; i < members_.size(); ++i) {
        members_[i].shared_writes.assign(members_[i].writes.size(), false);
        if (!members_[i].writes.empty()) next.push({members_[i].writes[0].page, i});
    }
    uint64_t page = 0;
    // Of the page: by process and time of a content, when the last one leaves it.
    std::map<std::pair<size_t, uint64_t>, uint64_t> known;
    while (!next.empty()) {
        const Next at = next.top();
        next.pop();
        if (at.page != page) known.clear();
        page = at.page;
        Member& member = members_[at.process];
        size_t& i = done[at.process];
        for (; i < member.writes.size() && member.writes[i].page == page; ++i) {
            const uint64_t time_ns = member.writes[i].time_ns;
            const auto from = origin(at.process, page, time_ns);
            if (!from) continue;
            if (from->time_ns == kMovedThere) {
                member.shared_writes[i] = true;
                continue;
            }
            const auto [leave, is_new] = known.try_emplace({from->process, from->time_ns}, 0);
            if (is_new) leave->second = last_leave(page, *from);
            member.shared_writes[i] = leave->second > time_ns;
        }
        if (i < member.writes.size()) next.push({member.writes[i].page, at.process});
    }
}

bool Sharing::is_shared(size_t process, uint64_t page, uint64_t time_ns) const {
    const Member& member = members_[process];
    const auto write =
        std::lower_bound(member.writes.begin(), member.writes.end(), Write{page, time_ns});
    if (write == member.writes.end() || write->page != page || write->time_ns != time_ns) {
        return false;
    }
    return member.shared_writes[static_cast<size_t>(write - member.writes.begin())];
}

std::vector<uint64_t> Sharing::written_by_kin(size_t process) const {
    std::vector<uint64_t> pages;
    const auto add = [&](size_t other) {
        for (const Write& write : members_[other].writes) pages.push_back(write.page);
    };
    if (members_[process].parent != kNone) add(members_[process].parent);
    for (const size_t child : members_[process].children) add(child);
    std::sort(pages.begin(), pages.end());
    pages.erase(std::unique(pages.begin(), pages.end()), pages.end());
    return pages;
}

}  // namespace cowscope::attribute
