// What the tests of the recorder's looks from outside have in common.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "observe/page_census.h"
#include "session/writer.h"
#include "tests/catch.h"
#include "trace/page_set.h"

namespace cowscope::observe {

using trace::PageRun;
using trace::RecordType;

inline constexpr uint64_t kPage = trace::kPageBytes;

inline trace::PageSet pages_of(const std::vector<PageRun>& runs) {
    trace::PageSet set;
    for (const PageRun& run : runs) REQUIRE(set.append(run));
    return set;
}

using Runs = std::vector<std::pair<uint64_t, uint64_t>>;

inline Runs runs_of(const trace::PageSet& set) {
    Runs runs;
    for (const PageRun& run : set.runs()) runs.emplace_back(run.start, run.pages);
    return runs;
}

// Touched private memory that no page beside it belongs to.
class Memory {
  public:
    explicit Memory(size_t pages) : bytes_(pages * kPage) {
        void* all =
            mmap(nullptr, bytes_ + 2 * kPage, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        REQUIRE(all != MAP_FAILED);
        start_ = static_cast<unsigned char*>(all) + kPage;
        REQUIRE(mprotect(start_, bytes_, PROT_READ | PROT_WRITE) == 0);
        madvise(start_, bytes_, MADV_NOHUGEPAGE);
    }
    ~Memory() { munmap(start_ - kPage, bytes_ + 2 * kPage); }
    Memory(const Memory&) = delete;
    Memory& operator=(const Memory&) = delete;

    void touch(size_t page) { start_[page * kPage] = 1; }
    uint64_t address(size_t page = 0) const {
        return reinterpret_cast<uintptr_t>(start_) + page * kPage;
    }
    PageRange range() const { return {address(), address() + bytes_, false}; }

  private:
    unsigned char* start_ = nullptr;
    size_t bytes_;
};

inline trace::ProcessRecord forked_now() {
    trace::ProcessRecord process{};
    process.role = trace::Role::fork;
    process.parent_pid = static_cast<uint32_t>(getpid());
    process.start_ns = monotonic_ns();
    return process;
}

// A segment as the shim would write it.
class Segment {
  public:
    explicit Segment(const std::string& path, pid_t pid = getpid()) {
        REQUIRE(writer_.create(path.c_str(), pid, 77) == 0);
        write(RecordType::process, forked_now());
    }

    template <typename Record>
    void write(RecordType type, Record record, const std::vector<PageRun>& runs = {},
               uint16_t flags = 0) {
        const size_t bytes = runs.size() * sizeof(PageRun);
        auto* room = writer_.begin<Record>(type, bytes);
        REQUIRE(room != nullptr);
        record.header = room->header;
        record.header.flags = flags;
        *room = record;
        if (bytes != 0) std::memcpy(room + 1, runs.data(), bytes);
        writer_.commit();
    }
    void inherited(uint32_t epoch, const std::vector<PageRun>& runs, uint16_t flags = 0) {
        trace::InheritedRecord record{};
        record.epoch = epoch;
        record.tracker = trace::Tracker::soft_dirty;
        record.run_count = static_cast<uint32_t>(runs.size());
        write(RecordType::inherited, record, runs, flags);
    }
    void protect(uint32_t epoch, const PageRun& own = {}) {
        trace::ProtectRecord record{};
        record.time_ns = monotonic_ns();
        record.epoch = epoch;
        record.own[0] = own;
        write(RecordType::protect, record);
    }
    void forks(uint32_t ordinal) {
        write(RecordType::fork, trace::ForkRecord{{}, monotonic_ns(), ordinal, 0});
    }
    void discarded(const PageRun& range) {
        write(RecordType::discarded, trace::DiscardedRecord{{}, range, monotonic_ns()});
    }
    void census(uint32_t epoch, trace::CensusKind kind, uint64_t time_ns,
                const std::vector<PageRun>& runs) {
        trace::CensusRecord record{};
        record.time_ns = time_ns;
        record.epoch = epoch;
        record.kind = kind;
        record.run_count = static_cast<uint32_t>(runs.size());
        write(RecordType::census, record, runs);
    }
    void end(uint64_t time_ns, trace::EndKind kind = trace::EndKind::exit) {
        write(RecordType::end, trace::EndRecord{{}, time_ns, kind, {}, 0});
    }
    session::Writer& writer() { return writer_; }

  private:
    session::Writer writer_;
};

}  // namespace cowscope::observe
