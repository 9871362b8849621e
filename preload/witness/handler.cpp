#include "witness/handler.h"

#include <cstring>

#include "epoch/counting.h"
#include "epoch/process.h"
#include "hooks/signals.h"
#include "hooks/waiting_threads.h"
#include "runtime/cpython/interpreter.h"
#include "support/readable.h"
#include "support/threads.h"
#include "witness/fault.h"
#include "witness/registers_x86_64.h"

#include "support/poison.h"

extern "C" void cowscope_call_on_stack(void (*function)(void*), void* argument, void* stack_top);

namespace cowscope::witness {
namespace {

constexpr uint64_t kPage = tracker::kPageBytes;
// Registers are kept for the first few events of each site: enough to see that a value that is
// stored is the old one plus or minus one.
constexpr uint32_t kExemplarsASite = 4;

// The main thread's stack ends above its environment, and nothing else comes near below it
// (arch/x86/mm/mmap.c, mmap_base(): a gap of at least 128 MiB).
constexpr uint64_t kMainStackReach = uint64_t{64} << 20;

// Its part that is in use; nothing where `sp` is on another stack.
AddressRange main_stack(uint64_t sp) {
    const auto top = reinterpret_cast<uint64_t>(process::process.environment);
    if (sp >= top || top - sp >= kMainStackReach) return {};
    return {sp, top};
}

const Mapping* find_stack_mapping(Tracked& tracked, uint64_t sp) {
    const Mapping* mapping = process::known_mappings.find(sp);
    if (mapping == nullptr) mapping = find_mapping(tracked, sp);
    if (mapping == nullptr) return nullptr;
    // The stack may have been made of memory that nobody could read when the mappings were told. Or
    // it is empty, and what begins at its end is another one's guard.
    return mapping->readable || is_word_readable(sp) ? mapping : nullptr;
}

// Whether the kernel has just written to the page that `sp` points to: the end of this signal's
// frame lies close below the red zone (arch/x86/kernel/signal.c, get_sigframe()). A stack may be
// empty, and its end that of its mapping.
bool holds_signal_frame(const Fault& fault) {
    constexpr uint64_t kWithFrameEnd = 256;
    return !fault.own_frames.empty() && fault.registers.sp % kPage >= kWithFrameEnd;
}

bool find_stack(Tracked& tracked, const Fault& fault, unwind::StackRange* range) {
    const uint64_t sp = fault.registers.sp;
    const AddressRange main = main_stack(sp);
    if (!main.empty()) {
        tracked.main_stack.begin(process::removals_version());
        *range = {sp, main.end, holds_signal_frame(fault), &tracked.main_stack};
        return true;
    }
    const Mapping* mapping = find_stack_mapping(tracked, sp);
    if (mapping == nullptr) return false;
    *range = {sp, mapping->end, holds_signal_frame(fault)};
    return true;
}

// Whether the thread is in the interpreter's code, by the walk that has just been made.
cpython::InPython in_python(const Tracked& tracked) {
    const cpython::Interpreter& python = cpython::interpreter();
    const auto& walk = tracked.last_walk;
    for (uint32_t i = 0; i < walk.depth(); ++i) {
        if (walk.ips()[i] >= python.module_start && walk.ips()[i] < python.module_end) {
            return cpython::InPython::yes;
        }
    }
    return walk.is_complete() ? cpython::InPython::no : cpython::InPython::unknown;
}

cpython::Memory readable_memory(const Tracked& tracked, const Fault& fault) {
    return {process::memory_version(), main_stack(fault.registers.sp), in_python(tracked)};
}

InternTable::Entry* add_site(Tracked& tracked) {
    auto& writer = process::process.writer;
    const uint32_t id = tracked.sites.count();
    const auto& walk = tracked.last_walk;
    const uint32_t depth = walk.depth();
    trace::StackRecord* stack;
    trace::SiteRecord* site;
    if (!writer.begin_two(trace::RecordType::stack, depth * sizeof(uint64_t), &stack,
                          trace::RecordType::site, sizeof(*site), &site)) {
        return nullptr;
    }
    // Before they are committed: an id that is not remembered would be given out twice.
    InternTable::Entry* entry = tracked.sites.insert(tracked.arena, walk.key(), id);
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
    tracked.sites.forget(entry);
    return nullptr;
}

// Fills tracked.last_walk with the innermost frames.
void walk_stack(Tracked& tracked, const Fault& fault, uint32_t limit) {
    unwind::StackRange stack = {};
    if (find_stack(tracked, fault, &stack)) {
        tracked.last_walk.walk(&process::walker, fault.registers, stack, limit);
    } else {
        tracked.last_walk.set_innermost(fault.registers.ip);
    }
}

InternTable::Entry* find_site(Tracked& tracked, const Fault& fault) {
    walk_stack(tracked, fault, process::process.options.max_stack);
    InternTable::Entry* site = tracked.sites.find(tracked.last_walk.key());
    return site != nullptr ? site : add_site(tracked);
}

// Room for an event, behind the registers that it was found with where `is_exemplar`. One without
// the other would be taken for another's.
trace::EventRecord* begin_event(uint32_t site, const ucontext_t& context, bool is_exemplar,
                                size_t bytes) {
    auto& writer = process::process.writer;
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
    copy_registers(context, exemplar->registers);
    return event;
}

// The kernel has put this signal's frame on the stack. Where that were new pages, no instruction of
// the program has touched them yet, and none will fault on them.
void judge_frame_pages(Tracked& tracked, const Fault& fault) {
    const uint64_t first = fault.own_frames.start & ~(kPage - 1);
    if (first == tracked.frame_page) return;
    tracked.frame_page = first;
    const uint64_t nothing[2] = {0, 0};
    Fault of_frame = fault;
    of_frame.stays_from = kNothingStays;
    for (uint64_t page = first; page < fault.own_frames.end; page += kPage) {
        if (page == (fault.address & ~(kPage - 1))) continue;
        of_frame.address = page;
        if (is_zero_page(of_frame, nothing)) process::judge_page(page, true);
    }
}

// Whether a fault may be a copy, before the inherited pages are known.
bool judge_by_page(const Fault& fault, const uint64_t (&start)[2]) {
    const bool is_fresh = is_zero_page(fault, start);
    process::judge_page(fault.address & ~(kPage - 1), is_fresh);
    return !is_fresh;
}

// Whether the event is worth to be recorded; its flags. `is_unlisted`: the inherited pages were not
// known when it came.
bool judge(Tracked& tracked, const Fault& fault, bool is_unlisted, const uint64_t (&start)[2],
           uint16_t* flags) {
    if (is_unlisted) {
        *flags |= trace::kUnlisted;
        return judge_by_page(fault, start);
    }
    if (tracked.inherited.contains(fault.address)) {
        if (is_zero_page(fault, start)) *flags |= trace::kZeroPage;
        return true;
    }
    *flags |= trace::kMovedPage;
    return is_moved_page(tracked, fault, start);
}

bool has_python(Tracked& tracked) {
    if (cpython::interpreter().type_type == 0) return false;
    if (tracked.python == nullptr) {
        tracked.python = tracked.arena.create_object<cpython::Observer>();
    }
    return tracked.python != nullptr;
}

cpython::Observation observe_python(Tracked& tracked, const Fault& fault,
                                    const uint64_t (&words)[2], uint32_t site) {
    if (!has_python(tracked)) return {};
    auto& writer = process::process.writer;
    const session::Options& options = process::process.options;
    cpython::Write write = {fault.address,
                            {words[0], words[1]},
                            fault.stays_from,
                            site,
                            readable_memory(tracked, fault),
                            {}};
    copy_registers(*fault.context, write.registers);
    const cpython::Observation seen =
        tracked.python->observe(tracked.arena, &writer, write, options.max_stack);
    if (options.values) tracked.python->record_value(tracked.arena, &writer, write, seen);
    return seen;
}

// Behind the bound it is counted elsewhere.
void count_unwritten(const Fault& fault) {
    auto& writer = process::process.writer;
    if (writer.reached_bound()) return;
    writer.count_loss(&trace::LossRecord::unwritten_events, uint64_t{fault.weight} * fault.pages);
}

// Whether an event was recorded.
bool record_event(Tracked& tracked, Fault& fault) {
    auto& writer = process::process.writer;
    if (tracked.python != nullptr) tracked.python->prefetch();

    const bool is_unlisted = tracked.stage == process::Stage::witnessing;
    if (is_unlisted) {
        judge_frame_pages(tracked, fault);
        // Half of a short-lived child's faults are the first looks at code.
        const bool is_private_here =
            !is_unshared(tracked, fault.address) && is_private(fault.address);
        if (!is_private_here || tracked.renewed.has(fault.address)) {
            if (is_private_here) process::judge_page(fault.address & ~(kPage - 1), true);
            writer.count_loss(&trace::LossRecord::fresh_faults, fault.weight);
            return false;
        }
    }
    const Mapping* mapping = recall_mapping(tracked, fault.address);
    fault.stays_from = find_stays_from(mapping, fault.address);
    const bool is_hugetlb = mapping != nullptr && mapping->is_hugetlb;
    uint64_t words[2] = {0, 0};
    uint16_t flags = read_words(fault, words);
    if (!judge(tracked, fault, is_unlisted, words, &flags)) {
        writer.count_loss(&trace::LossRecord::fresh_faults, fault.weight);
        return false;
    }
    if (is_hugetlb) {
        flags |= trace::kHugePage;
        fault.pages = kHugePages;
    }
    fault.is_copy = true;
    if (!process::tell_generation()) {
        count_unwritten(fault);
        return false;
    }

    InternTable::Entry* site = find_site(tracked, fault);
    if (site == nullptr) {
        count_unwritten(fault);
        return false;
    }
    // Where the handler may not read, there is nothing to look at.
    cpython::Observation python;
    if ((flags & trace::kNoWord) == 0) python = observe_python(tracked, fault, words, site->value);
    // With another's weight it would say something else.
    if (!process::write_weight(fault.weight)) {
        count_unwritten(fault);
        return false;
    }
    flags |= python.object.flags;
    const bool is_neighbour_known = (flags & (trace::kNoWord | trace::kNoNeighbour)) == 0;
    const bool is_short =
        is_neighbour_known && python.object.type != 0 && words[1] == python.object.type;
    if (is_short) flags |= trace::kNeighbourIsType;
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
    record->type = python.object.type;
    record->object_offset = python.object.offset;
    record->python_stack = python.python_stack;
    record->site = site->value;
    record->tid = static_cast<uint32_t>(fault.tid);
    if (!is_short) record->neighbour = words[1];
    if (!writer.commit()) {
        count_unwritten(fault);
        return false;
    }
    tracked.told_copies += uint64_t{fault.weight} * fault.pages;
    return true;
}

void count_copy(Tracked& tracked, const Fault& fault) {
    const uint32_t max_stack = process::process.options.max_stack;
    const uint32_t limit = max_stack < trace::kLaterDepth ? max_stack : trace::kLaterDepth;
    walk_stack(tracked, fault, limit);
    process::CountedPlace place = {};
    place.ips = tracked.last_walk.ips();
    place.depth = tracked.last_walk.depth();
    cpython::CountedFrame python[trace::kLaterPythonDepth];
    place.python = python;
    if (has_python(tracked)) {
        place.python_depth = tracked.python->capture_counted(readable_memory(tracked, fault),
                                                             python, trace::kLaterPythonDepth);
        place.code_reader = tracked.python->code_reader();
    }
    place.tid = static_cast<uint32_t>(fault.tid);
    process::count_copies(place, uint64_t{fault.weight} * fault.pages);
}

// Whether it was recorded, or counted.
bool take_fault(Tracked& tracked, Fault& fault) {
    bool is_event = false;
    if (process::process.is_counting) {
        fault.is_copy = is_copy_by_page(tracked, fault) && process::still_shares();
    } else {
        is_event = record_event(tracked, fault);
        if (!process::process.writer.reached_bound()) return is_event;
        process::go_on_counting();
    }
    if (is_event || !fault.is_copy) return is_event;
    count_copy(tracked, fault);
    return true;
}

void record_fault(void* argument) {
    Fault& fault = *static_cast<Fault*>(argument);
    const bool is_event = take_fault(*process::process.tracked, fault);
    process::count_fault(is_event, fault);
}

// What lies between the interrupted instruction's red zone and here was written for this signal.
AddressRange own_frames(uint64_t interrupted_sp) {
    // System V ABI, x86-64, 3.2.2; and what the functions below this one push.
    constexpr uint64_t kRedZone = 128;
    constexpr uint64_t kBelow = 1024;
    // A signal's frame has up to 11 KiB of registers (Intel SDM 1, 13.5: with AMX).
    constexpr uint64_t kMostBytes = 32 * 1024;
    const auto here = reinterpret_cast<uint64_t>(__builtin_frame_address(0));
    const bool is_on_that_stack = here < interrupted_sp && interrupted_sp - here < kMostBytes;
    if (!is_on_that_stack) return {};
    return {here - kBelow, interrupted_sp - kRedZone};
}

// Signals that were held back have lost their place: only that there was a copy can be said. Before
// the inherited pages are known, the parent of a forked child knows.
bool is_lost_copy(const Tracked& tracked, uint64_t address) {
    if (tracked.stage == process::Stage::tracking) return tracked.inherited.contains(address);
    return tracked.stage == process::Stage::witnessing && !is_unshared(tracked, address) &&
           !tracked.renewed.has(address) && is_private(address) && process::process.forks == 0 &&
           process::process.look.parent().has(address);
}

void record_late_fault(void* argument) {
    const Fault& fault = *static_cast<const Fault*>(argument);
    Tracked& tracked = *process::process.tracked;
    if (is_lost_copy(tracked, fault.address)) {
        const Mapping* mapping = recall_mapping(tracked, fault.address);
        const bool is_hugetlb = mapping != nullptr && mapping->is_hugetlb;
        const uint64_t copies = uint64_t{fault.weight} * (is_hugetlb ? kHugePages : 1);
        if (process::process.is_counting) {
            process::count_late_copies(copies);
        } else {
            process::process.writer.count_loss(&trace::LossRecord::blocked_events, copies);
        }
    }
    // There may have been more than this signal tells, and there may be again.
    tracked.has_unseen_faults = true;
    process::stop_judging_by_page();
}

// A signal that says nothing needs no look at anything.
bool is_restart(const kernel::PerfSiginfo& info) {
    process::process.lock.lock();
    const bool takes = process::process.trap.takes(info);
    process::process.lock.unlock();
    return !takes;
}

void handle(pid_t tid, const kernel::PerfSiginfo& info, const ucontext_t& context) {
    if (weight_of(info) > 1 && is_restart(info)) return;
    Fault fault = {};
    fault.address = info.address;
    fault.event_index = event_of(info);
    fault.weight = weight_of(info);
    fault.tid = tid;
    fault.registers = unwind_registers(context);
    fault.context = &context;
    fault.own_frames = own_frames(fault.registers.sp);
    process::process.lock.lock();
    process::process.trap.count_told(info);
    Tracked* tracked = process::process.tracked;
    if (tracked != nullptr && process::is_watching()) {
        ++tracked->faults_told;
        unsigned char* stack = tracked->handler_stack + sizeof(tracked->handler_stack);
        const uint64_t ip = fault.registers.ip;
        const uint64_t sp = fault.registers.sp;
        const bool is_late = (info.perf_flags & kernel::kTrapPerfFlagAsync) != 0;
        const bool is_own = is_late && tracked->last_events.is_last(tid, ip, sp);
        // A late one leaves another behind it just as well.
        tracked->last_events.note(tid, ip, sp);
        if (!is_late) {
            cowscope_call_on_stack(record_fault, &fault, stack);
        } else if (!is_own && !is_unshared(*tracked, info.address)) {
            cowscope_call_on_stack(record_late_fault, &fault, stack);
        }
    }
    process::process.lock.unlock();
}

}  // namespace

void count_late(const kernel::PerfSiginfo& info) {
    Tracked* tracked = process::process.tracked;
    if (tracked == nullptr || !process::is_watching()) return;
    if (!process::process.trap.takes(info)) return;
    process::process.trap.count_told(info);
    Fault fault = {info.address, event_of(info), weight_of(info), sys::gettid(), {}, nullptr, {}};
    cowscope_call_on_stack(record_late_fault, &fault,
                           tracked->handler_stack + sizeof(tracked->handler_stack));
}

void on_trap(int signal, siginfo_t* info, void* context) {
    const auto& trap = *reinterpret_cast<const kernel::PerfSiginfo*>(info);
    if (!is_ours(trap)) {
        process::pass_trap_to_host(signal, info, context);
        return;
    }
    // Whoever holds the lock has all signals blocked. But where the holder itself runs into memory
    // that is not there, the kernel opens SIGSEGV, and first takes what else is pending of the
    // signals of faults, blocked or not (kernel/signal.c, dequeue_synchronous_signal()). The
    // process is about to end.
    if (process::process.lock.is_held_here()) return;
    process::waiting_threads.let_in(static_cast<ucontext_t*>(context));
    // Events pass to threads, not to processes: it is of this one. A thread that is alone has the
    // process's number, but for those that libc has not made; gaps are set by thread.
    const bool has_pid = is_only_thread() && weight_of(trap) == 1;
    const pid_t tid = has_pid ? process::process.pid : sys::gettid();
    handle(tid, trap, *static_cast<const ucontext_t*>(context));
}

}  // namespace cowscope::witness
