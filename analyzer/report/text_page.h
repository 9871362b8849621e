// What the text report is laid out with: lines, headings, paragraphs, and tables of pages.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "report/format.h"
#include "report/frame_text.h"
#include "report/report.h"

namespace cowscope::report {

class TextPage {
  public:
    // A table's columns: a name, then pages, size and share, all right-aligned.
    static constexpr size_t kPagesWidth = 12;
    static constexpr size_t kSizeWidth = 12;
    static constexpr size_t kShareWidth = 10;
    static constexpr size_t kMarginWidth = 7;  // " ±99.9"

    // Shares are of the report's copies.
    TextPage(const TextOptions& options, const attribute::Report& report);

    size_t width() const { return width_; }
    // Of the name beside a table's other columns.
    size_t name_width() const { return width_ - kPagesWidth - kSizeWidth - share_width_; }
    std::string emphasized(const std::string& text) const;

    void line(const std::string& text = "") { text_ += printable_line(text, has_color_) + "\n"; }
    void heading(const std::string& title);
    void table_heading(const std::string& title);
    // `margin` of the pages; shown beside the share where it is not 0.
    void row(const std::string& name, uint64_t pages, uint64_t margin = 0);
    // "97.3 %", with a margin "97.3 % ±0.4".
    std::string share_text(uint64_t pages, uint64_t margin) const;
    size_t share_width() const { return share_width_; }
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
    size_t share_width_;  // kShareWidth, and room for margins where there are any
    std::string text_;
};

// A function and where it is. The place stays whole; a long name loses its start, because what
// tells functions apart stands at the end.
std::string name_and_place(const std::string& function, const std::string& place, size_t columns);
std::string stack_line(const FrameText& frame, size_t columns);

}  // namespace cowscope::report
