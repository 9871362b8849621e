#include "trace/owners.h"

#include <algorithm>
#include <filesystem>

#include <fmt/format.h>

#include "error.h"
#include "trace/segment_reader.h"

namespace cowscope::trace {
namespace {

class OwnersLoader {
  public:
    explicit OwnersLoader(const std::string& path) : reader_(path) {}

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
            {std::string(reinterpret_cast<const char*>(name.data()), fixed.name_bytes),
             fixed.objects, fixed.strs, fixed.sampled, fixed.distinct});
    }

    void take_ranges(const RecordView& record) {
        if (record.bytes.size() < sizeof(RangesRecord)) fail(record, "ranges", "is too short");
        const auto fixed = record.as<RangesRecord>();
        const auto bytes = record.behind<RangesRecord>();
        if (fixed.packed_bytes > bytes.size() ||
            owners_.ranges.size() + fixed.count > kMostRanges) {
            fail(record, "ranges", fmt::format("claims {} and has no room", fixed.count));
        }
        rest_ = bytes.first(fixed.packed_bytes);
        uint64_t end = fixed.start / kRangeUnit;
        uint64_t last = 0;
        uint64_t before = 0;
        for (uint32_t i = 0; i < fixed.count; ++i) {
            const uint64_t gap = number(record);
            const uint64_t length_and_how = number(record);
            const uint64_t how = length_and_how & 3;
            const uint64_t owner = how == 0 ? last : how == 1 ? before : number(record);
            const uint64_t length = length_and_how >> 2;
            // Addresses of a process have 57 bits at most.
            constexpr uint64_t kMost = (uint64_t{1} << 57) / kRangeUnit;
            const bool is_possible = how <= 2 && gap <= kMost && end + gap + length <= kMost &&
                                     length != 0 && length <= UINT32_MAX && owner != 0 &&
                                     owner <= owners_.owners.size();
            const uint64_t start = end + gap;
            const bool in_order =
                owners_.ranges.empty() ||
                start >= owners_.ranges.back().start + owners_.ranges.back().length;
            if (!is_possible || !in_order) {
                fail(record, "ranges", fmt::format("range {} is impossible there", i));
            }
            owners_.ranges.push_back(
                {start, static_cast<uint32_t>(length), static_cast<uint32_t>(owner)});
            end = start + length;
            if (owner != last) {
                before = last;
                last = owner;
            }
        }
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
    Owners owners_;
    std::span<const std::byte> rest_;
};

}  // namespace

size_t Owners::range_from(uint64_t unit) const {
    const auto found = std::partition_point(ranges.begin(), ranges.end(), [&](const Range& range) {
        return range.start + range.length <= unit;
    });
    return static_cast<size_t>(found - ranges.begin());
}

uint32_t Owners::find(uint64_t address) const {
    const uint64_t unit = address / kRangeUnit;
    const size_t at = range_from(unit);
    return at < ranges.size() && ranges[at].start <= unit ? ranges[at].owner : 0;
}

Owners read_owners(const std::string& path) {
    return OwnersLoader(path).load();
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
    for (const std::string& path : paths) {
        try {
            Owners owners = read_owners(path);
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
