#include "epoch/record_event.h"

#include <cstring>

#include "arch/cpu.h"
#include "epoch/aggregate.h"
#include "epoch/begin.h"
#include "epoch/classify.h"
#include "epoch/memory_changes.h"
#include "epoch/page_of_fault.h"
#include "epoch/sample.h"
#include "session/session.h"
#include "support/readable.h"

#include "support/poison.h"

namespace cowscope::epoch {
namespace {

// Registers are kept for the first few events of each site: enough to see that a value that is
// stored is the old one plus or minus one.
constexpr uint32_t kExemplarsASite = 4;

// The part in use of the main thread's stack, which ends above its environment; nothing where `sp`
// is on another stack.
AddressRange main_stack(uint64_t sp) {
    const auto top = reinterpret_cast<uint64_t>(session::environment);
    if (sp >= top || top - sp >= cpu::kMainStackReach) return {};
    return {sp, top};
}

const Mapping* find_stack_mapping(Epoch& epoch, uint64_t sp) {
    const Mapping* mapping = known_mappings.find(sp);
    if (mapping == nullptr) mapping = find_mapping(epoch, sp);
    if (mapping == nullptr) return nullptr;
    // The stack may have been made of memory that nobody could read when the mappings were told. Or
    // it is empty, and what begins at its end is another one's guard.
    return mapping->readable || is_word_readable(sp) ? mapping : nullptr;
}

// Whether the kernel has just written to the page that `sp` points to: the end of this signal's
// frame lies close below the red zone. A stack may be
// empty, and its end that of its mapping.
bool holds_signal_frame(const Fault& fault) {
    return !fault.own_frames.empty() &&
           fault.registers.sp % cpu::kPageBytes >= cpu::kSignalFrameEndBytes;
}

bool find_stack(Epoch& epoch, const Fault& fault, unwind::StackRange* range) {
    const uint64_t sp = fault.registers.sp;
    const AddressRange main = main_stack(sp);
    if (!main.empty()) {
        epoch.main_stack.begin(removals_version());
        *range = {sp, main.end, holds_signal_frame(fault), &epoch.main_stack};
        return true;
    }
    const Mapping* mapping = find_stack_mapping(epoch, sp);
    if (mapping == nullptr) return false;
    *range = {sp, mapping->end, holds_signal_frame(fault)};
    return true;
}

// Whether the thread is in the runtime's code, by the walk that has just been made.
runtime::InCode in_runtime(const Epoch& epoch) {
    const AddressRange& code = runtime::active.code;
    const auto& walk = epoch.last_walk;
    for (uint32_t i = 0; i < walk.depth(); ++i) {
        if (walk.ips()[i] >= code.start && walk.ips()[i] < code.end) return runtime::InCode::yes;
    }
    return walk.is_complete() ? runtime::InCode::no : runtime::InCode::unknown;
}

runtime::Memory readable_memory(const Epoch& epoch, const Fault& fault) {
    return {memory_version(), main_stack(fault.registers.sp), in_runtime(epoch)};
}

InternTable::Entry* add_site(Epoch& epoch) {
    auto& writer = session::self.writer;
    const uint32_t id = epoch.sites.count();
    const auto& walk = epoch.last_walk;
    const uint32_t depth = walk.depth();
    trace::StackRecord* stack;
    trace::SiteRecord* site;
    if (!writer.begin_two(trace::RecordType::stack, depth * sizeof(uint64_t), &stack,
                          trace::RecordType::site, sizeof(*site), &site)) {
        return nullptr;
    }
    // Before they are committed: an id that is not remembered would be given out twice.
    InternTable::Entry* entry = epoch.sites.insert(epoch.arena, walk.key(), id);
    if (entry == nullptr) return nullptr;
    stack->header.flags = walk.is_complete() ? 0 : trace::kStackTruncated;
    stack->id = id;
    stack->depth = depth;
    std::memcpy(stack + 1, walk.ips(), depth * sizeof(uint64_t));
    site->id = id;
    site->stack = id;
    site->instruction_pointer = walk.ips()[0];
    read_code(walk.ips()[0], site->code);
    if (writer.commit()) return entry;
    epoch.sites.forget(entry);
    return nullptr;
}

// Fills epoch.last_walk with the innermost frames.
void walk_stack(Epoch& epoch, const Fault& fault, uint32_t limit) {
    unwind::StackRange stack = {};
    if (find_stack(epoch, fault, &stack)) {
        epoch.last_walk.walk(&walker, fault.registers, stack, limit);
    } else {
        epoch.last_walk.set_innermost(fault.registers.ip);
    }
}

InternTable::Entry* find_site(Epoch& epoch, const Fault& fault) {
    walk_stack(epoch, fault, session::options.max_stack);
    InternTable::Entry* site = epoch.sites.find(epoch.last_walk.key());
    return site != nullptr ? site : add_site(epoch);
}

// Room for an event, behind the registers that it was found with where `is_exemplar`. One without
// the other would be taken for another's.
trace::EventRecord* begin_event(uint32_t site, const ucontext_t& context, bool is_exemplar,
                                size_t bytes) {
    auto& writer = session::self.writer;
    if (!is_exemplar) {
        return static_cast<trace::EventRecord*>(
            writer.begin_bytes(trace::RecordType::event, bytes));
    }
    trace::ExemplarRecord* exemplar;
    trace::EventRecord* event;
    if (!writer.begin_two(trace::RecordType::exemplar, 0, &exemplar, trace::RecordType::event,
                          bytes, &event)) {
        return nullptr;
    }
    exemplar->site = site;
    exemplar->padding = 0;
    cpu::copy_registers(context, exemplar->registers);
    return event;
}

// The kernel has put this signal's frame on the stack. Where that were new pages, no instruction of
// the program has touched them yet, and none will fault on them.
void classify_frame_pages(Epoch& epoch, const Fault& fault) {
    const uint64_t first = cpu::page_of(fault.own_frames.start);
    if (first == epoch.frame_page) return;
    epoch.frame_page = first;
    const uint64_t nothing[2] = {0, 0};
    Fault of_frame = fault;
    of_frame.safe_from = kNothingIsSafe;
    for (uint64_t page = first; page < fault.own_frames.end; page += cpu::kPageBytes) {
        if (page == cpu::page_of(fault.address)) continue;
        of_frame.address = page;
        if (is_zero_page(of_frame, nothing)) classify_page(page, true);
    }
}

// Whether a fault may be a copy, before the inherited pages are known.
bool classify_by_page(const Fault& fault, const uint64_t (&start)[2]) {
    const bool is_fresh = is_zero_page(fault, start);
    classify_page(cpu::page_of(fault.address), is_fresh);
    return !is_fresh;
}

// Whether the event is worth to be recorded; its flags. `is_before_list`: the inherited pages were
// not known when it came.
bool judge(Epoch& epoch, const Fault& fault, bool is_before_list, const uint64_t (&start)[2],
           uint16_t* flags) {
    if (is_before_list) {
        *flags |= trace::kBeforeList;
        return classify_by_page(fault, start);
    }
    if (epoch.inherited.contains(fault.address)) {
        if (is_zero_page(fault, start)) *flags |= trace::kZeroPage;
        return true;
    }
    *flags |= trace::kMovedPage;
    return is_moved_page(epoch, fault, start);
}

runtime::Observation ask_runtime(Epoch& epoch, const Fault& fault, const uint64_t (&words)[2],
                                 uint32_t site) {
    if (!epoch.runtime.begin(epoch.arena)) return {};
    const session::Options& options = session::options;
    runtime::Write write = {fault.address, {words[0], words[1]},          fault.safe_from,
                            site,          readable_memory(epoch, fault), {}};
    cpu::copy_registers(*fault.context, write.registers);
    return epoch.runtime.observe(epoch.arena, session::self.writer.sink(), write,
                                 {options.max_stack, options.values});
}

// Behind the bound it is counted elsewhere.
void count_unwritten(const Fault& fault) {
    auto& writer = session::self.writer;
    if (writer.has_reached_limit()) return;
    writer.count_loss(&trace::LossRecord::unwritten_events, uint64_t{fault.weight} * fault.pages);
}

// Whether an event was recorded.
bool record_event(Epoch& epoch, Fault& fault) {
    auto& writer = session::self.writer;

    const bool is_before_list = epoch.state.is(State::witnessing);
    if (is_before_list) {
        classify_frame_pages(epoch, fault);
        // Half of a short-lived child's faults are the first looks at code.
        const bool is_private_here =
            !is_unshared(epoch, fault.address) && is_private(fault.address);
        if (!is_private_here || epoch.renewed.has(fault.address)) {
            if (is_private_here) classify_page(cpu::page_of(fault.address), true);
            writer.count_loss(&trace::LossRecord::fresh_faults, fault.weight);
            return false;
        }
    }
    const Mapping* mapping = recall_mapping(epoch, fault.address);
    fault.safe_from = find_safe_from(mapping, fault.address);
    const bool is_hugetlb = mapping != nullptr && mapping->is_hugetlb;
    uint64_t words[2] = {0, 0};
    uint16_t flags = read_words(fault, words);
    if (!judge(epoch, fault, is_before_list, words, &flags)) {
        writer.count_loss(&trace::LossRecord::fresh_faults, fault.weight);
        return false;
    }
    if (is_hugetlb) {
        flags |= trace::kHugePage;
        fault.pages = kHugePages;
    }
    fault.is_copy = true;
    if (!tell_epoch()) {
        count_unwritten(fault);
        return false;
    }

    InternTable::Entry* site = find_site(epoch, fault);
    if (site == nullptr) {
        count_unwritten(fault);
        return false;
    }
    // Where the handler may not read, there is nothing to look at.
    runtime::Observation seen;
    if ((flags & trace::kNoWord) == 0) seen = ask_runtime(epoch, fault, words, site->value);
    // With another's weight it would say something else.
    if (!write_weight(fault.weight)) {
        count_unwritten(fault);
        return false;
    }
    flags |= seen.flags;
    const bool is_next_word_known = (flags & (trace::kNoWord | trace::kNoNextWord)) == 0;
    const bool is_short = is_next_word_known && seen.type != 0 && words[1] == seen.type;
    if (is_short) flags |= trace::kNextWordIsType;
    trace::EventRecord* record =
        begin_event(site->value, *fault.context, site->uses < kExemplarsASite,
                    is_short ? trace::kShortEventBytes : sizeof(trace::EventRecord));
    if (record == nullptr) {
        count_unwritten(fault);
        return false;
    }
    ++site->uses;
    record->header.flags = flags;
    record->time_ns = sys::monotonic_ns();
    record->address = fault.address;
    record->word = words[0];
    record->type = seen.type;
    record->object_offset = seen.object_offset;
    record->runtime_stack = seen.stack;
    record->site = site->value;
    record->tid = static_cast<uint32_t>(fault.tid);
    if (!is_short) record->next_word = words[1];
    if (!writer.commit()) {
        count_unwritten(fault);
        return false;
    }
    epoch.told_copies += uint64_t{fault.weight} * fault.pages;
    return true;
}

void count_copy(Epoch& epoch, const Fault& fault) {
    const uint32_t max_stack = session::options.max_stack;
    const uint32_t limit = max_stack < trace::kAggregateDepth ? max_stack : trace::kAggregateDepth;
    walk_stack(epoch, fault, limit);
    CountedSite place = {};
    place.ips = epoch.last_walk.ips();
    place.depth = epoch.last_walk.depth();
    runtime::CountedFrame frames[trace::kAggregateFrameDepth];
    place.runtime_frames = frames;
    if (epoch.runtime.begin(epoch.arena)) {
        place.runtime_depth = epoch.runtime.count_frames(readable_memory(epoch, fault), frames,
                                                         trace::kAggregateFrameDepth);
        place.runtime = &epoch.runtime;
    }
    place.tid = static_cast<uint32_t>(fault.tid);
    count_copies(place, uint64_t{fault.weight} * fault.pages);
}

}  // namespace

bool record_copy(Epoch& epoch, Fault& fault) {
    bool is_event = false;
    if (session::self.is_counting) {
        fault.is_copy = is_copy_by_page(epoch, fault) && still_shares();
    } else {
        is_event = record_event(epoch, fault);
        if (!session::self.writer.has_reached_limit()) return is_event;
        go_on_counting();
    }
    if (is_event || !fault.is_copy) return is_event;
    count_copy(epoch, fault);
    return true;
}

}  // namespace cowscope::epoch
