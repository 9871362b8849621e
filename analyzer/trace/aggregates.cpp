#include "trace/aggregates.h"

#include <sys/stat.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <filesystem>
#include <span>
#include <string_view>

#include <fmt/format.h>

#include "base/error.h"
#include "base/file_descriptor.h"
#include "base/read_file.h"
#include "trace/runtime_records.h"
#include "trace/trace_file.h"

namespace cowscope::trace {

namespace {

namespace fs = std::filesystem;

// The shim's largest has three quarters of it.
constexpr size_t kMostTableBytes = size_t{1} << 20;
// One for each program that forks; those of a hostile trace must not take all memory.
constexpr size_t kMostTables = 4096;
constexpr size_t kMostTablesBytes = size_t{128} << 20;  // of all

std::string content_of(const std::string& path, size_t most_bytes) {
    const FileDescriptor file(open_trace_file(path));
    auto content = read_all(file.get(), most_bytes);
    if (!content) {
        throw Error(fmt::format("{}: cannot be read, or has over {} bytes", path, most_bytes));
    }
    return *std::move(content);
}

template <typename Header>
Header header_of(const std::string& path, const std::string& content,
                 const char (&magic)[sizeof(kBoundMagic)]) {
    if (content.size() < sizeof(Header)) {
        throw Error(fmt::format("{}: has {} bytes, its start alone takes {}", path, content.size(),
                                sizeof(Header)));
    }
    Header header;
    std::memcpy(&header, content.data(), sizeof(header));
    if (std::memcmp(header.magic, magic, sizeof(header.magic)) != 0) {
        throw Error(path + ": does not begin as such a file does");
    }
    if (header.version != kBoundVersion) {
        throw Error(fmt::format("{}: of version {}; this cowscope reads {}", path, header.version,
                                kBoundVersion));
    }
    return header;
}

AggregateCallSite site_of(const std::string& path, size_t offset, const AggregateSlot& slot,
                          uint32_t code_count) {
    AggregateCallSite site;
    site.copies = slot.copies;
    if (slot.is_whole != kWhole && slot.is_whole != kBeingNamed) return site;
    if (slot.depth == 0 || slot.depth > kAggregateDepth ||
        slot.runtime_depth > kAggregateFrameDepth) {
        throw Error(path, offset, "slot", "has an impossible depth");
    }
    site.pid = slot.pid;
    site.tid = slot.tid;
    std::copy(std::begin(slot.code), std::end(slot.code), site.code.begin());
    site.ips.assign(slot.ips, slot.ips + slot.depth);
    site.runtime_frames.assign(slot.runtime_frames, slot.runtime_frames + slot.runtime_depth);
    for (const AggregateFrame& frame : site.runtime_frames) {
        if (frame.code_number <= code_count) continue;
        throw Error(path, offset, "slot",
                    fmt::format("names code {} of {}", frame.code_number, code_count));
    }
    return site;
}

// Where the parts of the file begin.
struct Parts {
    size_t slots = sizeof(AggregateHeader);
    size_t codes = 0;
    size_t texts = 0;
};

Parts parts_of(const std::string& path, const AggregateHeader& header, size_t bytes) {
    Parts parts;
    const size_t room = (bytes - parts.slots) / sizeof(AggregateSlot);
    if (header.slot_bytes != sizeof(AggregateSlot) || header.slot_count > room) {
        throw Error(fmt::format("{}: claims {} slots of {} bytes, and has room for {} of {}", path,
                                header.slot_count, header.slot_bytes, room, sizeof(AggregateSlot)));
    }
    parts.codes = parts.slots + header.slot_count * sizeof(AggregateSlot);
    parts.texts = parts.codes + header.code_count * sizeof(AggregateCode);
    const size_t end = parts.texts + header.text_bytes;
    if (end > bytes) {
        throw Error(fmt::format(
            "{}: claims {} code objects and {} bytes of their texts, up to byte {} of {}", path,
            header.code_count, header.text_bytes, end, bytes));
    }
    return parts;
}

// What the code objects' entries name.
class Texts {
  public:
    Texts(const std::string& path, std::string_view texts, size_t start)
        : path_(path), texts_(texts), start_(start), left_(texts.size()) {}

    RuntimeCode code_at(size_t offset) {
        if (offset % kAggregateCodeAlignment != 0 || offset > texts_.size()) {
            refuse(offset, "is not where one can be");
        }
        const std::string_view from = texts_.substr(offset);
        RuntimeCodeRecord fixed;
        if (from.size() < sizeof(fixed)) refuse(offset, "is cut");
        std::memcpy(&fixed, from.data(), sizeof(fixed));
        const size_t behind = size_t{fixed.name_bytes} + fixed.file_bytes + fixed.line_table_bytes;
        // Each has its own: many that share one would take all memory.
        if (behind > from.size() - sizeof(fixed) || sizeof(fixed) + behind > left_) {
            refuse(offset, "is longer than its room");
        }
        left_ -= sizeof(fixed) + behind;
        return runtime_code_of(fixed, fixed.header.flags,
                               std::as_bytes(std::span(from.substr(sizeof(fixed), behind))));
    }

  private:
    [[noreturn]] void refuse(size_t offset, const char* problem) const {
        throw Error(path_, start_ + offset, "python_code", problem);
    }

    const std::string& path_;
    std::string_view texts_;
    size_t start_;  // in the file
    size_t left_;   // bytes
};

std::map<uint32_t, RuntimeCode> codes_of(const std::string& path, const std::string& content,
                                         const AggregateHeader& header, const Parts& parts) {
    std::map<uint32_t, RuntimeCode> codes;
    Texts texts(path, std::string_view(content).substr(parts.texts, header.text_bytes),
                parts.texts);
    for (uint32_t i = 0; i < header.code_count; ++i) {
        AggregateCode code;
        std::memcpy(&code, content.data() + parts.codes + i * sizeof(code), sizeof(code));
        if (code.key != 0 && code.is_whole == kWhole) codes[i + 1] = texts.code_at(code.offset);
    }
    return codes;
}

size_t bytes_of(const Later& later) {
    size_t bytes = sizeof(later) + later.sites.size() * sizeof(AggregateSlot);
    for (const auto& [number, code] : later.codes) {
        bytes += sizeof(code) + code.name.size() + code.file.size();
    }
    return bytes;
}

Bound read_bound_file(const std::string& path) {
    const auto file = header_of<BoundFile>(path, content_of(path, sizeof(BoundFile)), kBoundMagic);
    Bound bound;
    bound.limit_bytes = file.limit_bytes;
    bound.used_bytes = file.used_bytes;
    bound.reached_ns = file.reached_ns;
    bound.programs_not_recorded = file.programs_not_recorded;
    bound.counts = file.counts;
    return bound;
}

}  // namespace

Later read_aggregates(const std::string& path) {
    const std::string content = content_of(path, kMostTableBytes);
    const auto header = header_of<AggregateHeader>(path, content, kAggregateMagic);
    const Parts parts = parts_of(path, header, content.size());
    Later later;
    later.path = path;
    later.pid = header.pid;
    later.created_ns = header.created_ns;
    later.counts = header.counts;
    later.runtime_version = header.runtime_version;
    later.codes = codes_of(path, content, header, parts);
    for (size_t i = 0; i < header.slot_count; ++i) {
        const size_t offset = parts.slots + i * sizeof(AggregateSlot);
        AggregateSlot slot;
        std::memcpy(&slot, content.data() + offset, sizeof(slot));
        // Claimed, and not counted yet when its process was killed.
        if (slot.key == 0 || slot.copies == 0) continue;
        later.sites.push_back(site_of(path, offset, slot, header.code_count));
    }
    return later;
}

std::vector<std::string> find_aggregates(const std::string& folder) {
    std::vector<std::string> paths;
    std::error_code error;
    for (fs::directory_iterator entry(folder, error), end; !error && entry != end;
         entry.increment(error)) {
        if (entry->path().extension() == kAggregateSuffix) paths.push_back(entry->path().string());
    }
    std::sort(paths.begin(), paths.end());
    return paths;
}

std::optional<Bound> read_bound(const std::string& folder, std::vector<std::string>* damage) {
    const std::string path = folder + "/" + kBoundFile;
    struct stat status {};
    if (lstat(path.c_str(), &status) != 0) return std::nullopt;
    Bound bound;
    try {
        bound = read_bound_file(path);
    } catch (const Error& error) {
        damage->emplace_back(error.what());
        return std::nullopt;
    }
    // Nothing was counted in them before.
    if (bound.reached_ns == 0) return bound;
    size_t kept_bytes = 0;
    for (const std::string& table : find_aggregates(folder)) {
        if (bound.later.size() == kMostTables) {
            damage->push_back(fmt::format("{}: more than {} tables", folder, kMostTables));
            break;
        }
        try {
            Later later = read_aggregates(table);
            kept_bytes += bytes_of(later);
            if (kept_bytes > kMostTablesBytes) {
                damage->push_back(fmt::format("{}: its tables hold more than {} bytes", folder,
                                              kMostTablesBytes));
                break;
            }
            bound.later.push_back(std::move(later));
        } catch (const Error& error) {
            damage->emplace_back(error.what());
        }
    }
    return bound;
}

}  // namespace cowscope::trace
