// What may be shown: the one place that decides which characters of a name pass into an output.
//
// Names come from the watched program, from its files and from traces of others. What steers a
// terminal, turns or hides the text around it, divides a line, or is no UTF-8, passes into none:
// not into text, JSON, exports and pages, not into notes and lines of errors.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/utf8.h"

namespace cowscope {

// Whether a character only shows itself. Not so are controls (C0, DEL, C1), those that divide lines
// or paragraphs, those that are drawn as nothing or change the order of others (Unicode's category
// Cf and its Default_Ignorable_Code_Point), surrogates, noncharacters.
bool is_printable(uint32_t code);

enum class LineBreaks {
    become_spaces,
    stay,  // line feeds and tabs, for forms that write them as something else (JSON: \n)
};

// `text` as valid UTF-8 that only shows itself: C0 controls and DEL become spaces, all else that
// may not be shown becomes U+FFFD, invalid bytes one for each. Applied twice, it changes nothing
// more.
std::string printable(std::string_view text, LineBreaks breaks = LineBreaks::become_spaces);

// At most `most_bytes` of the text, and "…" where that is less than all; characters stay whole.
std::string shortened(std::string_view text, size_t most_bytes);

}  // namespace cowscope
