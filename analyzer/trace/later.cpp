#include "trace/later.h"

#include <sys/stat.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <filesystem>

#include <fmt/format.h>

#include "error.h"
#include "record/file_descriptor.h"
#include "record/other_process.h"
#include "trace/trace_file.h"

namespace cowscope::trace {

namespace {

namespace fs = std::filesystem;

// The shim's largest has half of it.
constexpr size_t kMostTableBytes = size_t{1} << 20;
// One for each program that forks; those of a hostile trace must not take all memory.
constexpr size_t kMostTables = 4096;

std::string content_of(const std::string& path, size_t most_bytes) {
    const record::FileDescriptor file(open_trace_file(path));
    auto content = record::read_all(file.get(), most_bytes);
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

LaterSite site_of(const std::string& path, size_t offset, const LaterSlot& slot) {
    LaterSite site;
    site.copies = slot.copies;
    if (slot.is_whole != 1) return site;
    if (slot.depth == 0 || slot.depth > kLaterDepth || slot.python_depth > kLaterPythonDepth) {
        throw Error(path, offset, "slot", "has an impossible depth");
    }
    site.pid = slot.pid;
    site.tid = slot.tid;
    std::copy(std::begin(slot.code), std::end(slot.code), site.code.begin());
    site.ips.assign(slot.ips, slot.ips + slot.depth);
    site.python.assign(slot.python, slot.python + slot.python_depth);
    return site;
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

Later read_later(const std::string& path) {
    const std::string content = content_of(path, kMostTableBytes);
    const auto header = header_of<LaterHeader>(path, content, kLaterMagic);
    const size_t room = (content.size() - sizeof(header)) / sizeof(LaterSlot);
    if (header.slot_bytes != sizeof(LaterSlot) || header.slot_count > room) {
        throw Error(fmt::format("{}: claims {} slots of {} bytes, and has room for {} of {}", path,
                                header.slot_count, header.slot_bytes, room, sizeof(LaterSlot)));
    }
    Later later;
    later.path = path;
    later.pid = header.pid;
    later.created_ns = header.created_ns;
    later.counts = header.counts;
    for (size_t i = 0; i < header.slot_count; ++i) {
        const size_t offset = sizeof(header) + i * sizeof(LaterSlot);
        LaterSlot slot;
        std::memcpy(&slot, content.data() + offset, sizeof(slot));
        // Claimed, and not counted yet when its process was killed.
        if (slot.key == 0 || slot.copies == 0) continue;
        later.sites.push_back(site_of(path, offset, slot));
    }
    return later;
}

std::vector<std::string> find_later(const std::string& folder) {
    std::vector<std::string> paths;
    std::error_code error;
    for (fs::directory_iterator entry(folder, error), end; !error && entry != end;
         entry.increment(error)) {
        if (entry->path().extension() == kLaterSuffix) paths.push_back(entry->path().string());
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
    for (const std::string& table : find_later(folder)) {
        if (bound.later.size() == kMostTables) {
            damage->push_back(fmt::format("{}: more than {} tables", folder, kMostTables));
            break;
        }
        try {
            bound.later.push_back(read_later(table));
        } catch (const Error& error) {
            damage->emplace_back(error.what());
        }
    }
    return bound;
}

}  // namespace cowscope::trace
