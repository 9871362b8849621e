#include "runtime/cpython/str_text.h"

#include <cstring>

#include "format/cpython_objects.h"
#include "runtime/cpython/interpreter.h"
#include "support/guarded_read.h"

#include "support/poison.h"

namespace cowscope::cpython {
namespace {

// Longer text is read in pieces.
constexpr size_t kPieceBytes = 512;

// Returns the number of bytes, 0 when there is no room.
size_t put_utf8(uint32_t character, char* out, size_t room) {
    // surrogateescape (PEP 383): a byte of a file name that is no UTF-8.
    if (character >= 0xdc80 && character <= 0xdcff) {
        if (room < 1) return 0;
        out[0] = static_cast<char>(character - 0xdc00);
        return 1;
    }
    if (character < 0x80) {
        if (room < 1) return 0;
        out[0] = static_cast<char>(character);
        return 1;
    }
    const size_t bytes = character < 0x800 ? 2 : character < 0x10000 ? 3 : 4;
    if (room < bytes) return 0;
    for (size_t i = bytes - 1; i > 0; --i) {
        out[i] = static_cast<char>(0x80 | (character & 0x3f));
        character >>= 6;
    }
    constexpr unsigned char kLead[] = {0, 0, 0xc0, 0xe0, 0xf0};
    out[0] = static_cast<char>(kLead[bytes] | character);
    return bytes;
}

uint32_t character_at(const unsigned char* piece, size_t index, unsigned kind) {
    uint32_t character = 0;
    std::memcpy(&character, piece + index * kind, kind);
    return character;
}

}  // namespace

bool read_str(const Layout& layout, uint64_t object, char* out, size_t capacity, StrText* text) {
    // ob_refcnt, ob_type, length, hash, state, and where the data is elsewhere, that.
    unsigned char head[80];
    const size_t head_bytes = layout.compact_bytes + sizeof(uint64_t);
    static_assert(sizeof(head) >= 72 + sizeof(uint64_t));
    // A small str may be the last thing before memory that is not there.
    constexpr size_t kLeast = kStrState + sizeof(uint64_t);
    if (!guarded_read(reinterpret_cast<const void*>(object), head, kLeast)) return false;
    uint64_t type;
    uint32_t state_word;
    std::memcpy(&type, head + kObType, sizeof(type));
    std::memcpy(&text->length, head + kStrLength, sizeof(text->length));
    std::memcpy(&state_word, head + kStrState, sizeof(state_word));
    if (type != interpreter().str_type) return false;
    const StrState state = parse_str_state(state_word);
    if (!state.is_plausible()) return false;
    uint64_t data = object + str_text_offset(layout, state);
    if (!state.is_compact) {
        if (!guarded_read(reinterpret_cast<const void*>(object), head, head_bytes)) return false;
        std::memcpy(&data, head + layout.compact_bytes, sizeof(data));
    }
    text->bytes = 0;
    text->truncated = false;
    unsigned char piece[kPieceBytes];
    for (uint64_t done = 0; done < text->length;) {
        const uint64_t left = text->length - done;
        const uint64_t most = kPieceBytes / state.character_bytes;
        const size_t count = static_cast<size_t>(left < most ? left : most);
        const uint64_t from = data + done * state.character_bytes;
        if (!guarded_read(reinterpret_cast<const void*>(from), piece,
                          count * state.character_bytes)) {
            return false;
        }
        for (size_t i = 0; i < count; ++i) {
            const uint32_t character = character_at(piece, i, state.character_bytes);
            const size_t put = put_utf8(character, out + text->bytes, capacity - text->bytes);
            if (put == 0) {
                text->truncated = true;
                return true;
            }
            text->bytes += put;
        }
        done += count;
    }
    return true;
}

}  // namespace cowscope::cpython
