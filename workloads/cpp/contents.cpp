#include "contents.h"

#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

namespace cowscope::workload {
namespace {

constexpr size_t kValueField = 2;  // counted from 0

[[noreturn]] void input_error(const char* path, const char* why) {
    std::fprintf(stderr, "string_map: cannot read %s: %s\n", path, why);
    std::exit(2);
}

// False if the line has too few fields.
bool find_field(std::string_view line, size_t index, std::string_view* field) {
    for (; index > 0; --index) {
        const size_t bar = line.find('|');
        if (bar == line.npos) return false;
        line.remove_prefix(bar + 1);
    }
    *field = line.substr(0, line.find('|'));
    return true;
}

}  // namespace

void generate_contents(uint64_t entries, uint64_t unique, uint64_t length, const TakeText& take) {
    std::string text;
    for (uint64_t i = 0; i < entries; ++i) {
        char number[32];
        std::snprintf(number, sizeof(number), "val%07" PRIu64, i % unique);
        text = number;
        // A number of more digits stays whole.
        if (text.size() < length) text.append(length - text.size(), '.');
        take(text);
    }
}

void read_contents(const char* path, uint64_t max_lines, const TakeText& take) {
    std::FILE* file = std::fopen(path, "re");
    if (!file) input_error(path, std::strerror(errno));
    char* buffer = nullptr;
    size_t capacity = 0;
    for (uint64_t line_number = 1; line_number <= max_lines; ++line_number) {
        errno = 0;
        const ssize_t length = getline(&buffer, &capacity, file);
        if (length < 0) {
            if (std::ferror(file)) input_error(path, std::strerror(errno));
            break;
        }
        std::string_view line(buffer, static_cast<size_t>(length));
        line = line.substr(0, line.find_last_not_of("\r\n") + 1);
        std::string_view field;
        if (!find_field(line, kValueField, &field)) {
            char why[64];
            std::snprintf(why, sizeof(why), "line %" PRIu64 " has no third field", line_number);
            input_error(path, why);
        }
        take(field);
    }
    std::free(buffer);
    std::fclose(file);
}

}  // namespace cowscope::workload
