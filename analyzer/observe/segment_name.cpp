#include "observe/segment_name.h"

#include <algorithm>
#include <string>

#include "base/parse_text.h"
#include "preload/format/trace_format.h"

namespace cowscope::observe {

namespace {

bool take_text(std::string_view* text, std::string_view expected) {
    if (text->substr(0, expected.size()) != expected) return false;
    text->remove_prefix(expected.size());
    return true;
}

}  // namespace

std::optional<SegmentName> parse_segment_name(std::string_view text) {
    SegmentName name;
    const size_t slash = text.rfind('/');
    if (slash != std::string_view::npos) text.remove_prefix(slash + 1);
    const bool matches = take_text(&text, "process-") && take_number(&text, &name.pid) &&
                         take_text(&text, "-") && take_number(&text, &name.created_ns) &&
                         text == trace::kSegmentSuffix;
    if (!matches || name.pid <= 0) return std::nullopt;
    return name;
}

bool maps_file(const trace::Mappings& mappings, std::string_view name) {
    return std::any_of(mappings.all().begin(), mappings.all().end(),
                       [&](const trace::Mapping& mapping) {
                           const std::string& path = mapping.path;
                           return path.size() > name.size() && path.ends_with(name) &&
                                  path[path.size() - name.size() - 1] == '/';
                       });
}

}  // namespace cowscope::observe
