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

bool find_stack(Tracked& tracked, uint64_t sp, unwind::StackRange* range) {
    const process::Mapping* mapping = tracked.mappings.find(sp);
    if (mapping == nullptr) {
        // A stack that is younger than the fork.
        if (tracked.mappings.read(tracked.arena, tracked.scratch) != 0) return false;
        mapping = tracked.mappings.find(sp);
    }
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

// Eight bytes that the program may not own in full: those on `page` are there (it was just copied),
// those behind its end perhaps not.
bool read_word(uint64_t address, uint64_t page, uint64_t* word) {
    if (address >= page && address <= page + kPage - sizeof(*word)) {
        std::memcpy(word, reinterpret_cast<const void*>(address), sizeof(*word));
        return true;
    }
    return guarded_read(address, word);
}

void record_fault(void* argument) {
    const Fault& fault = *static_cast<const Fault*>(argument);
    Tracked& tracked = *process::process.tracked;
    auto& writer = process::process.writer;

    InternTable::Entry* site = find_site(tracked, fault.registers);
    if (site == nullptr) {
        ++writer.loss()->unwritten_events;
        return;
    }
    if (site->uses++ < kExemplarsASite) write_exemplar(site->value, *fault.context);

    const uint64_t page = fault.address & ~(kPage - 1);
    uint64_t word = 0;
    uint64_t neighbour = 0;
    uint16_t flags = 0;
    if (!read_word(fault.address, page, &word)) flags |= trace::kNoWord;
    if (!read_word(fault.address + 8, page, &neighbour)) flags |= trace::kNoNeighbour;
    if (neighbour != 0) tracked.types.record(tracked.arena, &writer, neighbour);

    auto* record = writer.begin<trace::EventRecord>(trace::RecordType::event);
    if (record == nullptr) return;
    record->header.flags = flags;
    record->time_ns = sys::monotonic_ns();
    record->address = fault.address;
    record->word = word;
    record->neighbour = neighbour;
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
        if (!tracked->inherited.contains(info.address)) {
            ++loss.fresh_faults;
        } else if ((info.flags & kTrapPerfAsync) == 0) {
            last_event = {fault.registers.ip, fault.registers.sp};
            cowscope_call_on_stack(record_fault, const_cast<Fault*>(&fault),
                                   tracked->handler_stack + sizeof(tracked->handler_stack));
        } else if (last_event.ip != fault.registers.ip || last_event.sp != fault.registers.sp) {
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
