#include "session/aggregate_file.h"

#include <errno.h>
#include <limits.h>
#include <sys/uio.h>

#include <cstring>

#include "arch/cpu.h"
#include "runtime/active.h"
#include "session/session.h"

#include "support/poison.h"

namespace cowscope::session {
namespace {

// Room for 300 places, and for 1200. A C program has a few dozen, one in an interpreter 150 and
// more.
constexpr uint64_t kLeastPlaceBytes = 128 * 1024;
constexpr uint64_t kMostPlaceBytes = 512 * 1024;
// Of what is left of the bound: many programs of one recording may fork.
constexpr uint64_t kTablePart = 16;
// What names a runtime's functions has this part of it besides: of 64 KiB it is those of some 150.
constexpr uint64_t kNamesPart = 2;
// A function's name, its file's and its line table take 200 bytes and more.
constexpr uint64_t kTextBytesACode = 128;

const unsigned char kZeros[cpu::kPageBytes] = {};

uint64_t most_bytes_for_places() {
    const uint64_t wanted = budget.left(session::Share::ordinary) / kTablePart;
    return wanted < kLeastPlaceBytes  ? kLeastPlaceBytes
           : wanted > kMostPlaceBytes ? kMostPlaceBytes
                                      : wanted;
}

// The header, and zeros behind it up to `bytes`. Returns 0 or -errno.
int write_all(int fd, const trace::AggregateHeader& header, uint64_t bytes) {
    // The thread that forks may have a small stack.
    constexpr size_t kParts = 16;
    struct iovec parts[kParts];
    uint64_t at = 0;
    while (at != bytes) {
        size_t count = 0;
        uint64_t planned = at;
        if (at == 0) {
            parts[count++] = {const_cast<trace::AggregateHeader*>(&header), sizeof(header)};
            planned = sizeof(header);
        }
        while (count != kParts && planned != bytes) {
            const uint64_t part =
                bytes - planned < cpu::kPageBytes ? bytes - planned : cpu::kPageBytes;
            parts[count++] = {const_cast<unsigned char*>(kZeros), part};
            planned += part;
        }
        const long written = sys::syscall5(SYS_pwritev, fd, sys::word(parts),
                                           static_cast<long>(count), static_cast<long>(at), 0);
        if (sys::failed(written)) return static_cast<int>(written);
        if (static_cast<uint64_t>(written) != planned - at) return -ENOSPC;
        at = planned;
    }
    return 0;
}

// With all its bytes. Returns the descriptor or -errno.
int create_file(int folder, const char* name, const trace::AggregateHeader& header,
                uint64_t bytes) {
    struct rlimit limit;
    // Beyond it, writing would raise SIGXFSZ in the host.
    if (sys::getrlimit(RLIMIT_FSIZE, &limit) == 0 && bytes > limit.rlim_cur) return -EFBIG;
    const int fd = sys::open_at(folder, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
    if (fd < 0) return fd;
    const int error = write_all(fd, header, bytes);
    if (error == 0) return fd;
    sys::close(fd);
    sys::unlink_at(folder, name);
    return error;
}

}  // namespace

constinit AggregateFile aggregate_file;

AggregateFile::Parts AggregateFile::plan() {
    const uint64_t most = most_bytes_for_places();
    Parts parts = {};
    parts.slot_count = (most - sizeof(trace::AggregateHeader)) / sizeof(trace::AggregateSlot);
    if (runtime::active.has_frames) {
        parts.code_count = most / kNamesPart / kTextBytesACode;
        parts.text_bytes = most / kNamesPart - parts.code_count * sizeof(trace::AggregateCode);
    }
    parts.text_bytes &= ~(trace::kAggregateCodeAlignment - 1);
    parts.bytes = sizeof(trace::AggregateHeader) + parts.slot_count * sizeof(trace::AggregateSlot) +
                  parts.code_count * sizeof(trace::AggregateCode) + parts.text_bytes;
    return parts;
}

bool AggregateFile::map(const trace::AggregateHeader& header, const Parts& parts) {
    const int folder = self.folder.open();
    if (folder < 0) return false;
    FixedText<NAME_MAX> name;
    name.add(trace::kAggregatePrefix).add_decimal(header.pid).add("-");
    name.add_decimal(header.created_ns).add(trace::kAggregateSuffix);
    const int fd = create_file(folder, name.c_str(), header, parts.bytes);
    void* mapping = nullptr;
    if (fd >= 0) {
        mapping =
            sys::mmap(sys::OwnPlace::counts, parts.bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd);
        sys::close(fd);
        if (!sys::failed(mapping)) sys::unlock(mapping, parts.bytes);
        if (sys::failed(mapping)) {
            sys::unlink_at(folder, name.c_str());
            mapping = nullptr;
        }
    }
    sys::close(folder);
    if (mapping == nullptr) return false;
    header_ = static_cast<trace::AggregateHeader*>(mapping);
    parts_ = parts;
    return true;
}

void AggregateFile::create() {
    // Its pages are written to by many, at any time.
    if (!budget.stores_directly()) return;
    const Parts parts = plan();
    // The bound is one of blocks.
    const uint64_t taken = cpu::page_end(parts.bytes);
    if (!budget.take(taken, session::Share::ordinary)) return;
    trace::AggregateHeader header = {};
    std::memcpy(header.magic, trace::kAggregateMagic, sizeof(header.magic));
    header.version = trace::kBoundVersion;
    header.slot_count = static_cast<uint32_t>(parts.slot_count);
    header.slot_bytes = sizeof(trace::AggregateSlot);
    header.created_ns = identity.record.start_ns;
    header.pid = static_cast<uint32_t>(self.pid);
    header.code_count = static_cast<uint32_t>(parts.code_count);
    header.text_bytes = static_cast<uint32_t>(parts.text_bytes);
    header.runtime_version = runtime::active.version;
    if (!map(header, parts)) budget.give_back(taken);
}

CallSiteTable AggregateFile::places() const {
    return {reinterpret_cast<trace::AggregateSlot*>(header_ + 1), parts_.slot_count,
            &header_->counts.unplaced_copies};
}

CodeStore AggregateFile::codes() const {
    auto* slots = reinterpret_cast<trace::AggregateSlot*>(header_ + 1);
    auto* codes = reinterpret_cast<trace::AggregateCode*>(slots + parts_.slot_count);
    return {codes, static_cast<uint32_t>(parts_.code_count),
            reinterpret_cast<unsigned char*>(codes + parts_.code_count), parts_.text_bytes,
            &header_->texts_used};
}

void AggregateFile::populate() const {
    constexpr int kMadvPopulateWrite = 23;  // Linux 5.14
    if (header_ != nullptr) sys::madvise(header_, parts_.bytes, kMadvPopulateWrite);
}

}  // namespace cowscope::session
