#include "report/text_page.h"

#include <algorithm>

#include <fmt/format.h>

#include "report/format.h"

namespace cowscope::report {

TextPage::TextPage(const TextOptions& options, const attribute::Report& report)
    : width_(std::clamp(options.width, 60u, 160u)),
      has_color_(options.color),
      page_size_(report.page_size),
      copied_pages_(report.totals.copied_pages) {}

std::string TextPage::emphasized(const std::string& text) const {
    return has_color_ ? "\033[1m" + text + "\033[0m" : text;
}

void TextPage::heading(const std::string& title) {
    line();
    line(emphasized(title));
}

void TextPage::table_heading(const std::string& title) {
    heading(fmt::format("{:<{}}{:>{}}{:>{}}{:>{}}", title, name_width(), "pages", kPagesWidth,
                        "size", kSizeWidth, "share", kShareWidth));
}

void TextPage::row(const std::string& name, uint64_t pages) {
    const double share = static_cast<double>(pages) / static_cast<double>(copied_pages_);
    line(fmt::format("{:<{}}{:>{}}{:>{}}{:>{}}", cut_end(name, name_width()), name_width(),
                     grouped(pages), kPagesWidth, size_text(pages * page_size_), kSizeWidth,
                     percent(share), kShareWidth));
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

}  // namespace cowscope::report
