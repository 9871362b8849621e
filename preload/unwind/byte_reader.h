// Reads DWARF's encodings from memory, never past the end it was given.
#pragma once

#include <cstdint>
#include <cstring>

namespace cowscope::unwind {

class ByteReader {
  public:
    ByteReader(uint64_t start, uint64_t end) : at_(start), end_(end) {}

    bool ok() const { return ok_; }
    bool done() const { return !ok_ || at_ >= end_; }
    uint64_t position() const { return at_; }
    void skip(uint64_t bytes) {
        if (bytes > end_ - at_) {
            ok_ = false;
            at_ = end_;
        } else {
            at_ += bytes;
        }
    }

    template <typename T>
    T fixed() {
        T value{};
        if (end_ - at_ < sizeof(T)) {
            ok_ = false;
            at_ = end_;
            return value;
        }
        std::memcpy(&value, reinterpret_cast<const void*>(at_), sizeof(T));
        at_ += sizeof(T);
        return value;
    }

    uint64_t uleb() {
        uint64_t value = 0;
        unsigned shift = 0;
        for (;;) {
            const auto byte = fixed<uint8_t>();
            if (shift < 64) value |= static_cast<uint64_t>(byte & 0x7f) << shift;
            shift += 7;
            if ((byte & 0x80) == 0) return value;
        }
    }
    int64_t sleb() {
        uint64_t value = 0;
        unsigned shift = 0;
        uint8_t byte;
        do {
            byte = fixed<uint8_t>();
            if (shift < 64) value |= static_cast<uint64_t>(byte & 0x7f) << shift;
            shift += 7;
        } while ((byte & 0x80) != 0);
        if (shift < 64 && (byte & 0x40) != 0) value |= ~uint64_t{0} << shift;
        return static_cast<int64_t>(value);
    }

    // A pointer in an encoding of the Linux Standard Base ("DWARF Exception Header Encoding").
    // `data_base` is what "data relative" means; indirect and text-relative ones are refused.
    uint64_t encoded(uint8_t encoding, uint64_t data_base) {
        const uint64_t here = at_;
        uint64_t value;
        switch (encoding & 0x0f) {
            case 0x00:
                value = fixed<uint64_t>();
                break;
            case 0x01:
                value = uleb();
                break;
            case 0x02:
                value = fixed<uint16_t>();
                break;
            case 0x03:
                value = fixed<uint32_t>();
                break;
            case 0x04:
                value = fixed<uint64_t>();
                break;
            case 0x09:
                value = static_cast<uint64_t>(sleb());
                break;
            case 0x0a:
                value = static_cast<uint64_t>(int64_t{fixed<int16_t>()});
                break;
            case 0x0b:
                value = static_cast<uint64_t>(int64_t{fixed<int32_t>()});
                break;
            case 0x0c:
                value = fixed<uint64_t>();
                break;
            default:
                ok_ = false;
                return 0;
        }
        switch (encoding & 0xf0) {
            case 0x00:
                return value;
            case 0x10:
                return value + here;
            case 0x30:
                return value + data_base;
            default:
                ok_ = false;
                return 0;
        }
    }

  private:
    uint64_t at_;
    uint64_t end_;
    bool ok_ = true;
};

}  // namespace cowscope::unwind
