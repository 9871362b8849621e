// Reads one segment file record by record. Every offset and length is checked before it is used: a
// trace may be torn, and may come from someone who wishes us ill.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "preload/format/trace_format.h"

namespace cowscope::trace {

// One record; the bytes are valid until the next call of SegmentReader::next().
struct RecordView {
    RecordType type;
    uint16_t flags;
    uint64_t offset;                   // in the file
    std::span<const std::byte> bytes;  // with the RecordHeader

    // The fixed part. The reader has checked that it is there.
    template <typename Record>
    Record as() const {
        Record record;
        std::memcpy(&record, bytes.data(), sizeof(record));
        return record;
    }
    // What follows the fixed part.
    template <typename Record>
    std::span<const std::byte> behind() const {
        return bytes.subspan(sizeof(Record));
    }
};

inline std::string_view text_of(std::span<const std::byte> bytes, size_t offset, size_t length) {
    return {reinterpret_cast<const char*>(bytes.data()) + offset, length};
}

// An event, whole, whose record may be a short one.
EventRecord event_of(const RecordView& record);

class SegmentReader {
  public:
    // Throws cowscope::Error for a file that is no segment of a version this program reads.
    explicit SegmentReader(std::string path);
    ~SegmentReader();
    SegmentReader(const SegmentReader&) = delete;
    SegmentReader& operator=(const SegmentReader&) = delete;

    const SegmentHeader& header() const { return header_; }
    const std::string& path() const { return path_; }

    // The next record, or nothing at the end. Throws cowscope::Error, with file, offset and record
    // kind, where a record is not what it claims to be; records before it were good.
    std::optional<RecordView> next();
    void rewind();

    // Where the record that next() gives next starts, and going on at such a place. seek() throws
    // cowscope::Error for a place outside of the segment.
    uint64_t offset() const { return offset_; }
    void seek(uint64_t offset);

    // Bytes that the header says were written but that the file no longer holds.
    uint64_t missing_bytes() const { return missing_bytes_; }

  private:
    void read_header();
    bool fill(size_t wanted);
    [[noreturn]] void fail(uint64_t offset, const std::string& kind,
                           const std::string& message) const;
    void check(const RecordView& record) const;

    std::string path_;
    int fd_ = -1;
    SegmentHeader header_{};
    uint64_t end_ = 0;  // of the records, as far as the file reaches
    uint64_t missing_bytes_ = 0;
    // Not filled with zeros: of a short segment few pages are ever touched.
    std::unique_ptr<std::byte[]> buffer_;
    size_t buffer_at_ = 0;
    size_t buffer_filled_ = 0;
    uint64_t offset_ = 0;  // file offset of buffer_at_
};

// `listener` is told how many bytes a reader has read from its file, on the thread that reads. One
// for the whole program, to show progress; an empty one ends it.
void listen_to_reading(std::function<void(uint64_t bytes)> listener);

// "event", "inherited", …; "record of type 77" for a type of a later version.
std::string record_kind(RecordType type);

// A line that says what is wrong with a record.
std::string describe(const SegmentReader& reader, const RecordView& record,
                     const std::string& message);
// Throws the cowscope::Error of a record that is not what it claims to be.
[[noreturn]] void refuse(const SegmentReader& reader, const RecordView& record,
                         const std::string& message);

}  // namespace cowscope::trace
