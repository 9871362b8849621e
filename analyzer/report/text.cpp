#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "base/file_name.h"
#include "base/printable.h"
#include "report/format.h"
#include "report/report.h"
#include "report/text_after_bound.h"
#include "report/text_page.h"
#include "runtime/function_names.h"
#include "symbolize/demangle.h"

namespace cowscope::report {
namespace {

using namespace attribute;
using symbolize::short_name;

class TextReport {
  public:
    TextReport(const Report& report, const TextOptions& options)
        : report_(report), options_(options), page_(options, report) {}

    std::string write() {
        head();
        if (report_.totals.copied_pages != 0) {
            if (options_.by == "type") {
                types();
            } else if (options_.by == "owner") {
                all_owners();
            } else if (options_.by == "process") {
                processes();
            } else if (options_.by == "site") {
                sites();
            } else {
                causes();
                advice();
                main_owners();
                main_sites();
                processes();
            }
        } else if (options_.by == "process" || options_.by == "cause") {
            processes();
        }
        if (options_.by == "cause" || options_.by == "site") {
            after_bound_section(report_, options_, &page_);
        }
        notes();
        return page_.take();
    }

  private:
    void head();
    void causes();
    void sites();
    void main_sites();
    void site(const SiteShare& site);
    void python_site(const SiteShare& site);
    static std::string cause_line(const SiteShare& site);
    void types();
    void main_owners();
    void all_owners();
    void advice();
    void processes();
    void notes();

    const Report& report_;
    const TextOptions& options_;
    TextPage page_;
};

void TextReport::head() {
    const Totals& totals = report_.totals;
    const std::string command = printable(fmt::format("{}", fmt::join(report_.command, " ")));
    page_.line(page_.emphasized("cowscope  ") + cut_end(command, page_.width() - 10));
    const bool forked = std::any_of(report_.processes.begin(), report_.processes.end(),
                                    [](const ProcessSummary& p) { return p.role == "fork"; });
    const std::string instruments =
        forked ? fmt::format("; tracker {}, witness {}", report_.tracker, report_.witness) : "";
    page_.line(fmt::format("{}, {} process{}{}", duration_text(report_.duration_ns),
                           totals.processes, totals.processes == 1 ? "" : "es", instruments));
    page_.line();
    const bool tracked =
        std::any_of(report_.processes.begin(), report_.processes.end(),
                    [](const ProcessSummary& p) { return p.inherited_pages != 0; });
    if (totals.copied_pages == 0) {
        page_.line(tracked   ? "No inherited page was copied."
                   : !forked ? "No process forked, so there was nothing to copy."
                             : "Nothing is known about copies: no process was tracked.");
        return;
    }
    const auto copying = std::count_if(report_.processes.begin(), report_.processes.end(),
                                       [](const ProcessSummary& p) { return p.copied_pages != 0; });
    // What nobody counted is no part of a share.
    const std::string explained =
        totals.copied_at_least ? "" : fmt::format("; {} explained", percent(totals.explained));
    page_.paragraph(
        fmt::format("Copied after fork: {}{}, {}, by {} of {} processes{}.",
                    totals.copied_at_least ? "at least " : "", page_count(totals.copied_pages),
                    size_text(totals.copied_pages * report_.page_size), copying, totals.processes,
                    explained),
        0, 0);
    after_bound_line(report_, &page_);
}

void TextReport::causes() {
    page_.table_heading("Why");
    for (const CauseShare& cause : report_.causes) {
        page_.row("  " + std::string(cause_name(cause.cause)), cause.pages, cause.margin);
        // A type that is next to nothing of all copies is not worth its line.
        constexpr uint64_t kLeastShare = 1000;
        const size_t shown = std::min(cause.types.size(), options_.top);
        for (size_t i = 0; i < shown; ++i) {
            if (cause.types[i].pages * kLeastShare < report_.totals.copied_pages) break;
            page_.row("      " + printable(cause.types[i].type), cause.types[i].pages,
                      cause.types[i].margin);
        }
    }
    if (report_.totals.finalization_pages != 0) {
        page_.row("  (of these, at interpreter exit)", report_.totals.finalization_pages);
    }
}

void TextReport::sites() {
    page_.heading("Where (the writing instruction)");
    const size_t shown = std::min(report_.sites.size(), options_.top);
    for (size_t i = 0; i < shown; ++i) site(report_.sites[i]);
    page_.more(report_.sites.size() - shown, "sites");
}

// Beside the other tables only what matters is worth its lines.
void TextReport::main_sites() {
    constexpr double kWorthShowing = 0.01;
    page_.heading("Where (the writing instruction)");
    size_t shown = 0;
    uint64_t pages = 0;
    for (const SiteShare& each : report_.sites) {
        const auto least = kWorthShowing * static_cast<double>(report_.totals.copied_pages);
        if (shown == options_.top || (shown != 0 && static_cast<double>(each.pages) < least)) break;
        site(each);
        pages += each.pages;
        ++shown;
    }
    if (shown == report_.sites.size()) return;
    const uint64_t left = report_.totals.copied_pages - pages;
    page_.line(fmt::format(
        "  {}  {}  in {} more sites (--by site)", page_count(left),
        percent(static_cast<double>(left) / static_cast<double>(report_.totals.copied_pages)),
        report_.sites.size() - shown));
}

void TextReport::site(const SiteShare& site) {
    constexpr size_t kStackLines = 6;
    page_.line(fmt::format("  {}  {}  {}", page_count(site.pages),
                           page_.share_text(site.pages, site.margin), cause_line(site)));
    if (!site.mixed_stack.empty()) {
        python_site(site);
        return;
    }
    const WritingCode& code = site.code;
    if (!code.module.empty() || !code.function.empty()) {
        const std::string source =
            code.file.empty() ? "" : fmt::format("{}:{}, ", file_name(code.file), code.line);
        page_.line("      " + name_and_place(std::string(code.function),
                                             printable(fmt::format("({}{})", source, code.module)),
                                             page_.width() - 6));
        const std::string inlined =
            code.inlined.empty() ? ""
                                 : fmt::format("   (inlined {})", runtime::base_name(code.inlined));
        page_.line("      " + cut_end(printable(fmt::format("{}{}", code.instruction, inlined)),
                                      page_.width() - 6));
    }
    page_.paragraph(printable(site.evidence), 6, 6);
    const size_t inlined = code.inlined.empty() ? 0 : 1;
    const size_t lines = line_count(site.native_stack);
    const size_t shown = std::min(lines, kStackLines);
    for (size_t i = 1 + inlined; i < shown; ++i) {
        page_.line("        < " +
                   stack_line(text_of_line(site.native_stack, i), page_.width() - 10));
    }
    if (lines > kStackLines) {
        page_.line(fmt::format("        < … {} more (--format json has all)", lines - kStackLines));
    }
}

// "refcount of str, e.g. 'some text'".
std::string TextReport::cause_line(const SiteShare& site) {
    std::string text(cause_name(site.cause));
    if (!site.type.empty()) text += " of " + printable(site.type);
    if (!site.examples.empty()) text += ", e.g. " + printable(site.examples.front());
    if (site.finalizing) text += "  (at interpreter exit)";
    return text;
}

// The Python lines first; the native instruction below them.
void TextReport::python_site(const SiteShare& site) {
    constexpr size_t kStackLines = 5;
    const FrameStack& stack = options_.native ? site.native_stack : site.mixed_stack;
    // The mixed one ends where the program's own code does.
    const size_t lines = options_.native ? line_count(stack) : stack.frames.size();
    const size_t shown = std::min(lines, kStackLines);
    for (size_t i = 0; i < shown; ++i) {
        page_.line((i == 0 ? "      " : "        < ") +
                   stack_line(short_text_of_line(stack, i), page_.width() - (i == 0 ? 6 : 10)));
    }
    if (lines > shown) {
        page_.line(fmt::format("        < … {} more (--format json has all)", lines - shown));
    }
    page_.paragraph(printable(site.evidence), 6, 6);
    const WritingCode& code = site.code;
    const std::string function = code.function.empty() ? "" : short_name(code.function) + " ";
    page_.line("      " + cut_end(printable(fmt::format("{} in {}({})", code.instruction, function,
                                                        code.module)),
                                  page_.width() - 6));
}

void TextReport::types() {
    std::map<std::string, uint64_t> pages_by_type;
    for (const CauseShare& cause : report_.causes) {
        uint64_t typed = 0;
        for (const TypeShare& type : cause.types) {
            pages_by_type[type.type] += type.pages;
            typed += type.pages;
        }
        if (cause.pages != typed)
            pages_by_type[fmt::format("(no object: {})", cause_name(cause.cause))] +=
                cause.pages - typed;
    }
    std::vector<TypeShare> rows;
    for (const auto& [type, pages] : pages_by_type) rows.push_back({type, pages});
    std::stable_sort(rows.begin(), rows.end(),
                     [](const TypeShare& a, const TypeShare& b) { return a.pages > b.pages; });
    page_.table_heading("Type of the object");
    const size_t shown = std::min(rows.size(), options_.top);
    for (size_t i = 0; i < shown; ++i) page_.row("  " + printable(rows[i].type), rows[i].pages);
    page_.more(rows.size() - shown, "types");
}

void TextReport::main_owners() {
    constexpr size_t kShown = 5;
    if (report_.owners.empty()) return;
    page_.table_heading("Whose (a variable that leads there)");
    // The unowned come last, and before them those of whom nothing was written.
    const bool has_unowned = report_.owners.back().owner == kUnowned;
    const auto writers =
        static_cast<size_t>(std::count_if(report_.owners.begin(), report_.owners.end(),
                                          [](const OwnerShare& each) { return each.pages != 0; }) -
                            (has_unowned ? 1 : 0));
    const size_t shown = std::min(writers, kShown);
    for (size_t i = 0; i < shown; ++i) {
        // What tells owners apart stands at the end.
        const OwnerShare& owner = report_.owners[i];
        page_.row("  " + cut_start(printable(owner.owner), page_.name_width() - 3), owner.pages,
                  owner.margin);
    }
    if (writers != shown)
        page_.line(fmt::format("  … and {} more owners (--by owner)", writers - shown));
    if (has_unowned) {
        page_.row("  (unowned)", report_.owners.back().pages, report_.owners.back().margin);
    }
}

// With those whose neighbours were copied, too: a page that was copied for one holds others.
void TextReport::all_owners() {
    if (report_.owners.empty()) return;
    constexpr size_t kPages = 11;
    const size_t name = page_.width() - 2 * kPages - TextPage::kSizeWidth - page_.share_width();
    const auto cells = [&](const std::string& first, const std::string& pages,
                           const std::string& size, const std::string& share,
                           const std::string& with) {
        return fmt::format("{:<{}}{:>{}}{:>{}}{:>{}}{:>{}}", first, name, pages, kPages, size,
                           TextPage::kSizeWidth, share, page_.share_width(), with, kPages);
    };
    const auto owner_line = [&](const OwnerShare& owner, const std::string& with) {
        page_.line(cells("  " + cut_start(printable(owner.owner), name - 3), grouped(owner.pages),
                         size_text(owner.pages * report_.page_size),
                         page_.share_text(owner.pages, owner.margin), with));
    };
    page_.line();
    page_.line(page_.emphasized(cells("Whose (a variable)", "pages", "size", "share", "lies on")));
    std::vector<const OwnerShare*> order;
    for (const OwnerShare& each : report_.owners) {
        if (each.owner != kUnowned) order.push_back(&each);
    }
    std::stable_sort(order.begin(), order.end(), [](const OwnerShare* a, const OwnerShare* b) {
        return a->pages_with > b->pages_with;
    });
    const size_t shown = std::min(order.size(), options_.top);
    for (size_t i = 0; i < shown; ++i) owner_line(*order[i], grouped(order[i]->pages_with));
    page_.more(order.size() - shown, "owners");
    if (order.size() != report_.owners.size()) owner_line(report_.owners.back(), "-");
    page_.line();
    page_.paragraph(
        "pages: copied by a write to what the variable leads to. lies on: all copied pages that "
        "hold some of that, whoever's write copied them.",
        2, 2);
}

void TextReport::advice() {
    if (report_.advice.empty()) return;
    page_.heading("What would help");
    const size_t shown = std::min(report_.advice.size(), options_.top);
    for (size_t i = 0; i < shown; ++i) {
        const AdviceLine& each = report_.advice[i];
        const std::string about = each.owner.empty() ? "" : printable(each.owner) + ": ";
        page_.paragraph(
            fmt::format("- {}{} At stake: {}, {}.", about, each.text, page_count(each.pages),
                        size_text(each.pages * report_.page_size)),
            2, 4);
    }
    page_.more(report_.advice.size() - shown, "remedies");
    page_.paragraph(
        "A page counts for its first writer alone: where one is stopped, another may copy it all "
        "the same.",
        2, 2);
}

void TextReport::processes() {
    // Alone it has room for what the kernel says.
    const bool whole = options_.by == "process";
    const size_t column = whole ? 10 : 11;
    const auto row_of = [&](const std::string& pid, const std::string& role,
                            const std::vector<std::string>& sizes, const std::string& end) {
        std::string text = fmt::format("  {:>8} {:<5}", pid, role);
        for (const std::string& each : sizes) text += fmt::format("{:>{}}", each, column);
        page_.line(text + "  " + end);
    };
    std::vector<std::string> titles = {"inherited", "copied", "fresh",
                                       whole ? "alone" : "held alone"};
    if (whole) titles.push_back("private*");
    page_.heading("Processes");
    row_of("pid", "role", titles, "end");
    // Those that copied most; the root always.
    std::vector<const ProcessSummary*> order;
    for (const ProcessSummary& process : report_.processes) order.push_back(&process);
    std::stable_sort(order.begin(), order.end(),
                     [](const ProcessSummary* a, const ProcessSummary* b) {
                         const bool a_is_root = a->role == "root";
                         const bool b_is_root = b->role == "root";
                         if (a_is_root != b_is_root) return a_is_root;
                         return a->copied_pages > b->copied_pages;
                     });
    const size_t shown = std::min(order.size(), options_.top + 1);
    const auto size = [&](uint64_t bytes) {
        return bytes == 0 ? std::string("-") : size_text(bytes);
    };
    for (size_t i = 0; i < shown; ++i) {
        const ProcessSummary& p = *order[i];
        std::string end = p.exit_kind == "exit"     ? fmt::format("exit {}", p.exit_value)
                          : p.exit_kind == "signal" ? fmt::format("signal {}", p.exit_value)
                          : p.exit_kind == "exec"   ? "exec"
                                                    : "unknown";
        if (p.bound_ns != 0)
            end = p.exit_kind == "bound" ? "bound reached" : end + ", bound reached";
        if (p.inherited_pages != 0 && p.census != "final") end += ", no final census";
        const auto at_least = [&](bool is_least, uint64_t pages) {
            return (is_least && pages != 0 ? "≥ " : "") + size(pages * report_.page_size);
        };
        std::vector<std::string> sizes = {at_least(p.inherited_at_least, p.inherited_pages),
                                          at_least(p.copied_at_least, p.copied_pages),
                                          size(p.fresh_pages * report_.page_size),
                                          size(p.held_alone_pages * report_.page_size)};
        if (whole) sizes.push_back(size(p.private_dirty_kb_at_end * 1024));
        row_of(std::to_string(p.pid), p.role, sizes, end);
    }
    page_.more(order.size() - shown, "processes");
    if (whole) {
        page_.line();
        page_.paragraph(
            "* Private_Dirty at the end, as the kernel counts it: what was copied or fresh or held "
            "alone then, and about a MiB of cowscope's own. Alone: held alone, inherited and never "
            "copied, "
            "but nobody else's any more, because the others ended or gave it up.",
            2, 2);
    }
}

void TextReport::notes() {
    if (report_.notes.empty()) return;
    page_.heading("Notes");
    for (const std::string& note : report_.notes) page_.paragraph("- " + printable(note), 2, 4);
}

}  // namespace

std::string to_text(const Report& report, const TextOptions& options) {
    return TextReport(report, options).write();
}

}  // namespace cowscope::report
