#include "tests/fuzz/trace_files.h"

#include <algorithm>

#include "preload/format/aggregate_format.h"
#include "trace/heap_owners.h"
#include "trace/outside.h"

namespace cowscope::fuzz {
namespace {

namespace format = cowscope::trace;

constexpr size_t kFileHeaderBytes = 4;

File parse_file(uint8_t head, const std::string& bytes, Kinds kinds) {
    File file;
    file.kind = static_cast<Kind>((head & 7) % kKinds);
    if (std::find(kinds.begin(), kinds.end(), file.kind) == kinds.end()) {
        file.kind = kinds[(head & 7) % kinds.size()];
    }
    file.process = head >> 3 & 3;
    if (!is_framed(file)) {
        file.records.push_back(bytes);
        return file;
    }
    file.header = bytes.substr(0, kHeaderBytes);
    for (size_t at = file.header.size(); at < bytes.size();) {
        const auto claimed = get<uint32_t>(bytes, at);
        const bool is_sound = claimed >= sizeof(format::RecordHeader) && claimed % 8 == 0;
        const size_t left = bytes.size() - at;
        const size_t length = is_sound ? std::min<size_t>(claimed, left) : left;
        file.records.push_back(bytes.substr(at, length));
        at += length;
    }
    return file;
}

}  // namespace

bool is_framed(const File& file) {
    return file.kind == Kind::segment || file.kind == Kind::outside || file.kind == Kind::owners;
}

Files parse(const uint8_t* data, size_t size, Kinds kinds) {
    Files files;
    while (size >= kFileHeaderBytes && files.size() < kMostFiles) {
        const size_t claimed = size_t{data[1]} | size_t{data[2]} << 8 | size_t{data[3]} << 16;
        const size_t length = std::min(claimed, size - kFileHeaderBytes);
        files.push_back(parse_file(
            data[0], std::string(reinterpret_cast<const char*>(data) + kFileHeaderBytes, length),
            kinds));
        data += kFileHeaderBytes + length;
        size -= kFileHeaderBytes + length;
    }
    return files;
}

std::string bytes_of(const File& file) {
    std::string bytes = file.header;
    for (const std::string& record : file.records) bytes += record;
    return bytes;
}

std::string to_input(const Files& files) {
    std::string input;
    for (const File& file : files) {
        const std::string bytes = bytes_of(file);
        input.push_back(
            static_cast<char>(static_cast<unsigned>(file.kind) | unsigned{file.process} << 3));
        for (unsigned shift = 0; shift < 24; shift += 8) {
            input.push_back(static_cast<char>(bytes.size() >> shift));
        }
        input += bytes;
    }
    return input;
}

std::string name_of(const File& file) {
    const std::string id =
        std::to_string(100 + file.process) + "-" + std::to_string(1000 + file.process);
    switch (file.kind) {
        case Kind::segment:
            return "process-" + id + format::kSegmentSuffix;
        case Kind::outside:
            return "outside-" + id + format::kOutsideSuffix;
        case Kind::owners:
            return "owners-" + id + "-7" + format::kOwnersSuffix;
        case Kind::bound:
            return format::kBoundFile;
        case Kind::later:
            return format::kAggregatePrefix + id + format::kAggregateSuffix;
        case Kind::recording:
            break;
    }
    return "recording.json";
}

}  // namespace cowscope::fuzz
