#include "report/text_after_bound.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/file_name.h"
#include "base/printable.h"
#include "report/format.h"

namespace cowscope::report {
namespace {

using attribute::AfterBound;
using attribute::AggregateSite;

std::string source_of(const AggregateSite& place) {
    const attribute::WritingCode& code = place.code;
    if (code.file.empty()) return fmt::format("({})", code.module);
    return fmt::format("({}:{}, {})", file_name(code.file), code.line, code.module);
}

void place_lines(const AggregateSite& place, TextPage* page) {
    // Where a library's function has no line, those who called it say more.
    constexpr size_t kCallers = 3;
    if (place.native_stack.empty()) {
        page->line("      (an unknown place)");
        return;
    }
    const bool has_runtime = !place.runtime_stack.empty();
    if (has_runtime) {
        const std::string line = short_text_of(*place.runtime_stack.frames.front()).whole();
        page->line("      " + cut_end(printable(line), page->width() - 6));
    }
    const std::string in = has_runtime ? "in " : "";
    const size_t columns = page->width() - 6 - in.size();
    page->line(
        "      " + in +
        name_and_place(std::string(place.code.function), printable(source_of(place)), columns));
    if (has_runtime || !place.code.file.empty()) return;
    const size_t lines = line_count(place.native_stack);
    for (size_t i = 1; i < std::min(lines, kCallers + 1); ++i) {
        page->line("        < " +
                   stack_line(text_of_line(place.native_stack, i), page->width() - 10));
    }
}

bool has_later_copies(const attribute::Report& report) {
    return report.after_bound && report.after_bound->copies != 0;
}

}  // namespace

void after_bound_line(const attribute::Report& report, TextPage* page) {
    if (!has_later_copies(report)) return;
    const uint64_t copies = report.after_bound->copies;
    page->paragraph(fmt::format("After the bound was reached: {} more, {}, only counted.",
                                page_count(copies), size_text(copies * report.page_size)),
                    0, 0);
}

void after_bound_section(const attribute::Report& report, const TextOptions& options,
                         TextPage* page) {
    if (!has_later_copies(report)) return;
    const AfterBound& after = *report.after_bound;
    page->heading("After the bound was reached (copies that were only counted)");
    const auto line = [&](uint64_t copies, const std::string& what) {
        const double share = static_cast<double>(copies) / static_cast<double>(after.copies);
        page->line(fmt::format("  {}  {}{}", page_count(copies), percent(share), what));
    };
    const size_t shown = std::min(after.sites.size(), options.top);
    for (size_t i = 0; i < shown; ++i) {
        line(after.sites[i].copies, "");
        place_lines(after.sites[i], page);
    }
    page->more(after.sites.size() - shown, "places");
    if (after.kernel_copies != 0) line(after.kernel_copies, "  by the kernel, into a buffer");
    if (after.late_copies != 0) line(after.late_copies, "  while SIGTRAP was blocked");
    if (after.unplaced_copies != 0) {
        line(after.unplaced_copies, "  in places for which the table had no room");
    }
}

}  // namespace cowscope::report
