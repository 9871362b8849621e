#include "record/owners_file.h"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <vector>

#include "record/write_file.h"
#include "trace/owners.h"
#include "trace/page_set.h"

namespace cowscope::record {

static_assert(python_heap::OwnerMap::kGranule == trace::kRangeUnit);
static_assert(uint32_t{python_heap::kCutTime} == trace::kCutTime);
static_assert(uint32_t{python_heap::kCutEdges} == trace::kCutEdges);
static_assert(uint32_t{python_heap::kCutMemory} == trace::kCutMemory);
static_assert(uint32_t{python_heap::kCutGone} == trace::kCutGone);

namespace {

template <typename Record>
void append_record(std::string* content, trace::RecordType type, Record record,
                   std::string_view behind) {
    static_assert(sizeof(Record) % 8 == 0);
    const size_t padding = (8 - behind.size() % 8) % 8;
    record.header = {static_cast<uint32_t>(sizeof(record) + behind.size() + padding), type, 0};
    content->append(reinterpret_cast<const char*>(&record), sizeof(record));
    content->append(behind);
    content->append(padding, '\0');
}

// Packs ranges into records. Those that repeat a short pattern are counted.
class RangePacker {
  public:
    RangePacker(std::string* content, size_t most_ranges)
        : content_(*content), most_ranges_(most_ranges) {}

    void add(uint64_t start, uint64_t end, uint32_t owner) {
        // A longer range than its number can say comes in parts.
        constexpr uint64_t kLongest = uint64_t{1} << 34;
        while (start < end) {
            const uint64_t stop = std::min(end, start + kLongest);
            add_part(start, stop, owner);
            start = stop;
        }
    }
    void finish() { flush(); }
    // No more was written out: readers take no more.
    bool is_full() const { return is_full_; }

  private:
    // In units, the gap from the range before.
    struct Range {
        uint64_t gap;
        uint64_t length;
        uint32_t owner;
        bool operator==(const Range&) const = default;
    };
    // A dict's keys and values are two; an instance of a class has some more parts.
    static constexpr size_t kLongestPattern = 8;
    static constexpr size_t kMostPacked = trace::kMaxRecordBytes - sizeof(trace::RangesRecord) - 64;
    static constexpr uint64_t kMostRepeated = uint64_t{1} << 30;  // count_ has 32 bits

    void add_part(uint64_t start, uint64_t end, uint32_t owner) {
        if (is_full_) return;
        const bool is_long = !pattern_.empty() && repeated_ == kMostRepeated;
        if (packed_.size() > kMostPacked || is_long) flush();
        if (count_ == 0) {
            start_ = end_ = start;
            last_ = before_ = 0;
        }
        constexpr uint64_t kUnit = trace::kRangeUnit;
        const Range range = {(start - end_) / kUnit, (end - start) / kUnit, owner};
        end_ = end;
        if (!pattern_.empty() && range == pattern_[repeated_ % pattern_.size()]) {
            ++repeated_;
            return;
        }
        end_pattern();
        if (!begin_pattern(range)) write(range);
    }

    // Whether the range is the one that came some ranges ago.
    bool begin_pattern(const Range& range) {
        const auto before = std::find(recent_.rbegin(), recent_.rend(), range);
        if (before == recent_.rend()) return false;
        pattern_.assign(std::prev(before.base()), recent_.end());
        repeated_ = 1;
        return true;
    }

    void end_pattern() {
        if (pattern_.empty()) return;
        const std::vector<Range> pattern = std::move(pattern_);
        pattern_.clear();
        const uint64_t times = repeated_ / pattern.size();
        if (times != 0) {
            number(pattern.size());
            number(times << 2 | 3);
            count_ += static_cast<uint32_t>(times * pattern.size());
            // What repeats has to be written out behind this.
            recent_.clear();
        }
        for (size_t i = 0; i < repeated_ % pattern.size(); ++i) write(pattern[i]);
    }

    void write(const Range& range) {
        if (written_ == most_ranges_) {
            is_full_ = true;
            return;
        }
        ++written_;
        const uint64_t how = range.owner == last_ ? 0 : range.owner == before_ ? 1 : 2;
        number(range.gap);
        number(range.length << 2 | how);
        if (how == 2) number(range.owner);
        if (range.owner != last_) {
            before_ = last_;
            last_ = range.owner;
        }
        ++count_;
        if (recent_.size() == kLongestPattern) recent_.erase(recent_.begin());
        recent_.push_back(range);
    }

    void number(uint64_t value) {
        while (value >= 0x80) {
            packed_.push_back(static_cast<char>(value | 0x80));
            value >>= 7;
        }
        packed_.push_back(static_cast<char>(value));
    }

    void flush() {
        end_pattern();
        recent_.clear();
        if (count_ == 0) return;
        trace::RangesRecord record{};
        record.start = start_;
        record.count = count_;
        record.packed_bytes = static_cast<uint32_t>(packed_.size());
        append_record(&content_, trace::kRangesRecord, record, packed_);
        packed_.clear();
        count_ = 0;
    }

    std::string& content_;
    size_t most_ranges_;
    size_t written_ = 0;
    bool is_full_ = false;
    std::string packed_;
    uint32_t count_ = 0;
    uint64_t start_ = 0;
    uint64_t end_ = 0;
    uint32_t last_ = 0;
    uint32_t before_ = 0;
    std::vector<Range> recent_;   // the last ones that were written out
    std::vector<Range> pattern_;  // the last of these, while it comes again
    uint64_t repeated_ = 0;       // ranges since then
};

}  // namespace

std::string pack_owners(const OwnersLook& look, const python_heap::WalkResult& walk,
                        size_t most_ranges) {
    trace::SegmentHeader header{};
    std::memcpy(header.magic, trace::kMagic, sizeof(header.magic));
    header.version = trace::kVersion;
    header.header_bytes = sizeof(header);
    header.page_size = trace::kPageBytes;
    header.pid = look.pid;
    header.created_ns = look.created_ns;
    std::string content(reinterpret_cast<const char*>(&header), sizeof(header));

    trace::LookRecord record{};
    record.start_ns = look.start_ns;
    record.end_ns = look.end_ns;
    record.cpu_ns = walk.cpu_ns;
    record.edges = walk.edges;
    record.objects = walk.objects;
    record.python_minor = static_cast<uint32_t>(look.python_minor);
    record.cut = walk.cut;
    const size_t cut_at = content.size() + offsetof(trace::LookRecord, cut);
    append_record(&content, trace::kLookRecord, record, {});

    // Only those that own something have a place in the file.
    std::vector<uint32_t> ids(walk.labels.size(), 0);
    uint32_t next = 1;
    for (size_t i = 1; i < ids.size(); ++i) {
        const auto label = static_cast<python_heap::LabelId>(i);
        if (!walk.map.owns(label)) continue;
        ids[i] = next++;
        const python_heap::OwnerStatistics& counts = walk.statistics[i];
        const std::string name = walk.labels.name(label);
        append_record(&content, trace::kOwnerRecord,
                      trace::OwnerRecord{{},
                                         counts.objects,
                                         counts.strs,
                                         counts.sampled,
                                         counts.distinct,
                                         ids[i],
                                         static_cast<uint32_t>(name.size())},
                      name);
    }
    RangePacker packer(&content, most_ranges);
    walk.map.for_each_range([&](uint64_t start, uint64_t end, python_heap::OwnerMap::Owner owner) {
        packer.add(start, end, ids[owner]);
    });
    packer.finish();
    if (packer.is_full()) {
        record.cut |= trace::kCutMemory;
        std::memcpy(content.data() + cut_at, &record.cut, sizeof(record.cut));
    }

    const uint64_t bytes = content.size();
    std::memcpy(content.data() + offsetof(trace::SegmentHeader, committed_bytes), &bytes,
                sizeof(bytes));
    return content;
}

int write_owners(const std::string& path, const OwnersLook& look,
                 const python_heap::WalkResult& walk, ShareOfBound* share) {
    const std::string content = pack_owners(look, walk);
    return share == nullptr ? replace_file(path, content) : share->replace(path, content);
}

}  // namespace cowscope::record
