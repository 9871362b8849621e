#include "private_memory.h"

#include <fcntl.h>
#include <unistd.h>

#include <charconv>
#include <string_view>

namespace cowscope::workload {
namespace {

int64_t field_kb(std::string_view text, std::string_view name) {
    const size_t at = text.find(name);
    if (at == text.npos) return -1;
    text.remove_prefix(at + name.size());
    const size_t digits = text.find_first_not_of(' ');
    if (digits == text.npos) return -1;
    int64_t value_kb = -1;
    std::from_chars(text.data() + digits, text.data() + text.size(), value_kb);
    return value_kb;
}

}  // namespace

int64_t private_memory_kb() {
    const int fd = open("/proc/self/smaps_rollup", O_RDONLY | O_CLOEXEC);
    if (fd < 0) return -1;
    char buffer[4096];  // some 25 lines of 30 bytes
    size_t size = 0;
    while (size < sizeof(buffer)) {
        const ssize_t got = read(fd, buffer + size, sizeof(buffer) - size);
        if (got <= 0) break;
        size += static_cast<size_t>(got);
    }
    close(fd);
    const std::string_view text(buffer, size);
    const int64_t clean_kb = field_kb(text, "Private_Clean:");
    const int64_t dirty_kb = field_kb(text, "Private_Dirty:");
    return clean_kb < 0 || dirty_kb < 0 ? -1 : clean_kb + dirty_kb;
}

}  // namespace cowscope::workload
