#include "cli/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <string_view>

namespace cowscope::cli {

namespace {

// Below this, columns would be cut to nothing; a narrower terminal wraps the lines.
constexpr unsigned kLeastWidth = 60;

}  // namespace

report::TextOptions text_options_for(int descriptor) {
    report::TextOptions options;
    if (isatty(descriptor) == 0) return options;

    const char* no_color = std::getenv("NO_COLOR");
    const char* terminal = std::getenv("TERM");
    options.color = (!no_color || !*no_color) && terminal && std::string_view(terminal) != "dumb";
    winsize size{};
    if (ioctl(descriptor, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
        options.width = std::max<unsigned>(size.ws_col, kLeastWidth);
    }
    return options;
}

}  // namespace cowscope::cli
