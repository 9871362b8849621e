#include "tracker/new_mappings.h"

#include <cstring>

#include "support/syscall.h"
#include "support/text.h"

#include "support/poison.h"

namespace cowscope::tracker {

bool NewMappings::contain(Arena& arena, char* scratch, size_t scratch_bytes, uint64_t address) {
    if (!is_read_) {
        ranges_.clear();
        read(arena, scratch, scratch_bytes);
        is_read_ = true;
    }
    for (const AddressRange& range : ranges_) {
        if (range.start <= address && address < range.end) return true;
    }
    return false;
}

int NewMappings::read(Arena& arena, char* scratch, size_t scratch_bytes) {
    const int fd = sys::open("/proc/thread-self/smaps", O_RDONLY);
    if (fd < 0) return fd;
    AddressRange mapping = {};
    size_t held = 0;  // an incomplete line at the start of scratch
    for (;;) {
        const long got = sys::read(fd, scratch + held, scratch_bytes - held);
        if (got <= 0) {
            sys::close(fd);
            return static_cast<int>(got);
        }
        const size_t filled = held + static_cast<size_t>(got);
        size_t line = 0;
        for (size_t i = held; i < filled; ++i) {
            if (scratch[i] != '\n') continue;
            scratch[i] = '\0';
            take_line(arena, scratch + line, &mapping);
            line = i + 1;
        }
        held = filled - line;
        std::memmove(scratch, scratch + line, held);
    }
}

// "start-end perms offset device inode path", and then among others "VmFlags: rd wr mr mw me ac
// sd".
void NewMappings::take_line(Arena& arena, const char* line, AddressRange* mapping) {
    const char* cursor = line;
    const uint64_t start = take_hex(&cursor);
    if (cursor != line && *cursor == '-') {
        ++cursor;
        *mapping = {start, take_hex(&cursor)};
    } else if (std::strncmp(line, "VmFlags:", 8) == 0 && std::strstr(line, " sd") != nullptr) {
        // Where memory is out, the mapping is taken for an old one.
        static_cast<void>(ranges_.push(arena, *mapping));
    }
}

}  // namespace cowscope::tracker
