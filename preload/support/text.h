// The little text handling that the shim needs, without libc's locale and allocation.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace cowscope {

// A string of bounded length that truncates instead of overflowing; always NUL-terminated.
template <size_t kCapacity>
class FixedText {
  public:
    FixedText& add(const char* text) { return add(text, std::strlen(text)); }
    FixedText& add(const char* text, size_t length) {
        const size_t room = kCapacity - 1 - length_;
        const size_t taken = length < room ? length : room;
        truncated_ = truncated_ || taken < length;
        std::memcpy(text_ + length_, text, taken);
        length_ += taken;
        text_[length_] = '\0';
        return *this;
    }
    FixedText& add_decimal(uint64_t value) {
        char digits[20];
        size_t count = 0;
        do {
            digits[sizeof(digits) - ++count] = static_cast<char>('0' + value % 10);
            value /= 10;
        } while (value != 0);
        return add(digits + sizeof(digits) - count, count);
    }
    void clear() {
        length_ = 0;
        truncated_ = false;
        text_[0] = '\0';
    }
    const char* c_str() const { return text_; }
    size_t size() const { return length_; }
    bool empty() const { return length_ == 0; }
    bool truncated() const { return truncated_; }

  private:
    char text_[kCapacity] = {};
    size_t length_ = 0;
    bool truncated_ = false;
};

inline bool same_text(const char* a, const char* b) {
    return std::strcmp(a, b) == 0;
}

// Whole decimal text to a number; false for anything else or above `limit`.
inline bool parse_decimal(const char* text, uint64_t limit, uint64_t* value) {
    if (*text == '\0') return false;
    uint64_t result = 0;
    for (; *text != '\0'; ++text) {
        if (*text < '0' || *text > '9') return false;
        const auto digit = static_cast<uint64_t>(*text - '0');
        if (result > (limit - digit) / 10) return false;
        result = result * 10 + digit;
    }
    *value = result;
    return true;
}

// "1500000", "512K", "64M", "2G": bytes, powers of 1024; false for anything else.
inline bool parse_size(const char* text, uint64_t* bytes) {
    FixedText<24> digits;
    const size_t length = std::strlen(text);
    const char unit = length == 0 ? '\0' : text[length - 1];
    const unsigned shift = unit == 'K' ? 10 : unit == 'M' ? 20 : unit == 'G' ? 30 : 0;
    digits.add(text, shift == 0 ? length : length - 1);
    uint64_t value = 0;
    if (digits.truncated() || !parse_decimal(digits.c_str(), ~uint64_t{0} >> shift, &value)) {
        return false;
    }
    *bytes = value << shift;
    return true;
}

// Reads hexadecimal digits at *cursor and moves it behind them.
inline uint64_t take_hex(const char** cursor) {
    uint64_t value = 0;
    for (;; ++*cursor) {
        const char c = **cursor;
        unsigned digit;
        if (c >= '0' && c <= '9') {
            digit = static_cast<unsigned>(c - '0');
        } else if (c >= 'a' && c <= 'f') {
            digit = static_cast<unsigned>(c - 'a' + 10);
        } else {
            return value;
        }
        value = value << 4 | digit;
    }
}

}  // namespace cowscope
