#include "report/text_page.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "base/printable.h"
#include "report/format.h"
#include "symbolize/demangle.h"

namespace cowscope::report {

TextPage::TextPage(const TextOptions& options, const attribute::Report& report)
    : width_(std::clamp(options.width, 60u, 160u)),
      has_color_(options.color),
      page_size_(report.page_size),
      copied_pages_(report.totals.copied_pages),
      share_width_(kShareWidth + (report.totals.represented_pages != 0 ? kMarginWidth : 0)) {}

std::string TextPage::emphasized(const std::string& text) const {
    return has_color_ ? report::emphasized(text) : text;
}

void TextPage::heading(const std::string& title) {
    line();
    line(emphasized(title));
}

void TextPage::table_heading(const std::string& title) {
    heading(fmt::format("{:<{}}{:>{}}{:>{}}{:>{}}", title, name_width(), "pages", kPagesWidth,
                        "size", kSizeWidth, "share", share_width_));
}

void TextPage::row(const std::string& name, uint64_t pages, uint64_t margin) {
    line(fmt::format("{:<{}}{:>{}}{:>{}}{:>{}}", cut_end(name, name_width()), name_width(),
                     grouped(pages), kPagesWidth, size_text(pages * page_size_), kSizeWidth,
                     share_text(pages, margin), share_width_));
}

std::string TextPage::share_text(uint64_t pages, uint64_t margin) const {
    const auto copied = static_cast<double>(copied_pages_);
    const std::string share = percent(static_cast<double>(pages) / copied);
    if (margin == 0) return share;
    // Not less than it is.
    const double points = std::ceil(static_cast<double>(margin) / copied * 1000) / 10;
    return fmt::format("{} ±{:.1f}", share, points);
}

void TextPage::paragraph(const std::string& text, size_t indent, size_t hanging) {
    const auto lines = wrapped(text, width_ - hanging);
    for (size_t i = 0; i < lines.size(); ++i) {
        line(std::string(i == 0 ? indent : hanging, ' ') + lines[i]);
    }
}

void TextPage::more(size_t left, const std::string& what) {
    if (left != 0) line(fmt::format("  … and {} more {} (--top)", left, what));
}

std::string name_and_place(const std::string& function, const std::string& place, size_t columns) {
    constexpr std::string_view kAnonymous = "(anonymous namespace)::";
    std::string name =
        function.empty() ? "(no symbol)" : symbolize::short_name(printable(function));
    for (size_t at; (at = name.find(kAnonymous)) != std::string::npos;) {
        name.erase(at, kAnonymous.size());
    }
    const size_t room = columns > place.size() + 9 ? columns - place.size() - 1 : 8;
    return cut_end(cut_start(name, room) + " " + place, columns);
}

std::string stack_line(const FrameText& frame, size_t columns) {
    if (frame.place.empty()) return cut_end(printable(frame.function), columns);
    return name_and_place(frame.function, printable(frame.place), columns);
}

}  // namespace cowscope::report
