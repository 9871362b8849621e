// What the text report is laid out with: lines, headings, paragraphs, and tables of pages.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "report/report.h"

namespace cowscope::report {

class TextPage {
  public:
    // A table's columns: a name, then pages, size and share, all right-aligned.
    static constexpr size_t kPagesWidth = 12;
    static constexpr size_t kSizeWidth = 12;
    static constexpr size_t kShareWidth = 10;

    // Shares are of the report's copies.
    TextPage(const TextOptions& options, const attribute::Report& report);

    size_t width() const { return width_; }
    // Of the name beside a table's other columns.
    size_t name_width() const { return width_ - kPagesWidth - kSizeWidth - kShareWidth; }
    std::string emphasized(const std::string& text) const;

    void line(const std::string& text = "") { text_ += text + "\n"; }
    void heading(const std::string& title);
    void table_heading(const std::string& title);
    void row(const std::string& name, uint64_t pages);
    // The first line begins after `indent` columns, the others after `hanging`.
    void paragraph(const std::string& text, size_t indent, size_t hanging);
    // Says that `left` rows are not shown.
    void more(size_t left, const std::string& what);

    std::string take() { return std::move(text_); }

  private:
    size_t width_;
    bool has_color_;
    uint64_t page_size_;
    uint64_t copied_pages_;
    std::string text_;
};

}  // namespace cowscope::report
