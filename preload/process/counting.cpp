#include "process/counting.h"

#include <errno.h>
#include <limits.h>
#include <sys/uio.h>

#include <atomic>
#include <cstring>

#include "process/process.h"
#include "segment/place_table.h"
#include "support/hash.h"
#include "witness/fault.h"

#include "support/poison.h"

namespace cowscope::process {
namespace {

constexpr uint64_t kPage = 4096;
// Room for 300 places, and for 1200. A C program has a few dozen, a Python program 150 and more.
constexpr uint64_t kLeastTableBytes = 128 * 1024;
constexpr uint64_t kMostTableBytes = 512 * 1024;
// Of what is left of the bound: many programs of one recording may fork.
constexpr uint64_t kTablePart = 16;
// Frames that tell places apart. What stands further out is that of the first who came by.
// Between Python frames and the instruction stands the interpreter.
constexpr uint32_t kPlaceDepth = 6;
constexpr uint32_t kPlacePythonDepth = 2;

const unsigned char kZeros[kPage] = {};

// Of this program, once it forks; forked children inherit both. Written to before that.
constinit trace::LaterHeader* table = nullptr;
constinit uint64_t table_bytes = 0;
// A page that nobody writes to once it was forked: all of the family that live share it.
constinit void* sentinel = nullptr;

// Returns what it was before.
uint64_t add(uint64_t& counter, uint64_t value) {
    return std::atomic_ref<uint64_t>(counter).fetch_add(value, std::memory_order_relaxed);
}

trace::LaterCounts& counts() {
    return table != nullptr ? table->counts : segment::budget.file().counts;
}

uint64_t table_size() {
    const uint64_t wanted = segment::budget.left(segment::Share::ordinary) / kTablePart;
    const uint64_t bytes = wanted < kLeastTableBytes  ? kLeastTableBytes
                           : wanted > kMostTableBytes ? kMostTableBytes
                                                      : wanted;
    return bytes & ~(kPage - 1);
}

// With all its bytes. Returns the descriptor or -errno.
int create_table_file(int folder, const char* name, const trace::LaterHeader& header,
                      uint64_t bytes) {
    constexpr size_t kMostParts = kMostTableBytes / kPage + 1;
    struct rlimit limit;
    // Beyond it, writing would raise SIGXFSZ in the host.
    if (sys::getrlimit(RLIMIT_FSIZE, &limit) == 0 && bytes > limit.rlim_cur) return -EFBIG;
    const int fd = sys::open_at(folder, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
    if (fd < 0) return fd;
    struct iovec parts[kMostParts];
    parts[0] = {const_cast<trace::LaterHeader*>(&header), sizeof(header)};
    size_t count = 1;
    for (uint64_t left = bytes - sizeof(header); left != 0; ++count) {
        const uint64_t part = left < kPage ? left : kPage;
        parts[count] = {const_cast<unsigned char*>(kZeros), part};
        left -= part;
    }
    const long written =
        sys::syscall5(SYS_pwritev, fd, sys::word(parts), static_cast<long>(count), 0, 0);
    if (written == static_cast<long>(bytes)) return fd;
    sys::close(fd);
    sys::unlink_at(folder, name);
    return sys::failed(written) ? static_cast<int>(written) : -ENOSPC;
}

bool map_table(const trace::LaterHeader& header, uint64_t bytes) {
    const int folder = open_folder();
    if (folder < 0) return false;
    FixedText<NAME_MAX> name;
    name.add(trace::kLaterPrefix).add_decimal(header.pid).add("-");
    name.add_decimal(header.created_ns).add(trace::kLaterSuffix);
    const int fd = create_table_file(folder, name.c_str(), header, bytes);
    void* mapping = nullptr;
    if (fd >= 0) {
        mapping = sys::mmap(bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd);
        sys::close(fd);
        if (sys::failed(mapping)) {
            sys::unlink_at(folder, name.c_str());
            mapping = nullptr;
        }
    }
    sys::close(folder);
    if (mapping == nullptr) return false;
    table = static_cast<trace::LaterHeader*>(mapping);
    table_bytes = bytes;
    return true;
}

void create_sentinel() {
    void* page = sys::mmap(kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS);
    if (sys::failed(page)) return;
    *static_cast<volatile char*>(page) = 1;
    sentinel = page;
}

void start_counting() {
    process.is_counting = true;
    // Each page that faults in the handler raises one of the witness's signals.
    constexpr int kMadvPopulateWrite = 23;  // Linux 5.14
    if (table != nullptr) sys::madvise(table, table_bytes, kMadvPopulateWrite);
    add(counts().processes, 1);
}

// The slot of `key` for the `event`th event. None where there is no table.
segment::PlaceTable::Found find_slot(uint64_t key, uint64_t event) {
    if (table == nullptr) return {nullptr, false};
    // Not by the header: others may have damaged that.
    const uint64_t count = (table_bytes - sizeof(trace::LaterHeader)) / sizeof(trace::LaterSlot);
    auto* slots = reinterpret_cast<trace::LaterSlot*>(table + 1);
    segment::PlaceTable places(slots, count, &table->counts.unplaced_copies);
    return places.find(key, event);
}

void describe(trace::LaterSlot* slot, const CountedPlace& place) {
    slot->pid = static_cast<uint32_t>(process.pid);
    slot->tid = place.tid;
    slot->depth = static_cast<uint8_t>(place.depth);
    slot->python_depth = static_cast<uint8_t>(place.python_depth);
    std::memcpy(slot->ips, place.ips, place.depth * sizeof(uint64_t));
    std::memcpy(slot->python, place.python, place.python_depth * sizeof(trace::LaterPythonFrame));
    witness::read_code(place.ips[0], slot->code);
    std::atomic_ref<uint32_t>(slot->is_whole).store(1, std::memory_order_release);
}

}  // namespace

void prepare_counting() {
    if (!segment::budget.is_set() || table != nullptr) return;
    if (sentinel == nullptr) create_sentinel();
    const uint64_t bytes = table_size();
    if (!segment::budget.take(bytes, segment::Share::ordinary)) return;
    trace::LaterHeader header = {};
    std::memcpy(header.magic, trace::kLaterMagic, sizeof(header.magic));
    header.version = trace::kBoundVersion;
    header.slot_count = static_cast<uint32_t>((bytes - sizeof(header)) / sizeof(trace::LaterSlot));
    header.slot_bytes = sizeof(trace::LaterSlot);
    header.created_ns = process.identity.record.start_ns;
    header.pid = static_cast<uint32_t>(process.pid);
    if (!map_table(header, bytes)) segment::budget.give_back(bytes);
}

void go_on_counting() {
    if (process.is_counting) return;
    process.writer.set_closing(true);
    look_last(false);
    trace::EndRecord end = {};
    end.header = {sizeof(end), trace::RecordType::end, 0};
    end.time_ns = sys::monotonic_ns();
    end.kind = trace::EndKind::bound;
    process.writer.append(end.header);
    process.writer.trim();
    process.writer.seal();
    process.tracker.close();
    start_counting();
    Tracked* tracked = process.tracked;
    if (tracked == nullptr) return;
    tracked->inherited.clear();
    tracked->is_protected = false;
    tracked->lacks_tracker = true;
    tracked->pages_before_tracking = 0;
    if (tracked->stage == Stage::off) return;
    tracked->stage = process.trap.is_open() ? Stage::witnessing : Stage::off;
    if (tracked->stage == Stage::off) count_blind_process();
}

bool begin_counting() {
    if (!process.is_counting && !segment::budget.is_reached()) return false;
    start_counting();
    return true;
}

bool still_shares() {
    // Without the page nobody knows.
    if (sentinel == nullptr || !process.look.works() ||
        process.look.may_be_shared(reinterpret_cast<uint64_t>(sentinel))) {
        return true;
    }
    if (process.forks_under_way == 0) {
        process.trap.close();
        process.tracked->stage = Stage::off;
        process.tracked->is_alone = true;
    }
    return false;
}

void count_program() {
    add(segment::budget.file().programs_not_recorded, 1);
}

void count_blind_process() {
    add(counts().blind_processes, 1);
}

void count_copies(const CountedPlace& place, uint64_t copies) {
    trace::LaterCounts& all = counts();
    add(all.copies, copies);
    const uint64_t event = add(all.witnessed, 1);
    const uint32_t most_depth = place.python_depth == 0 ? kPlaceDepth : 1;
    const uint32_t depth = place.depth < most_depth ? place.depth : most_depth;
    const uint32_t python_depth =
        place.python_depth < kPlacePythonDepth ? place.python_depth : kPlacePythonDepth;
    uint64_t python[2 * kPlacePythonDepth];
    for (uint32_t i = 0; i < python_depth; ++i) {
        python[2 * i] = place.python[i].code;
        python[2 * i + 1] = static_cast<uint64_t>(place.python[i].instruction_offset);
    }
    const uint64_t words[] = {hash_words(place.ips, depth),
                              hash_words(python, uint64_t{2} * python_depth)};
    const auto found = find_slot(hash_words(words, 2), event);
    if (found.slot == nullptr) {
        add(all.unplaced_copies, copies);
        return;
    }
    add(found.slot->copies, copies);
    if (found.is_new) describe(found.slot, place);
}

void count_late_copies(uint64_t copies) {
    add(counts().copies, copies);
    add(counts().late_copies, copies);
}

void count_kernel_copy() {
    add(counts().copies, 1);
    add(counts().kernel_copies, 1);
}

}  // namespace cowscope::process
