#include "symbolize/symbol_message.h"

#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "base/error.h"

namespace cowscope::symbolize {

void MessageWriter::add(uint64_t number) {
    bytes_.append(reinterpret_cast<const char*>(&number), sizeof(number));
}

void MessageWriter::add(std::string_view text) {
    add(uint64_t{text.size()});
    bytes_ += text;
}

void MessageWriter::add(const Location& location) {
    add(std::string_view(location.module));
    add(uint64_t{location.frames.size()});
    for (const Frame& frame : location.frames) {
        add(std::string_view(frame.function));
        add(std::string_view(frame.file));
        add(uint64_t{frame.line});
        add(uint64_t{frame.inlined});
    }
    add(uint64_t{location.has_debug_info});
    add(std::string_view(location.symbol));
    add(location.symbol_offset);
}

void MessageWriter::add(const ModuleLayout& layout) {
    add(uint64_t{layout.segments.size()});
    for (const ModuleLayout::Segment& segment : layout.segments) {
        add(segment.file_offset);
        add(segment.file_bytes);
        add(segment.vaddr);
    }
    add(uint64_t{layout.sections.size()});
    for (const ModuleLayout::Section& section : layout.sections) {
        add(section.vaddr);
        add(section.bytes);
        add(std::string_view(section.name));
    }
    add(std::string_view(layout.build_id));
}

uint64_t MessageReader::number() {
    uint64_t value = 0;
    if (rest_.size() < sizeof(value)) throw Error("a message about symbols ends too early");
    std::memcpy(&value, rest_.data(), sizeof(value));
    rest_.remove_prefix(sizeof(value));
    return value;
}

size_t MessageReader::count_of(size_t bytes_each) {
    const uint64_t count = number();
    if (count > rest_.size() / bytes_each) throw Error("a message about symbols ends too early");
    return static_cast<size_t>(count);
}

std::string MessageReader::text() {
    const size_t bytes = count_of(1);
    std::string value(rest_.substr(0, bytes));
    rest_.remove_prefix(bytes);
    return value;
}

Location MessageReader::location() {
    constexpr size_t kLeastFrameBytes = 4 * sizeof(uint64_t);
    Location location;
    location.module = text();
    location.frames.resize(count_of(kLeastFrameBytes));
    for (Frame& frame : location.frames) {
        frame.function = text();
        frame.file = text();
        frame.line = static_cast<unsigned>(number());
        frame.inlined = number() != 0;
    }
    location.has_debug_info = number() != 0;
    location.symbol = text();
    location.symbol_offset = number();
    return location;
}

ModuleLayout MessageReader::layout() {
    constexpr size_t kLeastBytes = 3 * sizeof(uint64_t);
    ModuleLayout layout;
    layout.segments.resize(count_of(kLeastBytes));
    for (ModuleLayout::Segment& segment : layout.segments) {
        segment.file_offset = number();
        segment.file_bytes = number();
        segment.vaddr = number();
    }
    layout.sections.resize(count_of(kLeastBytes));
    for (ModuleLayout::Section& section : layout.sections) {
        section.vaddr = number();
        section.bytes = number();
        section.name = text();
    }
    layout.build_id = text();
    return layout;
}

namespace {

bool send_all(int socket, const char* start, size_t bytes) {
    while (bytes != 0) {
        const ssize_t count = send(socket, start, bytes, MSG_NOSIGNAL);
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) return false;
        start += count;
        bytes -= static_cast<size_t>(count);
    }
    return true;
}

bool receive_all(int socket, char* start, size_t bytes) {
    while (bytes != 0) {
        const ssize_t count = recv(socket, start, bytes, 0);
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) return false;
        start += count;
        bytes -= static_cast<size_t>(count);
    }
    return true;
}

}  // namespace

bool send_message(int socket, std::string_view bytes) {
    if (bytes.size() > kMostMessageBytes) return false;
    const uint64_t size = bytes.size();
    return send_all(socket, reinterpret_cast<const char*>(&size), sizeof(size)) &&
           send_all(socket, bytes.data(), bytes.size());
}

std::optional<std::string> receive_message(int socket) {
    uint64_t size = 0;
    if (!receive_all(socket, reinterpret_cast<char*>(&size), sizeof(size)) ||
        size > kMostMessageBytes) {
        return std::nullopt;
    }
    std::string bytes(size, '\0');
    if (!receive_all(socket, bytes.data(), bytes.size())) return std::nullopt;
    return bytes;
}

}  // namespace cowscope::symbolize
