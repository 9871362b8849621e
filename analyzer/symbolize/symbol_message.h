// What Symbolizer and its helper say to each other: numbers and texts in a row.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "symbolize/module_layout.h"
#include "symbolize/symbolizer.h"

namespace cowscope::symbolize {

enum class Question : uint64_t { locate, layout };

// The longest that is sent.
inline constexpr size_t kMostMessageBytes = size_t{1} << 20;

class MessageWriter {
  public:
    void add(uint64_t number);
    void add(std::string_view text);
    void add(const Location& location);
    void add(const ModuleLayout& layout);
    [[nodiscard]] const std::string& bytes() const { return bytes_; }

  private:
    std::string bytes_;
};

// A helper that has read a hostile file may say anything. Throws cowscope::Error where a message
// ends too early.
class MessageReader {
  public:
    explicit MessageReader(std::string_view bytes) : rest_(bytes) {}
    uint64_t number();
    std::string text();
    Location location();
    ModuleLayout layout();

  private:
    // Of things that take at least so many bytes each.
    size_t count_of(size_t bytes_each);

    std::string_view rest_;
};

// One message through a stream socket. False where the other side is gone.
bool send_message(int socket, std::string_view bytes);
std::optional<std::string> receive_message(int socket);

}  // namespace cowscope::symbolize
