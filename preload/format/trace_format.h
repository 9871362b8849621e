// The trace: what the shim writes and the analyzer reads. This header is the contract between the
// two; python_format.h adds the records of a CPython interpreter, and bound_format.h the files of a
// bounded recording.
//
// A trace is a folder (mode 0700). Every process writes one segment file of its own (mode 0600):
//
//     process-PID-START.cowseg          START: CLOCK_MONOTONIC ns, tells two images of one pid
//     apart
//
//     +---------------+--------+--------+--------+-- - - - --+------------------- - - -
//     | SegmentHeader | record | record | record |           | reserved, not yet written
//     +---------------+--------+--------+--------+-- - - - --+------------------- - - -
//     0               64                                     ^ SegmentHeader::committed_bytes
//
// Where root records, processes that are another user by the time that they begin have theirs in a
// folder inside (kOthersFolder), which strangers do not reach, because the trace's is closed to
// them, and where everybody else may create files (mode 01733). Names are those of the trace's own.
//
// Records are typed, length-prefixed and 8-byte aligned. A writer first completes a record and then
// moves committed_bytes past it with a release store, so a writer that is killed anywhere costs at
// most the record it was at. Bytes behind committed_bytes mean nothing. All integers are
// little-endian; all times are CLOCK_MONOTONIC nanoseconds; all addresses are virtual addresses of
// the process that the segment belongs to.
//
// A change of any layout here raises kVersion. The static_asserts below hold the layouts.
#pragma once

#include <cstddef>
#include <cstdint>

namespace cowscope::trace {

inline constexpr char kMagic[8] = {'C', 'O', 'W', 'S', 'C', 'O', 'P', 'E'};
inline constexpr uint32_t kVersion = 4;
inline constexpr char kSegmentSuffix[] = ".cowseg";
inline constexpr char kOthersFolder[] = "others";
// No record is larger; longer content is split over several records of its type.
inline constexpr uint32_t kMaxRecordBytes = 64 * 1024;
// Bytes of machine code kept of each site: the longest x86 instruction has 15 (Intel SDM 2.3.11).
inline constexpr size_t kCodeBytes = 16;
// Deepest native stack that a StackRecord can hold.
inline constexpr uint32_t kMaxStackDepth = 512;

struct SegmentHeader {
    char magic[8];
    uint32_t version;
    uint32_t header_bytes;  // where the first record starts
    uint64_t features;      // bits that a reader must know; none so far
    uint32_t page_size;     // bytes
    uint32_t pid;           // as the process itself sees it
    uint64_t created_ns;
    uint64_t committed_bytes;  // file offset behind the last complete record
    int32_t child_error;       // why the last forked child that has no segment has none (errno), or
                               // 0. Children that are killed at once say nothing
    uint32_t padding;          // zero, as what follows
    uint64_t reserved;
};
static_assert(sizeof(SegmentHeader) == 64);

enum class RecordType : uint16_t {
    process = 1,    // who this is
    loss = 2,       // counters of what could not be recorded; the first record, updated in place
    mappings = 3,   // text of /proc/self/maps, in one or more parts
    inherited = 4,  // runs of inherited pages
    stack = 5,
    site = 6,
    exemplar = 7,
    type = 8,
    event = 9,
    census = 10,
    memory = 11,
    fork = 12,
    end = 13,
    note = 14,
    protect = 15,     // what is written from now on shows in a census
    given_up = 16,    // inherited pages that are inherited no more
    generation = 17,  // the process shares its pages from now on
    moved = 18,       // inherited pages stand at other addresses
    python = 19,      // the interpreter in this process
    python_thread = 20,
    python_code = 21,
    python_stack = 22,
    python_value = 23,
    weight = 24,   // how many faults each event from here on stands for
    account = 29,  // what a process has to itself
};

struct RecordHeader {
    uint32_t bytes;  // whole record with this header; a multiple of 8, at most kMaxRecordBytes
    RecordType type;
    uint16_t flags;  // of the record's type
};
static_assert(sizeof(RecordHeader) == 8);

// RecordHeader::flags of a record type that comes in parts: more parts follow.
inline constexpr uint16_t kMoreParts = 1;

enum class Role : uint8_t {
    image = 1,  // started by exec: the shim was loaded by the dynamic linker
    fork = 2,   // started by fork, _Fork or clone
};
enum class Tracker : uint8_t { off = 0, userfaultfd = 1, soft_dirty = 2 };
enum class Witness : uint8_t { off = 0, trap = 1 };

// ProcessRecord, then command_bytes of NUL-separated arguments, then executable_bytes of path.
struct ProcessRecord {
    RecordHeader header;
    uint64_t start_ns;  // of a forked child: some moments after the fork
    uint64_t fork_ns;   // of a forked child: before the fork, as its parent noted it; else 0
    // Of a forked child: SegmentHeader::created_ns of the process that called fork, which with its
    // pid says who that was. Whom the kernel gives as the parent may be another one (reparenting,
    // CLONE_PARENT). Else 0.
    uint64_t parent_created_ns;
    uint32_t pid;
    uint32_t parent_pid;  // of a forked child: who called fork, as that process sees itself
    Role role;
    uint8_t padding[3];
    uint32_t sample;  // one fault in `sample` is witnessed; 0: auto, all of them at first
    uint32_t command_bytes;
    uint32_t executable_bytes;
};
static_assert(sizeof(ProcessRecord) == 56);

// Written once and updated in place, so that it survives SIGKILL.
struct LossRecord {
    RecordHeader header;
    uint64_t
        blocked_events;  // first writes whose signal came late (SIGTRAP blocked): not attributed.
                         // This and fresh_faults count each by its weight (WeightRecord)
    uint64_t unwritten_events;  // events for which the segment had no room (disk full, file limit)
    uint64_t unwritten_bytes;   // other records that found no room
    uint64_t fresh_faults;      // faults seen on pages that were not inherited (no loss; for tests)
};
static_assert(sizeof(LossRecord) == 40);

// MappingsRecord, then text_bytes of /proc/self/maps (lines may be split between parts). There is
// no further one where nothing has changed but the ends of heap and stack; nor in a forked child
// where nothing has changed since its parent's.
struct MappingsRecord {
    RecordHeader header;  // flags: kMoreParts
    uint64_t time_ns;
    uint32_t text_bytes;
    uint32_t padding;
};
static_assert(sizeof(MappingsRecord) == 24);

struct PageRun {
    uint64_t start;  // address of the first page
    uint64_t pages;
};
static_assert(sizeof(PageRun) == 16);

// A fork has made this process share its pages: a new epoch begins. As long as no
// InheritedRecord of it follows, only the witness looks (kUnlisted).
struct GenerationRecord {
    RecordHeader header;
    uint64_t time_ns;
    uint32_t generation;  // 0 in a forked child; the n-th fork of a process starts epoch n
    Witness witness;
    uint8_t padding[3];
};
static_assert(sizeof(GenerationRecord) == 24);

// What the tracker and the witness do from now on in this epoch, and the pages that count as
// inherited. Begins the epoch where no GenerationRecord did.
// InheritedRecord, then run_count PageRuns in ascending order.
struct InheritedRecord {
    RecordHeader header;  // flags: kMoreParts, kInheritedMore
    uint64_t time_ns;
    uint32_t generation;
    Tracker tracker;
    Witness witness;
    uint8_t padding[2];
    uint32_t run_count;
    uint32_t padding2;
};
static_assert(sizeof(InheritedRecord) == 32);
// The process had more pages at the fork than it has now that they are listed: it has unmapped or
// discarded some meanwhile.
inline constexpr uint16_t kInheritedMore = 2;

// The pages of `epoch` are protected: from now on a census, also one that is taken from
// outside (analyzer/observe/outside_scan.h), tells which were written. May stand before the
// epoch's InheritedRecord.
struct ProtectRecord {
    RecordHeader header;
    uint64_t time_ns;
    uint32_t generation;
    uint32_t padding;
    PageRun own[2];  // the shim's arena and its image, which no census counts
};
static_assert(sizeof(ProtectRecord) == 56);

// The process is about to unmap, move or discard a range that holds pages of the newest
// InheritedRecord, or may hold some that are not listed yet: what comes there later is no copy.
struct GivenUpRecord {
    RecordHeader header;  // flags: kIsKept
    PageRun range;
    uint64_t time_ns;
};
static_assert(sizeof(GivenUpRecord) == 32);
// The memory stays as it is, and shared as it is, but no tracker looks at it any more.
inline constexpr uint16_t kIsKept = 1;

// mremap has moved pages: those of them that are inherited, copied or not, now stand at `to`.
// Censuses and events that follow name them there.
struct MovedRecord {
    RecordHeader header;
    PageRun from;
    uint64_t to;
};
static_assert(sizeof(MovedRecord) == 32);

// StackRecord, then depth addresses, innermost first. ips[0] is the writing instruction, the others
// are return addresses. Ids of stacks and sites count from 0 in each segment, without gaps.
struct StackRecord {
    RecordHeader header;  // flags: kStackTruncated
    uint32_t id;
    uint32_t depth;
};
static_assert(sizeof(StackRecord) == 16);
inline constexpr uint16_t kStackTruncated =
    1;  // deeper than the limit, or no unwind rule further out

struct SiteRecord {
    RecordHeader header;
    uint32_t id;
    uint32_t stack;
    uint64_t instruction_pointer;
    uint8_t code[kCodeBytes];  // zero behind the end of the mapping
};
static_assert(sizeof(SiteRecord) == 40);

// General registers, in the order of their x86-64 encoding (Intel SDM, table 3-1 "REX.reg"):
// rax rcx rdx rbx rsp rbp rsi rdi r8 ... r15.
inline constexpr size_t kRegisterCount = 16;

// The registers at the first few events of a site; the event follows directly.
struct ExemplarRecord {
    RecordHeader header;
    uint32_t site;
    uint32_t padding;
    uint64_t registers[kRegisterCount];
};
static_assert(sizeof(ExemplarRecord) == 144);

// A CPython type object that events name, as `type` or as `neighbour`. TypeRecord, then name_bytes
// of tp_name, with the module in front where the type is a class of the program's.
struct TypeRecord {
    RecordHeader header;
    uint64_t address;
    uint32_t name_bytes;
    uint32_t padding;
};
static_assert(sizeof(TypeRecord) == 24);

// A page fault of an instruction that wrote to (or read from) an inherited page.
struct EventRecord {
    RecordHeader header;  // flags: kNoWord, kNoNeighbour, kZeroPage, kMovedPage, kUnlisted,
                          // kHugePage, kPool*, kPythonFrame, kContainerItems, kPythonFinalizing,
                          // kNeighbourIsType
    uint64_t time_ns;
    uint64_t address;  // the exact byte
    uint64_t word;     // 8 bytes at `address` before the write
    uint64_t type;     // of the CPython object that `address` belongs to, or 0 where none is known
    int32_t object_offset;  // `address` minus that object's; negative: in the collector's header
    uint32_t python_stack;  // id, or kNoPythonStack
    uint32_t site;
    uint32_t tid;
    // 8 bytes at `address` + 8: ob_type, where `address` is a CPython object. Left out of the file
    // with kNeighbourIsType.
    uint64_t neighbour;
};
static_assert(sizeof(EventRecord) == 64);
inline constexpr size_t kShortEventBytes = offsetof(EventRecord, neighbour);
inline constexpr uint32_t kNoPythonStack = ~uint32_t{0};
inline constexpr uint16_t kNoWord = 1;       // `word` could not be read
inline constexpr uint16_t kNoNeighbour = 2;  // `neighbour` could not be read
// The whole page held zeros: perhaps it is no copy but a new page where an inherited one was given
// up. A census tells, where it reaches.
inline constexpr uint16_t kZeroPage = 4;
// The address is not among the inherited ones, but the page came with content: an inherited page
// that mremap moved here.
inline constexpr uint16_t kMovedPage = 8;
// The inherited pages were not listed yet. The page is private memory and came with content, so
// this fault, if a write, copied it.
inline constexpr uint16_t kUnlisted = 16;
// The page is one of 2 MiB (hugetlb), which is copied as a whole.
inline constexpr uint16_t kHugePage = 32;
// The address lies in a pool of CPython's small-object allocator: in its header, or in a block. A
// block without a type is free, or holds no object but an object's items.
inline constexpr uint16_t kPoolHeader = 64;
inline constexpr uint16_t kPoolBlock = 128;
inline constexpr uint16_t kPoolBlockStart = 256;  // the first word of the block; with kPoolBlock
// The address lies in a frame of the thread's Python stack, or where it keeps such frames.
inline constexpr uint16_t kPythonFrame = 512;
// The address lies in the items, keys or table of a container of `type`.
inline constexpr uint16_t kContainerItems = 1024;
// The interpreter says that it is being taken down (_PyRuntime.finalizing; told from 3.13 on).
inline constexpr uint16_t kPythonFinalizing = 2048;
// `neighbour` is the same as `type`: most events of a Python program are of counts.
inline constexpr uint16_t kNeighbourIsType = 4096;

// From here on the witness is told of one fault in `weight` on average, picked at random: an event
// stands for so many, itself among them. Before the first one it is ProcessRecord::sample, or 1.
// What an event says beyond that it was there (its address, say) it says for itself alone.
struct WeightRecord {
    RecordHeader header;
    uint32_t weight;  // at least 1
    uint32_t padding;
};
static_assert(sizeof(WeightRecord) == 16);

enum class CensusKind : uint8_t {
    final = 1,       // taken by the process at its end
    generation = 2,  // taken by the process before its next fork; closes an epoch
    outside = 3,     // taken by the recorder while the process ran
    given_up = 4,    // of a range that the process was about to unmap, move or discard
    kernel = 5,      // of a buffer that the kernel has written for the process
    fresh = 6,       // no copies: pages that kUnlisted events took for some, and that were fresh
    inherited = 7,   // no copies: pages that are inherited besides those that were listed
    alone = 8,       // taken by the process when nobody shared its pages any more: nothing that it
                     // writes from then on, in this epoch, is a copy, and nobody looks
    earlier = 9,  // by a forked child before the shim's first call in it: by libc's fork() itself
                  // and by other libraries' pthread_atfork handlers. Nothing saw who wrote
    unseen = 10,  // pages that no instruction was seen to write, which nobody shares any more
                  // though they were shared at the fork: the kernel has copied those of them
                  // that the others had not copied before
};

// CensusRecord, then run_count PageRuns of copied pages in ascending order. With kNotProtected the
// pages were never protected, because the witness saw too few writes for that to be worth while:
// then the witness's events are the census.
struct CensusRecord {
    RecordHeader header;  // flags: kMoreParts, kNotProtected
    uint64_t time_ns;
    uint64_t fresh_pages;  // the same in every part
    uint32_t generation;
    CensusKind kind;
    uint8_t padding[3];
    uint32_t run_count;
    uint32_t padding2;
};
static_assert(sizeof(CensusRecord) == 40);
inline constexpr uint16_t kNotProtected = 2;

// What a process has to itself beside the pages that it wrote: when nobody shared its pages any
// more, and at its end. With the copied ones this is its private memory.
struct AccountRecord {
    RecordHeader header;
    uint64_t time_ns;
    uint64_t fresh_pages;
    // Inherited and not written, but mapped by nobody else any more: the others ended, or gave them
    // up, or have copies.
    uint64_t held_alone_pages;
    uint32_t generation;
    uint32_t padding;
};
static_assert(sizeof(AccountRecord) == 40);

enum class MemoryMoment : uint8_t { fork = 1, end = 2 };

// From /proc/self/smaps_rollup, KiB. All zero with kNotMeasured: at a fork, when every page is
// shared. With kCountedPages only private_dirty_kb is known, from /proc/self/pagemap: at the end of
// a large process that has written little.
struct MemoryRecord {
    RecordHeader header;
    uint64_t time_ns;
    MemoryMoment moment;
    uint8_t padding[3];
    // Pss_Shmem: memory that is mapped shared. It is in private_dirty_kb where one process alone
    // has touched it.
    uint32_t shared_memory_kb;
    uint64_t rss_kb;
    uint64_t pss_kb;
    uint64_t private_dirty_kb;
    uint64_t swap_kb;
};
static_assert(sizeof(MemoryRecord) == 56);
inline constexpr uint16_t kNotMeasured = 1;
inline constexpr uint16_t kCountedPages = 2;

// This process forked, or tried to; the child's own segment names it as its parent.
struct ForkRecord {
    RecordHeader header;
    uint64_t time_ns;  // before the fork: nothing is shared by it yet
    uint32_t ordinal;  // counts from 1
    uint32_t padding;
};
static_assert(sizeof(ForkRecord) == 24);

enum class EndKind : uint8_t {
    exit = 1,
    signal = 2,
    exec = 3,
    // Not of the process but of its recording, which has reached its bound (bound_format.h). The
    // process goes on.
    bound = 4,
};

struct EndRecord {
    RecordHeader header;
    uint64_t time_ns;
    EndKind kind;
    uint8_t padding[3];
    int32_t value;  // exit status, signal number, or 0
};
static_assert(sizeof(EndRecord) == 24);

// Something that this process could not do, for the report's notes.
enum class NoteCode : uint32_t {
    tracker_unavailable = 1,  // value: errno
    witness_unavailable = 2,  // value: errno
    mapping_not_tracked = 3,  // value: errno; address: start of the mapping
    census_failed = 4,        // value: errno
    // Inherited memory was merged with new memory, or new memory came to its place, and the census
    // cannot tell its copies.
    memory_reads_as_new = 5,
    // The tracker takes pages of zeros that were only read for inherited ones.
    zero_pages_unknown = 6,
    // CPython's own stacks and objects are not looked at, value: PY_VERSION_HEX >> 16, because
    python_version_unknown = 7,  // the layout of that version is not known
    python_free_threaded = 8,    // it is a build without the GIL
    python_layout_differs = 9,   // its memory does not look like that version's (a debug build?)
    // A seccomp filter would have killed the program for a call of the shim's, so that left.
    sandboxed = 10,
    // No tracker, because the program had given up the rights that it takes before it forked (a
    // change of user or group, capabilities, PR_SET_DUMPABLE). value: errno
    not_dumpable = 35,
};

struct NoteRecord {
    RecordHeader header;
    uint64_t time_ns;
    NoteCode code;
    int32_t value;
    uint64_t address;
};
static_assert(sizeof(NoteRecord) == 32);

}  // namespace cowscope::trace
