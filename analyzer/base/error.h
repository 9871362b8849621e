// The analyzer's one error type: what went wrong, and where in a trace, in one line for the user.
#pragma once

#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>

namespace cowscope {

// what() is a whole line without the program's name and without a newline, for example
// "demo.cow/process-7-99.cowseg: offset 4160: event record: 17 bytes are not a multiple of 8".
class Error : public std::runtime_error {
  public:
    explicit Error(const std::string& message) : std::runtime_error(message), message_(message) {}

    Error(std::string file, std::optional<uint64_t> offset, std::string record_kind,
          std::string message)
        : std::runtime_error(compose(file, offset, record_kind, message)),
          file_(std::move(file)),
          record_kind_(std::move(record_kind)),
          message_(std::move(message)),
          offset_(offset) {}

    const std::string& file() const noexcept { return file_; }
    // File offset in bytes of the record that is wrong.
    std::optional<uint64_t> offset() const noexcept { return offset_; }
    const std::string& record_kind() const noexcept { return record_kind_; }
    const std::string& message() const noexcept { return message_; }

  private:
    static std::string compose(const std::string& file, std::optional<uint64_t> offset,
                               const std::string& record_kind, const std::string& message) {
        std::string line = file;
        if (offset) line += ": offset " + std::to_string(*offset);
        if (!record_kind.empty()) line += ": " + record_kind + " record";
        return line + ": " + message;
    }

    std::string file_;
    std::string record_kind_;
    std::string message_;
    std::optional<uint64_t> offset_;
};

}  // namespace cowscope
