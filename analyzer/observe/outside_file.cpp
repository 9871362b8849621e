#include "observe/outside_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>

#include "base/file_descriptor.h"
#include "base/write_file.h"

namespace cowscope::observe {

namespace {

template <typename Value>
void append_bytes(std::string* content, const Value& value) {
    content->append(reinterpret_cast<const char*>(&value), sizeof(value));
}

template <typename Record>
void append_record(std::string* content, trace::RecordType type, uint16_t flags, Record record,
                   const void* behind, size_t behind_bytes) {
    static_assert(sizeof(Record) % 8 == 0);
    record.header = {static_cast<uint32_t>(sizeof(record) + behind_bytes), type, flags};
    append_bytes(content, record);
    content->append(static_cast<const char*>(behind), behind_bytes);
}

void append_census(std::string* content, const trace::OutsideSample& sample,
                   const std::vector<trace::PageRun>& runs) {
    constexpr size_t kRunsARecord =
        (trace::kMaxRecordBytes - sizeof(trace::CensusRecord)) / sizeof(trace::PageRun);
    size_t next = 0;
    do {
        const size_t count = std::min(runs.size() - next, kRunsARecord);
        trace::CensusRecord record{};
        record.time_ns = sample.time_ns;
        record.fresh_pages = sample.fresh_pages;
        record.epoch = sample.epoch;
        record.kind = trace::CensusKind::outside;
        record.run_count = static_cast<uint32_t>(count);
        append_record(content, trace::RecordType::census,
                      next + count < runs.size() ? trace::kMoreParts : uint16_t{0}, record,
                      runs.data() + next, count * sizeof(trace::PageRun));
        next += count;
    } while (next < runs.size());
}

void begin(std::string* content, uint32_t pid, uint64_t created_ns) {
    trace::SegmentHeader header{};
    std::memcpy(header.magic, trace::kMagic, sizeof(header.magic));
    header.version = trace::kVersion;
    header.header_bytes = sizeof(header);
    header.page_size = trace::kPageBytes;
    header.machine = trace::kMachine;
    header.pid = pid;
    header.created_ns = created_ns;
    content->clear();
    append_bytes(content, header);
}

int replace_in(ShareOfBound* share, const std::string& path, const std::string& content) {
    return share == nullptr ? replace_file(path, content) : share->replace(path, content);
}

constexpr size_t kCommittedAt = offsetof(trace::SegmentHeader, committed_bytes);

// All of `content` counts.
void finish(std::string* content) {
    const uint64_t bytes = content->size();
    std::memcpy(content->data() + kCommittedAt, &bytes, sizeof(bytes));
}

}  // namespace

void Samples::add(const trace::OutsideSample& sample) {
    if (added_++ % stride_ == 0) {
        // One place stays free for the last one.
        if (kept_.size() + 1 == trace::kMaxOutsideSamples) {
            for (size_t i = 0; 2 * i < kept_.size(); ++i) kept_[i] = kept_[2 * i];
            kept_.resize((kept_.size() + 1) / 2);
            stride_ *= 2;
        }
        if ((added_ - 1) % stride_ == 0) kept_.push_back(sample);
    }
    last_ = sample;
}

std::vector<trace::OutsideSample> Samples::all() const {
    std::vector<trace::OutsideSample> samples = kept_;
    if (added_ != 0 && (added_ - 1) % stride_ != 0) samples.push_back(last_);
    return samples;
}

int write_outside(const std::string& path, uint32_t pid, uint64_t created_ns,
                  const Samples& samples, const trace::OutsideSample& latest,
                  const trace::PageSet& copied, const trace::AccountRecord& most,
                  std::string* scratch, ShareOfBound* share) {
    begin(scratch, pid, created_ns);
    const std::vector<trace::OutsideSample> all = samples.all();
    trace::SamplesRecord record{};
    record.count = static_cast<uint32_t>(all.size());
    append_record(scratch, trace::kSamplesRecord, 0, record, all.data(),
                  all.size() * sizeof(trace::OutsideSample));
    append_census(scratch, latest, copied.runs());
    if (most.time_ns != 0) append_record(scratch, trace::RecordType::account, 0, most, "", 0);
    finish(scratch);
    return replace_in(share, path, *scratch);
}

int append_fate(const std::string& path, uint32_t pid, uint64_t created_ns,
                const trace::FateRecord& fate, ShareOfBound* share) {
    const FileDescriptor file(open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
    if (!file.is_open()) {
        if (errno != ENOENT) return errno;
        std::string content;
        begin(&content, pid, created_ns);
        append_record(&content, trace::kFateRecord, 0, fate, "", 0);
        finish(&content);
        return replace_in(share, path, content);
    }
    uint64_t committed = 0;
    const ssize_t got = pread(file.get(), &committed, sizeof(committed), kCommittedAt);
    if (got != static_cast<ssize_t>(sizeof(committed))) return got < 0 ? errno : EIO;
    std::string record;
    append_record(&record, trace::kFateRecord, 0, fate, "", 0);
    const int error = write_at(file.get(), record, committed);
    if (error != 0) return error;
    std::string committed_bytes;
    append_bytes(&committed_bytes, committed + record.size());
    return write_at(file.get(), committed_bytes, kCommittedAt);
}

}  // namespace cowscope::observe
