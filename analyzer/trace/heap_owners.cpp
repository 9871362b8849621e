#include "trace/heap_owners.h"

#include <algorithm>
#include <filesystem>

#include <fmt/format.h>

#include "base/error.h"
#include "base/printable.h"
#include "trace/segment_reader.h"

namespace cowscope::trace {
namespace {

// The recorder's are far shorter.
constexpr size_t kMostLabelBytes = 4096;

class OwnersLoader {
  public:
    OwnersLoader(const std::string& path, size_t most_ranges)
        : reader_(path), most_ranges_(most_ranges) {}

    Owners load() {
        owners_.pid = reader_.header().pid;
        owners_.created_ns = reader_.header().created_ns;
        try {
            while (const auto record = reader_.next()) take(*record);
            if (reader_.missing_bytes() != 0) {
                owners_.damage = fmt::format("{}: the last {} bytes are missing", reader_.path(),
                                             reader_.missing_bytes());
            }
        } catch (const Error& error) {
            owners_.damage = error.what();
        }
        return std::move(owners_);
    }

  private:
    [[noreturn]] void fail(const RecordView& record, const std::string& kind,
                           const std::string& message) const {
        throw Error(reader_.path(), record.offset, kind, message);
    }

    void take(const RecordView& record) {
        if (record.type == kLookRecord) {
            if (record.bytes.size() < sizeof(LookRecord)) fail(record, "look", "is too short");
            owners_.look = record.as<LookRecord>();
        }
        if (record.type == kOwnerRecord) take_owner(record);
        if (record.type == kRangesRecord) take_ranges(record);
    }

    void take_owner(const RecordView& record) {
        if (record.bytes.size() < sizeof(OwnerRecord)) fail(record, "owner", "is too short");
        const auto fixed = record.as<OwnerRecord>();
        const auto name = record.behind<OwnerRecord>();
        if (fixed.name_bytes > name.size()) fail(record, "owner", "has too short a name");
        if (fixed.id != owners_.owners.size() + 1 || fixed.id > kMostOwners) {
            fail(record, "owner", fmt::format("{} is impossible there", fixed.id));
        }
        owners_.owners.push_back(
            {shortened({reinterpret_cast<const char*>(name.data()), fixed.name_bytes},
                       kMostLabelBytes),
             fixed.objects, fixed.strs, fixed.sampled, fixed.distinct});
    }

    void take_ranges(const RecordView& record) {
        if (record.bytes.size() < sizeof(RangesRecord)) fail(record, "ranges", "is too short");
        const auto fixed = record.as<RangesRecord>();
        const auto bytes = record.behind<RangesRecord>();
        if (fixed.packed_bytes > bytes.size()) {
            fail(record, "ranges", fmt::format("claims {} and has no room", fixed.count));
        }
        rest_ = bytes.first(fixed.packed_bytes);
        OwnerRanges& ranges = owners_.ranges;
        if (fixed.start / kRangeUnit < ranges.end()) fail(record, "ranges", "is out of order");
        ranges.begin_pattern(fixed.start / kRangeUnit);
        uint64_t last = 0;
        uint64_t before = 0;
        const uint64_t behind_last = ranges.size() + fixed.count;
        while (ranges.size() < behind_last) {
            const uint64_t gap_or_count = number(record);
            const uint64_t length_and_how = number(record);
            const uint64_t how = length_and_how & 3;
            const uint64_t length_or_times = length_and_how >> 2;
            const uint64_t left = behind_last - ranges.size();
            if (how == 3) {
                const bool is_possible = gap_or_count <= left && length_or_times <= left &&
                                         gap_or_count * length_or_times <= left &&
                                         ranges.repeat(gap_or_count, length_or_times);
                if (!is_possible) fail_range(record, fixed.count - left);
                continue;
            }
            if (ranges.weight() >= most_ranges_) {
                fail(record, "ranges", fmt::format("is one of more than {}", most_ranges_));
            }
            const uint64_t owner = how == 0 ? last : how == 1 ? before : number(record);
            const bool is_possible = owner <= owners_.owners.size() &&
                                     ranges.append(ranges.end() + gap_or_count, length_or_times,
                                                   static_cast<uint32_t>(owner));
            if (!is_possible) fail_range(record, fixed.count - left);
            if (owner != last) {
                before = last;
                last = owner;
            }
        }
    }

    [[noreturn]] void fail_range(const RecordView& record, uint64_t number) const {
        fail(record, "ranges", fmt::format("range {} is impossible there", number));
    }

    uint64_t number(const RecordView& record) {
        uint64_t value = 0;
        for (unsigned shift = 0; shift < 63; shift += 7) {
            if (rest_.empty()) fail(record, "ranges", "ends within a range");
            const auto byte = static_cast<uint8_t>(rest_.front());
            rest_ = rest_.subspan(1);
            value |= uint64_t{byte & 0x7fu} << shift;
            if ((byte & 0x80) == 0) return value;
        }
        fail(record, "ranges", "has too large a number");
    }

    SegmentReader reader_;
    size_t most_ranges_;
    Owners owners_;
    std::span<const std::byte> rest_;
};

}  // namespace

uint32_t Owners::find(uint64_t address) const {
    return ranges.find(address / kRangeUnit);
}

Owners read_owners(const std::string& path, size_t most_ranges) {
    return OwnersLoader(path, most_ranges).load();
}

std::vector<Owners> load_owners(const std::string& folder, std::vector<std::string>* damage) {
    namespace fs = std::filesystem;
    std::vector<std::string> paths;
    std::error_code error;
    for (fs::directory_iterator entry(folder, error), end; !error && entry != end;
         entry.increment(error)) {
        if (entry->path().extension() == kOwnersSuffix) paths.push_back(entry->path().string());
    }
    std::sort(paths.begin(), paths.end());
    std::vector<Owners> all;
    size_t ranges_left = kMostRanges;
    for (const std::string& path : paths) {
        try {
            Owners owners = read_owners(path, ranges_left);
            ranges_left -= std::min(ranges_left, owners.ranges.weight());
            if (owners.damage) damage->push_back(*owners.damage);
            if (owners.look) all.push_back(std::move(owners));
        } catch (const Error& problem) {
            damage->emplace_back(problem.what());
        }
    }
    std::stable_sort(all.begin(), all.end(), [](const Owners& a, const Owners& b) {
        return a.look->start_ns < b.look->start_ns;
    });
    return all;
}

}  // namespace cowscope::trace
