#include "trace/mappings.h"

#include <algorithm>
#include <climits>

#include "base/parse_text.h"

namespace cowscope::trace {
namespace {

bool take_hex(std::string_view* text, char behind, uint64_t* value) {
    if (!take_number(text, value, 16) || !text->starts_with(behind)) return false;
    text->remove_prefix(1);
    return true;
}

// start-end perms offset device inode path (proc(5))
bool parse_line(std::string_view line, Mapping* mapping) {
    if (!take_hex(&line, '-', &mapping->start) || !take_hex(&line, ' ', &mapping->end)) {
        return false;
    }
    if (mapping->end <= mapping->start || line.size() < 5) return false;
    mapping->writable = line[1] == 'w';
    mapping->executable = line[2] == 'x';
    mapping->is_private = line[3] == 'p';
    line.remove_prefix(5);
    if (!take_hex(&line, ' ', &mapping->file_offset)) return false;
    for (int field = 0; field < 2; ++field) {  // device, inode
        const size_t space = line.find(' ');
        if (space == std::string_view::npos) {
            line = {};
            break;
        }
        line.remove_prefix(space + 1);
    }
    const size_t path = line.find_first_not_of(' ');
    // As long as the kernel lets one be.
    if (path != std::string_view::npos) mapping->path = line.substr(path, PATH_MAX);
    return true;
}

}  // namespace

Mappings::Mappings(std::string_view text, uint64_t time_ns) : time_ns_(time_ns) {
    while (!text.empty()) {
        const size_t end = std::min(text.find('\n'), text.size());
        Mapping mapping;
        if (parse_line(text.substr(0, end), &mapping) &&
            (mappings_.empty() || mapping.start >= mappings_.back().end)) {
            mappings_.push_back(std::move(mapping));
        }
        text.remove_prefix(std::min(end + 1, text.size()));
    }
}

const Mapping* Mappings::find(uint64_t address) const {
    const auto above = std::upper_bound(
        mappings_.begin(), mappings_.end(), address,
        [](uint64_t value, const Mapping& mapping) { return value < mapping.start; });
    if (above == mappings_.begin() || address >= std::prev(above)->end) return nullptr;
    return &*std::prev(above);
}

const Mapping* Mappings::file_before(const Mapping& mapping) const {
    if (!mapping.path.empty() || !mapping.writable || mapping.start == 0) return nullptr;
    const Mapping* before = find(mapping.start - 1);
    return before != nullptr && before->is_file() && before->writable ? before : nullptr;
}

}  // namespace cowscope::trace
