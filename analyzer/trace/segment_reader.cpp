#include "trace/segment_reader.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include <fmt/format.h>

#include "arch/processor.h"
#include "base/error.h"
#include "preload/format/runtime_format.h"
#include "trace/trace_file.h"

namespace cowscope::trace {
namespace {

constexpr size_t kBufferBytes = 1024 * 1024;
static_assert(kBufferBytes >= 2 * kMaxRecordBytes);

struct Kind {
    const char* name;
    size_t fixed_bytes;
};

// nullptr for types that this version does not know: a reader skips them.
const Kind* kind_of(RecordType type) {
    static constexpr Kind kKinds[] = {
        {"", 0},
        {"process", sizeof(ProcessRecord)},
        {"loss", sizeof(LossRecord)},
        {"mappings", sizeof(MappingsRecord)},
        {"inherited", sizeof(InheritedRecord)},
        {"stack", sizeof(StackRecord)},
        {"site", sizeof(SiteRecord)},
        {"exemplar", sizeof(ExemplarRecord)},
        {"type", sizeof(TypeRecord)},
        {"event", kShortEventBytes},
        {"census", sizeof(CensusRecord)},
        {"memory", sizeof(MemoryRecord)},
        {"fork", sizeof(ForkRecord)},
        {"end", sizeof(EndRecord)},
        {"note", sizeof(NoteRecord)},
        {"protect", sizeof(ProtectRecord)},
        {"given_up", sizeof(DiscardedRecord)},
        {"generation", sizeof(EpochRecord)},
        {"moved", sizeof(MovedRecord)},
        {"python", sizeof(RuntimeRecord)},
        {"python_thread", sizeof(RuntimeThreadRecord)},
        {"python_code", sizeof(RuntimeCodeRecord)},
        {"python_stack", sizeof(RuntimeStackRecord)},
        {"python_value", sizeof(ObjectValueRecord)},
        {"weight", sizeof(WeightRecord)},
        {},
        {},
        {},
        {},
        {"account", sizeof(AccountRecord)},
    };
    const auto index = static_cast<size_t>(type);
    const bool is_known = index < std::size(kKinds) && kKinds[index].fixed_bytes != 0;
    return is_known ? &kKinds[index] : nullptr;
}

// Bytes that the counts in a record's fixed part claim behind it.
uint64_t claimed_bytes(const RecordView& record) {
    switch (record.type) {
        case RecordType::event:
            return (record.flags & kNextWordIsType) != 0 ? 0
                                                         : sizeof(EventRecord) - kShortEventBytes;
        case RecordType::process: {
            const auto process = record.as<ProcessRecord>();
            return uint64_t{process.command_bytes} + process.executable_bytes;
        }
        case RecordType::mappings:
            return record.as<MappingsRecord>().text_bytes;
        case RecordType::inherited:
            return uint64_t{record.as<InheritedRecord>().run_count} * sizeof(PageRun);
        case RecordType::census:
            return uint64_t{record.as<CensusRecord>().run_count} * sizeof(PageRun);
        case RecordType::stack:
            return uint64_t{record.as<StackRecord>().depth} * sizeof(uint64_t);
        case RecordType::type:
            return record.as<TypeRecord>().name_bytes;
        case RecordType::runtime_code: {
            const auto code = record.as<RuntimeCodeRecord>();
            return uint64_t{code.name_bytes} + code.file_bytes + code.line_table_bytes;
        }
        case RecordType::runtime_stack:
            return uint64_t{record.as<RuntimeStackRecord>().depth} * sizeof(RuntimeFrame);
        case RecordType::object_value:
            return record.as<ObjectValueRecord>().text_bytes;
        default:
            return 0;
    }
}

std::function<void(uint64_t)> read_listener;

}  // namespace

void listen_to_reading(std::function<void(uint64_t bytes)> listener) {
    read_listener = std::move(listener);
}

std::string record_kind(RecordType type) {
    const Kind* kind = kind_of(type);
    return kind != nullptr ? kind->name : fmt::format("type {}", static_cast<unsigned>(type));
}

EventRecord event_of(const RecordView& record) {
    EventRecord event = {};
    std::memcpy(&event, record.bytes.data(), std::min(record.bytes.size(), sizeof(event)));
    if ((record.flags & kNextWordIsType) != 0) event.next_word = event.type;
    return event;
}

SegmentReader::SegmentReader(std::string path) : path_(std::move(path)) {
    fd_ = open_trace_file(path_);
    try {
        read_header();
    } catch (...) {
        ::close(fd_);
        throw;
    }
    buffer_ = std::make_unique_for_overwrite<std::byte[]>(kBufferBytes);
    rewind();
}

SegmentReader::~SegmentReader() {
    if (fd_ >= 0) ::close(fd_);
}

void SegmentReader::fail(uint64_t offset, const std::string& kind,
                         const std::string& message) const {
    throw Error(path_, offset, kind, message);
}

void SegmentReader::read_header() {
    struct stat status {};
    if (::fstat(fd_, &status) != 0) throw Error(path_ + ": cannot read: " + std::strerror(errno));
    const auto file_bytes = static_cast<uint64_t>(status.st_size);
    if (file_bytes < sizeof(header_) ||
        ::pread(fd_, &header_, sizeof(header_), 0) != static_cast<ssize_t>(sizeof(header_))) {
        throw Error(path_ + ": too short for a cowscope segment");
    }
    if (std::memcmp(header_.magic, kMagic, sizeof(kMagic)) != 0) {
        throw Error(path_ + ": not a cowscope segment (its first bytes are not COWSCOPE)");
    }
    if (header_.version != kVersion) {
        throw Error(
            path_, 8, "header",
            fmt::format("version {}; this cowscope reads version {}", header_.version, kVersion));
    }
    if (header_.features != 0) {
        throw Error(
            path_, 16, "header",
            fmt::format("needs features {:#x} that this cowscope does not have", header_.features));
    }
    if (header_.header_bytes < sizeof(header_) || header_.header_bytes % 8 != 0 ||
        header_.header_bytes > header_.committed_bytes) {
        throw Error(path_, 12, "header",
                    fmt::format("says that {} bytes of {} are the header", header_.header_bytes,
                                header_.committed_bytes));
    }
    // Addresses, registers and code are decoded as those of this machine alone.
    const uint16_t machine = header_.machine != 0 ? header_.machine : kFirstMachine;
    if (machine != kMachine) {
        throw Error(path_, offsetof(SegmentHeader, machine), "header",
                    fmt::format("recorded on machine {} (e_machine of ELF); this cowscope reads "
                                "traces of machine {}",
                                machine, kMachine));
    }
    if (header_.page_size != kPageBytes) {
        throw Error(path_, offsetof(SegmentHeader, page_size), "header",
                    fmt::format("page size {}; this cowscope reads traces of pages of {} bytes",
                                header_.page_size, kPageBytes));
    }
    end_ = std::min(header_.committed_bytes, file_bytes);
    missing_bytes_ = header_.committed_bytes - end_;
}

void SegmentReader::rewind() {
    offset_ = header_.header_bytes;
    buffer_at_ = buffer_filled_ = 0;
}

void SegmentReader::seek(uint64_t offset) {
    if (offset < header_.header_bytes || offset > end_) {
        fail(offset, "", fmt::format("no record starts there; the segment ends at {}", end_));
    }
    offset_ = offset;
    buffer_at_ = buffer_filled_ = 0;
}

// Makes `wanted` bytes available at buffer_at_; false when the segment ends before.
bool SegmentReader::fill(size_t wanted) {
    if (buffer_filled_ - buffer_at_ >= wanted) return true;
    std::memmove(buffer_.get(), buffer_.get() + buffer_at_, buffer_filled_ - buffer_at_);
    buffer_filled_ -= buffer_at_;
    buffer_at_ = 0;
    while (buffer_filled_ < wanted) {
        const uint64_t from = offset_ + buffer_filled_;
        if (from >= end_) return false;
        const size_t room =
            static_cast<size_t>(std::min<uint64_t>(kBufferBytes - buffer_filled_, end_ - from));
        const ssize_t got =
            ::pread(fd_, buffer_.get() + buffer_filled_, room, static_cast<off_t>(from));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) fail(from, "", std::string("cannot read: ") + std::strerror(errno));
        if (got == 0) return false;  // truncated meanwhile
        buffer_filled_ += static_cast<size_t>(got);
        if (read_listener) read_listener(static_cast<uint64_t>(got));
    }
    return true;
}

void SegmentReader::check(const RecordView& record) const {
    const Kind* kind = kind_of(record.type);
    if (kind == nullptr) return;
    if (record.bytes.size() < kind->fixed_bytes) {
        fail(record.offset, kind->name,
             fmt::format("{} bytes are too short for one", record.bytes.size()));
    }
    const uint64_t room = record.bytes.size() - kind->fixed_bytes;
    const uint64_t claimed = claimed_bytes(record);
    if (claimed > room) {
        fail(record.offset, kind->name,
             fmt::format("claims {} bytes of content and has {}", claimed, room));
    }
}

std::optional<RecordView> SegmentReader::next() {
    if (offset_ == end_) return std::nullopt;
    if (!fill(sizeof(RecordHeader))) {
        if (missing_bytes_ != 0) return std::nullopt;  // torn within a header: said once, by size
        fail(offset_, "", "ends within a record's header");
    }
    RecordHeader header;
    std::memcpy(&header, buffer_.get() + buffer_at_, sizeof(header));
    if (header.bytes < sizeof(header) || header.bytes % 8 != 0 || header.bytes > kMaxRecordBytes) {
        fail(offset_, record_kind(header.type),
             fmt::format("a length of {} bytes is impossible", header.bytes));
    }
    if (!fill(header.bytes)) {
        if (missing_bytes_ != 0) return std::nullopt;
        fail(offset_, record_kind(header.type),
             fmt::format("{} bytes reach behind the end of the segment", header.bytes));
    }
    RecordView record{header.type, header.flags, offset_,
                      std::span(buffer_.get() + buffer_at_, header.bytes)};
    check(record);
    buffer_at_ += header.bytes;
    offset_ += header.bytes;
    return record;
}

std::string describe(const SegmentReader& reader, const RecordView& record,
                     const std::string& message) {
    return Error(reader.path(), record.offset, record_kind(record.type), message).what();
}

void refuse(const SegmentReader& reader, const RecordView& record, const std::string& message) {
    throw Error(reader.path(), record.offset, record_kind(record.type), message);
}

}  // namespace cowscope::trace
