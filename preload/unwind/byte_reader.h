// Reads DWARF's encodings, never past the end it was given. The memory is a module's, which may go
// at any time: another thread unmaps or protects it, or somebody truncates the file that it is
// mapped from. So the kernel copies it out, a small part at a time, and what cannot be copied ends
// the reading. Async-signal-safe.
#pragma once

#include <cstdint>
#include <cstring>

#include "support/guarded_read.h"

namespace cowscope::unwind {

class ByteReader {
  public:
    ByteReader(uint64_t start, uint64_t end) : at_(start), end_(end < start ? start : end) {}

    bool ok() const { return ok_; }
    bool done() const { return !ok_ || at_ >= end_; }
    uint64_t position() const { return at_; }
    void skip(uint64_t bytes) {
        if (bytes > end_ - at_) {
            fail();
        } else {
            at_ += bytes;
        }
    }
    // Makes the end an earlier one. False where it is not.
    bool set_end(uint64_t end) {
        if (end < at_ || end > end_) fail();
        end_ = ok_ ? end : end_;
        return ok_;
    }

    template <typename T>
    T fixed() {
        T value{};
        static_assert(sizeof(T) <= sizeof(window_));
        if (end_ - at_ < sizeof(T) || !fill(sizeof(T))) {
            fail();
            return value;
        }
        std::memcpy(&value, window_ + (at_ - window_start_), sizeof(T));
        at_ += sizeof(T);
        return value;
    }

    uint64_t uleb() {
        uint64_t value = 0;
        for (unsigned shift = 0; shift < kMostShift; shift += 7) {
            const auto byte = fixed<uint8_t>();
            if (shift < 64) value |= static_cast<uint64_t>(byte & 0x7f) << shift;
            if ((byte & 0x80) == 0) return value;
        }
        fail();
        return 0;
    }
    int64_t sleb() {
        uint64_t value = 0;
        for (unsigned shift = 0; shift < kMostShift;) {
            const auto byte = fixed<uint8_t>();
            if (shift < 64) value |= static_cast<uint64_t>(byte & 0x7f) << shift;
            shift += 7;
            if ((byte & 0x80) != 0) continue;
            if (shift < 64 && (byte & 0x40) != 0) value |= ~uint64_t{0} << shift;
            return static_cast<int64_t>(value);
        }
        fail();
        return 0;
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
                fail();
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
                fail();
                return 0;
        }
    }

  private:
    // Ten bytes of seven bits hold every number; padded ones are hardly longer.
    static constexpr unsigned kMostShift = 16 * 7;
    // Most descriptions have some dozen bytes.
    static constexpr size_t kWindowBytes = 256;

    void fail() {
        ok_ = false;
        at_ = end_;
    }
    // Whether `bytes` at the position are in the window, into which they are copied if need be.
    bool fill(size_t bytes) {
        if (at_ >= window_start_ && at_ - window_start_ + bytes <= window_bytes_) return true;
        const uint64_t left = end_ - at_;
        window_start_ = at_;
        window_bytes_ = read_what_is_there(at_, window_, left < kWindowBytes ? left : kWindowBytes);
        return window_bytes_ >= bytes;
    }

    uint64_t at_;
    uint64_t end_;
    bool ok_ = true;
    uint64_t window_start_ = 0;
    uint64_t window_bytes_ = 0;
    unsigned char window_[kWindowBytes];
};

}  // namespace cowscope::unwind
