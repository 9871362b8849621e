#include "base/read_file.h"

#include <sys/types.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace cowscope {

std::optional<std::string> read_all(int file, size_t limit) {
    constexpr size_t kStep = 64 * 1024;
    std::string text;
    size_t filled = 0;
    while (filled <= limit) {
        text.resize(std::min(std::max(filled * 2, kStep), limit + 1));
        const ssize_t got = read(file, text.data() + filled, text.size() - filled);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return std::nullopt;
        if (got == 0) {
            text.resize(filled);
            return text;
        }
        filled += static_cast<size_t>(got);
    }
    return std::nullopt;
}

}  // namespace cowscope
