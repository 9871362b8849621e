#include "epoch/aggregate.h"

#include <atomic>
#include <cstring>

#include "arch/cpu.h"
#include "epoch/end.h"
#include "epoch/epoch.h"
#include "epoch/page_of_fault.h"
#include "session/aggregate_file.h"
#include "session/session.h"
#include "support/hash.h"

#include "support/poison.h"

namespace cowscope::epoch {
namespace {

// Frames that tell places apart. What stands further out is that of the first who came by.
// Between frames of a runtime and the instruction stands its interpreter.
constexpr uint32_t kPlaceDepth = 6;
constexpr uint32_t kPlaceRuntimeDepth = 2;
// A place that copied so many pages gets names from what is left for them.
constexpr uint64_t kHeavyCopies = 64;

// A page that nobody writes to once it was forked: all of the family that live share it.
constinit void* sentinel = nullptr;

// Returns what it was before. Of the bound's file or, where that can always be written, of the
// table's.
uint64_t add(uint64_t& counter, uint64_t value) {
    if (!session::budget.may_store()) return 0;
    return std::atomic_ref<uint64_t>(counter).fetch_add(value, std::memory_order_relaxed);
}

trace::AggregateCounts& counts() {
    return session::aggregate_file.exists() ? session::aggregate_file.counts()
                                            : session::budget.file().counts;
}

void create_sentinel() {
    void* page = sys::mmap(sys::OwnPlace::sentinel, cpu::kPageBytes, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS);
    if (sys::failed(page)) return;
    *static_cast<volatile char*>(page) = 1;
    sentinel = page;
}

void start_counting() {
    session::self.is_counting = true;
    session::aggregate_file.populate();
    add(counts().processes, 1);
}

// The number of the code object in the table; 0 where it has no name there.
uint32_t name_code(const runtime::CountedFrame& frame, runtime::Observer* runtime) {
    // Longer ones are of modules that are generated; a function has a few hundred bytes.
    constexpr uint64_t kMaxLineTableBytes = 4 * 1024;
    session::CodeStore codes = session::aggregate_file.codes();
    runtime::CodeText text;
    if (!runtime->read_code(frame.code, kMaxLineTableBytes, &text)) return 0;
    // Each worker that imports a module for itself has code objects of its own.
    const uint32_t known = codes.find(text.key);
    if (known != 0) return known;
    auto* record = static_cast<trace::RuntimeCodeRecord*>(codes.take_room(text.record_bytes));
    if (record == nullptr || !runtime->write_code(record)) return 0;
    record->header.type = trace::RecordType::runtime_code;
    record->header.bytes = static_cast<uint32_t>((text.record_bytes + 7) & ~size_t{7});
    return codes.add(text.key, record);
}

void name_codes(trace::AggregateSlot* slot, const CountedSite& place) {
    for (uint32_t i = 0; i < place.runtime_depth && i < slot->runtime_depth; ++i) {
        // Others come by the same place with other callers.
        if (slot->runtime_frames[i].code != place.runtime_frames[i].code) break;
        slot->runtime_frames[i].code_number = name_code(place.runtime_frames[i], place.runtime);
    }
}

void describe(trace::AggregateSlot* slot, const CountedSite& place, bool is_heavy) {
    slot->pid = static_cast<uint32_t>(session::self.pid);
    slot->tid = place.tid;
    slot->depth = static_cast<uint8_t>(place.depth);
    slot->runtime_depth = static_cast<uint8_t>(place.runtime_depth);
    std::memcpy(slot->ips, place.ips, place.depth * sizeof(uint64_t));
    for (uint32_t i = 0; i < place.runtime_depth; ++i) {
        const runtime::CountedFrame& frame = place.runtime_frames[i];
        slot->runtime_frames[i] = {frame.code, frame.instruction_offset, 0};
    }
    if (is_heavy || !session::aggregate_file.codes().is_half_full()) name_codes(slot, place);
    read_code(place.ips[0], slot->code);
    session::CallSiteTable::set_complete(slot);
}

// Once more, where there was no name left for a place that copied little.
void name_heavy_place(trace::AggregateSlot* slot, uint64_t key, const CountedSite& place) {
    if (place.runtime_depth == 0 || !session::CallSiteTable::hold(slot, key)) return;
    if (slot->runtime_frames[0].code_number == 0) name_codes(slot, place);
    session::CallSiteTable::release(slot);
}

}  // namespace

void prepare_counting() {
    if (!session::budget.is_set() || session::aggregate_file.exists()) return;
    if (sentinel == nullptr) create_sentinel();
    session::aggregate_file.create();
}

void go_on_counting() {
    if (session::self.is_counting) return;
    session::self.writer.set_closing(true);
    look_last(false);
    trace::EndRecord end = {};
    end.header = {sizeof(end), trace::RecordType::end, 0};
    end.time_ns = sys::monotonic_ns();
    end.kind = trace::EndKind::bound;
    session::self.writer.append(end.header);
    session::self.writer.trim();
    session::self.writer.seal();
    sharing.tracker.close();
    start_counting();
    Epoch* epoch = sharing.epoch;
    if (epoch == nullptr) return;
    epoch->inherited.clear();
    epoch->lacks_tracker = true;
    epoch->pages_to_classify = 0;
    // Alone for now, and blind from its next fork on.
    const bool is_unwitnessed_from_next_fork =
        epoch->state.is(State::sole_owner) &&
        session::options.witness == session::WitnessChoice::off;
    if (!epoch->state.is_watching() && !is_unwitnessed_from_next_fork) return;
    const bool is_witnessed = sharing.trap.is_open();
    epoch->state.count(is_witnessed);
    if (!is_witnessed) count_unwitnessed_process();
}

bool begin_counting() {
    if (!session::self.is_counting && !session::budget.is_reached()) return false;
    start_counting();
    return true;
}

bool still_shares() {
    // Without the page nobody knows.
    if (sentinel == nullptr || !sharing.look.works() ||
        sharing.look.may_be_shared(reinterpret_cast<uint64_t>(sentinel))) {
        return true;
    }
    if (sharing.forks_under_way == 0) {
        sharing.trap.close();
        sharing.epoch->state.be_sole_owner();
    }
    return false;
}

void count_program() {
    add(session::budget.file().programs_not_recorded, 1);
}

void count_unwitnessed_process() {
    add(counts().unwitnessed_processes, 1);
}

void count_copies(const CountedSite& place, uint64_t copies) {
    trace::AggregateCounts& all = counts();
    add(all.copies, copies);
    const uint64_t event = add(all.witnessed, 1);
    const uint32_t most_depth = place.runtime_depth == 0 ? kPlaceDepth : 1;
    const uint32_t depth = place.depth < most_depth ? place.depth : most_depth;
    const uint32_t runtime_depth =
        place.runtime_depth < kPlaceRuntimeDepth ? place.runtime_depth : kPlaceRuntimeDepth;
    uint64_t frames[2 * kPlaceRuntimeDepth];
    for (uint32_t i = 0; i < runtime_depth; ++i) {
        frames[2 * i] = place.runtime_frames[i].code_key;
        frames[2 * i + 1] = static_cast<uint64_t>(place.runtime_frames[i].instruction_offset);
    }
    const uint64_t words[] = {hash_words(place.ips, depth),
                              hash_words(frames, uint64_t{2} * runtime_depth)};
    const uint64_t key = hash_words(words, 2);
    const auto found = session::aggregate_file.exists()
                           ? session::aggregate_file.places().find(key, event)
                           : session::CallSiteTable::Found{nullptr, false};
    if (found.slot == nullptr) {
        add(all.unplaced_copies, copies);
        return;
    }
    const uint64_t before = add(found.slot->copies, copies);
    if (found.is_new) {
        describe(found.slot, place, copies >= kHeavyCopies);
    } else if (before < kHeavyCopies && before + copies >= kHeavyCopies) {
        name_heavy_place(found.slot, key, place);
    }
}

void count_late_copies(uint64_t copies) {
    add(counts().copies, copies);
    add(counts().late_copies, copies);
}

void count_kernel_copy() {
    add(counts().copies, 1);
    add(counts().kernel_copies, 1);
}

}  // namespace cowscope::epoch
