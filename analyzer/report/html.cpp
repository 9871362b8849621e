#include "report/html.h"

#include <zlib.h>

#include <string_view>

#include "base/error.h"
#include "report/page_data.h"

// The page around its data (page/bundle.mjs makes it, page_parts.S embeds it).
extern "C" const char cowscope_page_head[], cowscope_page_head_end[];
extern "C" const char cowscope_page_tail[], cowscope_page_tail_end[];

namespace cowscope::report {
namespace {

std::string compressed(const std::string& text) {
    uLongf size = compressBound(text.size());
    std::string out(size, '\0');
    const int result = compress2(reinterpret_cast<Bytef*>(out.data()), &size,
                                 reinterpret_cast<const Bytef*>(text.data()), text.size(), 6);
    if (result != Z_OK) throw Error("cannot compress the page's data: out of memory");
    out.resize(size);
    return out;
}

// Of its characters none means anything in HTML, whatever the names in the data are.
std::string base64(const std::string& bytes) {
    constexpr std::string_view kDigits =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string out;
    out.reserve((bytes.size() + 2) / 3 * 4);
    for (size_t at = 0; at < bytes.size(); at += 3) {
        uint32_t bits = 0;
        for (size_t i = 0; i < 3; ++i) {
            bits = bits << 8 |
                   (at + i < bytes.size() ? static_cast<unsigned char>(bytes[at + i]) : 0u);
        }
        for (size_t i = 0; i < 4; ++i) {
            out += at + i <= bytes.size() ? kDigits[bits >> (18 - 6 * i) & 63] : '=';
        }
    }
    return out;
}

std::string_view page_head() {
    return {cowscope_page_head, static_cast<size_t>(cowscope_page_head_end - cowscope_page_head)};
}

std::string page_around(const std::string& data) {
    std::string page(page_head());
    page += base64(compressed(data));
    page.append(cowscope_page_tail, cowscope_page_tail_end);
    return page;
}

}  // namespace

std::string to_html(const PageRun& run) {
    return page_around(page_data(run));
}

std::string to_html(const PageRun& before, const PageRun& after) {
    return page_around(page_data(before, after, compare::compare(*before.report, *after.report)));
}

bool starts_like_html(const std::string& start) {
    // page/page.html begins with this line.
    constexpr std::string_view kMark = "<!doctype html><!-- cowscope page -->";
    return start.rfind(kMark, 0) == 0;
}

}  // namespace cowscope::report
