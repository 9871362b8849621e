#include "witness/handler.h"

#include <cstring>

#include "process/process.h"
#include "process/signals.h"
#include "support/guarded_read.h"
#include "witness/registers_x86_64.h"

#include "support/poison.h"

extern "C" void cowscope_call_on_stack(void (*function)(void*), void* argument, void* stack_top);

namespace cowscope::witness {
namespace {

using process::Tracked;

constexpr uint64_t kPage = tracker::kPageBytes;
// Registers are kept for the first few events of each site: enough to see that a value that is
// stored is the old one plus or minus one.
constexpr uint32_t kExemplarsASite = 4;

struct Fault {
    uint64_t address;
    unwind::Registers registers;
    const ucontext_t* context;
};

// Where this thread was when the last event was recorded. The handler's own faults leave one more
// signal pending, which strikes before the thread has moved on.
struct LastEvent {
    uint64_t ip;
    uint64_t sp;
};
thread_local LastEvent last_event;

const process::Mapping* find_mapping(Tracked& tracked, uint64_t address) {
    const process::Mapping* mapping = tracked.mappings.find(address);
    if (mapping != nullptr) return mapping;
    // It is younger than what was read.
    if (tracked.mappings.read(tracked.arena, tracked.scratch) != 0) return nullptr;
    return tracked.mappings.find(address);
}

bool find_stack(Tracked& tracked, uint64_t sp, unwind::StackRange* range) {
    const process::Mapping* mapping = find_mapping(tracked, sp);
    if (mapping == nullptr || !mapping->readable) return false;
    *range = {sp, mapping->end};
    return true;
}

uint64_t hash_stack(const uint64_t* ips, uint32_t depth) {
    // MurmurHash2's mixing step, 64-bit variant (public domain, Austin Appleby).
    constexpr uint64_t kMultiplier = 0xc6a4a7935bd1e995u;
    uint64_t hash = depth * kMultiplier;
    for (uint32_t i = 0; i < depth; ++i) {
        uint64_t word = ips[i] * kMultiplier;
        word ^= word >> 47;
        hash = (hash ^ (word * kMultiplier)) * kMultiplier;
    }
    return hash ^ (hash >> 47);
}

void read_code(uint64_t ip, uint8_t (&code)[trace::kCodeBytes]) {
    std::memset(code, 0, sizeof(code));
    if (guarded_read(reinterpret_cast<const void*>(ip), code, sizeof(code))) return;
    const size_t bytes_to_page_end = kPage - ip % kPage;
    if (bytes_to_page_end < sizeof(code)) {
        guarded_read(reinterpret_cast<const void*>(ip), code, bytes_to_page_end);
    }
}

InternTable::Entry* add_site(Tracked& tracked, uint64_t key, uint32_t depth, bool complete) {
    auto& writer = process::process.writer;
    const uint32_t id = tracked.sites.count();
    auto* stack =
        writer.begin<trace::StackRecord>(trace::RecordType::stack, depth * sizeof(uint64_t));
    if (stack == nullptr) return nullptr;
    stack->header.flags = complete ? 0 : trace::kStackTruncated;
    stack->id = id;
    stack->depth = depth;
    std::memcpy(stack + 1, tracked.ips, depth * sizeof(uint64_t));
    writer.commit();
    auto* site = writer.begin<trace::SiteRecord>(trace::RecordType::site);
    if (site == nullptr) return nullptr;
    site->id = id;
    site->stack = id;
    site->instruction_pointer = tracked.ips[0];
    read_code(tracked.ips[0], site->code);
    writer.commit();
    return tracked.sites.insert(tracked.arena, key, id);
}

InternTable::Entry* find_site(Tracked& tracked, const unwind::Registers& registers) {
    unwind::StackRange stack = {};
    uint32_t depth = 1;
    bool complete = false;
    tracked.ips[0] = registers.ip;
    if (find_stack(tracked, registers.sp, &stack)) {
        depth = tracked.walker.walk(registers, stack, tracked.ips,
                                    process::process.options.max_stack, &complete);
    }
    const uint64_t key = hash_stack(tracked.ips, depth);
    InternTable::Entry* site = tracked.sites.find(key);
    return site != nullptr ? site : add_site(tracked, key, depth, complete);
}

void write_exemplar(uint32_t site, const ucontext_t& context) {
    auto& writer = process::process.writer;
    auto* record = writer.begin<trace::ExemplarRecord>(trace::RecordType::exemplar);
    if (record == nullptr) return;
    record->site = site;
    record->padding = 0;
    copy_registers(context, record->registers);
    writer.commit();
}

// Whether the page that holds `address` holds nothing but zeros. `start` is what was read there.
bool is_zero_page(Tracked& tracked, uint64_t address, const uint64_t (&start)[2]) {
    if ((start[0] | start[1]) != 0) return false;
    auto* words = reinterpret_cast<uint64_t*>(tracked.scratch);
    static_assert(sizeof(tracked.scratch) >= kPage);
    if (!guarded_read(reinterpret_cast<const void*>(address & ~(kPage - 1)), words, kPage)) {
        return false;
    }
    uint64_t any = 0;
    for (size_t i = 0; i < kPage / sizeof(uint64_t); ++i) any |= words[i];
    return any == 0;
}

// Whether memory that is not inherited was filled by mremap: it is private, of no file, and not
// new (new memory is zero).
bool is_moved_page(Tracked& tracked, uint64_t address, uint64_t sp, const uint64_t (&start)[2]) {
    if (is_zero_page(tracked, address, start)) return false;
    for (const tracker::AddressRange& range : process::process.unshared) {
        if (range.overlaps(address, address + 1)) return false;
    }
    const process::Mapping* mapping = find_mapping(tracked, address);
    if (mapping == nullptr) return false;
    // A new page of the thread's own stack is not empty any more: the kernel has put the frame of
    // this very signal there.
    if (sp >= mapping->start && sp <= mapping->end) return false;
    return mapping->is_private && !mapping->is_file && !mapping->special &&
           !tracked.own.overlaps(address, address + 1);
}

void record_fault(void* argument) {
    const Fault& fault = *static_cast<const Fault*>(argument);
    Tracked& tracked = *process::process.tracked;
    auto& writer = process::process.writer;

    // The word and its neighbour. Guarded, because another thread may take the page away meanwhile.
    uint64_t words[2] = {0, 0};
    uint16_t flags = 0;
    if (!guarded_read(reinterpret_cast<const void*>(fault.address), words, sizeof(words))) {
        flags = trace::kNoNeighbour;
        if (!guarded_read(fault.address, &words[0])) flags |= trace::kNoWord;
    }
    if (!tracked.inherited.contains(fault.address)) {
        if (!is_moved_page(tracked, fault.address, fault.registers.sp, words)) {
            ++writer.loss()->fresh_faults;
            return;
        }
        flags |= trace::kMovedPage;
    } else if (is_zero_page(tracked, fault.address, words)) {
        flags |= trace::kZeroPage;
    }

    InternTable::Entry* site = find_site(tracked, fault.registers);
    if (site == nullptr) {
        ++writer.loss()->unwritten_events;
        return;
    }
    if (site->uses++ < kExemplarsASite) write_exemplar(site->value, *fault.context);
    if (words[1] != 0) tracked.types.record(tracked.arena, &writer, words[1]);

    auto* record = writer.begin<trace::EventRecord>(trace::RecordType::event);
    if (record == nullptr) return;
    record->header.flags = flags;
    record->time_ns = sys::monotonic_ns();
    record->address = fault.address;
    record->word = words[0];
    record->neighbour = words[1];
    record->site = site->value;
    record->tid = static_cast<uint32_t>(sys::gettid());
    writer.commit();
    process::protect_when_worth_it();
}

void handle(const TrapInfo& info, const ucontext_t& context) {
    const Fault fault = {info.address, unwind_registers(context), &context};
    process::process.lock.lock();
    Tracked* tracked = process::process.tracked;
    if (tracked != nullptr && process::process.writer.is_open()) {
        trace::LossRecord& loss = *process::process.writer.loss();
        if ((info.flags & kTrapPerfAsync) == 0) {
            last_event = {fault.registers.ip, fault.registers.sp};
            cowscope_call_on_stack(record_fault, const_cast<Fault*>(&fault),
                                   tracked->handler_stack + sizeof(tracked->handler_stack));
        } else if (tracked->inherited.contains(info.address) &&
                   (last_event.ip != fault.registers.ip || last_event.sp != fault.registers.sp)) {
            ++loss.blocked_events;
        }
    }
    process::process.lock.unlock();
}

}  // namespace

void on_trap(int signal, siginfo_t* info, void* context) {
    const auto& trap = *reinterpret_cast<const TrapInfo*>(info);
    if (!is_ours(trap)) {
        process::pass_trap_to_host(signal, info, context);
        return;
    }
    if (process::is_current()) handle(trap, *static_cast<const ucontext_t*>(context));
}

}  // namespace cowscope::witness
