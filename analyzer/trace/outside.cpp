#include "trace/outside.h"

#include <algorithm>
#include <filesystem>

#include <fmt/format.h>

#include "base/error.h"
#include "trace/process_trace.h"
#include "trace/segment_reader.h"

namespace cowscope::trace {
namespace {

class OutsideLoader {
  public:
    explicit OutsideLoader(const std::string& path) : reader_(path) {}

    Outside load() {
        try {
            while (const auto record = reader_.next()) take(*record);
            if (reader_.missing_bytes() != 0) {
                outside_.damage = fmt::format("{}: the last {} bytes are missing", reader_.path(),
                                              reader_.missing_bytes());
            }
        } catch (const Error& error) {
            outside_.damage = error.what();
        }
        return std::move(outside_);
    }

  private:
    [[noreturn]] void fail(const RecordView& record, const std::string& kind,
                           const std::string& message) const {
        throw Error(reader_.path(), record.offset, kind, message);
    }

    void take(const RecordView& record) {
        if (record.type == kSamplesRecord) take_samples(record);
        if (record.type == RecordType::census) take_census(record);
        if (record.type == kFateRecord) take_fate(record);
        if (record.type == RecordType::account) outside_.account = record.as<AccountRecord>();
    }

    void take_samples(const RecordView& record) {
        if (record.bytes.size() < sizeof(SamplesRecord)) fail(record, "samples", "is too short");
        const auto fixed = record.as<SamplesRecord>();
        const auto bytes = record.behind<SamplesRecord>();
        if (fixed.count > bytes.size() / sizeof(OutsideSample)) {
            fail(record, "samples",
                 fmt::format("claims {} and has {}", fixed.count,
                             bytes.size() / sizeof(OutsideSample)));
        }
        for (uint32_t i = 0; i < fixed.count; ++i) {
            OutsideSample sample;
            std::memcpy(&sample, bytes.data() + i * sizeof(sample), sizeof(sample));
            const bool in_order =
                outside_.samples.empty() || sample.time_ns >= outside_.samples.back().time_ns;
            if (!in_order || outside_.samples.size() == kMaxOutsideSamples) {
                fail(record, "samples", fmt::format("sample {} is impossible there", i));
            }
            outside_.samples.push_back(sample);
        }
    }

    void take_census(const RecordView& record) {
        const auto fixed = record.as<CensusRecord>();
        if (fixed.kind != CensusKind::outside) fail(record, "census", "is of another kind");
        const auto bytes = record.behind<CensusRecord>();
        for (uint32_t i = 0; i < fixed.run_count; ++i) {
            PageRun run;
            std::memcpy(&run, bytes.data() + i * sizeof(run), sizeof(run));
            if (!census_.copied.append(run)) {
                fail(record, "census",
                     fmt::format("run {} ({:#x}, {} pages) is impossible there", i, run.start,
                                 run.pages));
            }
        }
        if ((record.flags & kMoreParts) != 0) return;
        census_.time_ns = fixed.time_ns;
        census_.epoch = fixed.epoch;
        census_.fresh_pages = fixed.fresh_pages;
        outside_.census = std::move(census_);
        census_ = {};
    }

    void take_fate(const RecordView& record) {
        if (record.bytes.size() < sizeof(FateRecord)) fail(record, "fate", "is too short");
        const auto fate = record.as<FateRecord>();
        const bool known_kind =
            fate.kind == EndKind{0} || fate.kind == EndKind::exit || fate.kind == EndKind::signal;
        if (!known_kind) fail(record, "fate", "has no known kind");
        outside_.fate = fate;
    }

    SegmentReader reader_;
    Outside outside_;
    OutsideCensus census_;  // as far as its parts have come
};

// The process's own later censuses saw more. A process that went on behind its end record, because
// an exec failed, is known better from outside.
bool is_newest(const OutsideCensus& census, const Epoch& epoch, const ProcessTrace& process) {
    if (!epoch.census) return true;
    if (epoch.census == CensusKind::alone) return false;
    const bool may_go_on = process.end && process.end->kind == EndKind::exec;
    if (process.end && (!may_go_on || census.time_ns <= process.end->time_ns)) return false;
    return census.time_ns > epoch.census_ns;
}

void apply_census(OutsideCensus& census, ProcessTrace* process) {
    const auto epoch = std::find_if(process->epochs.rbegin(), process->epochs.rend(),
                                    [&](const Epoch& each) { return each.number == census.epoch; });
    if (epoch == process->epochs.rend()) return;
    if (!is_newest(census, *epoch, *process)) return;
    // Discarded ranges keep what their own censuses said.
    epoch->copied.merge(census.copied);
    epoch->census = CensusKind::outside;
    epoch->census_ns = census.time_ns;
    epoch->fresh_pages = census.fresh_pages;
    epoch->was_protected = true;
}

}  // namespace

std::string outside_path_of(const std::string& folder, const std::string& segment_path) {
    constexpr std::string_view kSegmentPrefix = "process-";
    const std::filesystem::path segment = segment_path;
    std::string name = segment.stem().string();
    if (name.rfind(kSegmentPrefix, 0) == 0) name = "outside-" + name.substr(kSegmentPrefix.size());
    return (std::filesystem::path(folder) / (name + kOutsideSuffix)).string();
}

std::optional<Outside> read_outside(const std::string& path) {
    std::error_code error;
    if (!std::filesystem::exists(std::filesystem::symlink_status(path, error))) return std::nullopt;
    return OutsideLoader(path).load();
}

void add_outside(const std::string& folder, ProcessTrace* process) {
    const std::string path = outside_path_of(folder, process->path);
    try {
        process->outside = read_outside(path);
    } catch (const Error& error) {
        process->outside.emplace();
        process->outside->damage = error.what();
    }
    if (!process->outside) return;
    for (const OutsideSample& sample : process->outside->samples) {
        process->last_time_ns = std::max(process->last_time_ns, sample.time_ns);
    }
    if (process->outside->census) apply_census(*process->outside->census, process);
}

}  // namespace cowscope::trace
