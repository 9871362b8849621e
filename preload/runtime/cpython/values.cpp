#include "runtime/cpython/values.h"

#include <cstring>

#include "runtime/cpython/interpreter.h"
#include "runtime/cpython/str_text.h"
#include "support/guarded_read.h"
#include "support/hash.h"

#include "support/poison.h"

namespace cowscope::cpython {
namespace {

// The magnitude of an int of at most this many digits is told whole; longer ones are left out.
constexpr uint64_t kMaxDigits = 4;
constexpr unsigned kDigitBits = 30;  // PyLong_SHIFT on 64-bit machines (longintrepr.h)

// Decimal text; 0 where the object is no int of a few digits.
size_t read_int(const Layout& layout, uint64_t object, char* out, size_t capacity) {
    uint64_t size;
    if (!guarded_read(object + kObSize, &size)) return 0;
    bool negative;
    uint64_t count;
    if (layout.tagged_int) {
        // lv_tag: sign in the low bits (0 positive, 1 zero, 2 negative), digits above three bits.
        negative = (size & 3) == 2;
        count = size >> 3;
    } else {
        const auto signed_size = static_cast<int64_t>(size);
        negative = signed_size < 0;
        count = negative ? 0 - size : size;
    }
    if (count > kMaxDigits) return 0;
    uint32_t digits[kMaxDigits] = {};
    if (count != 0 && !guarded_read(reinterpret_cast<const void*>(object + kIntDigits), digits,
                                    count * sizeof(digits[0]))) {
        return 0;
    }
    unsigned __int128 value = 0;
    for (uint64_t i = count; i > 0; --i) value = value << kDigitBits | digits[i - 1];
    char reversed[40];
    size_t length = 0;
    do {
        reversed[length++] = static_cast<char>('0' + static_cast<unsigned>(value % 10));
        value /= 10;
    } while (value != 0);
    if (negative) reversed[length++] = '-';
    if (length > capacity) return 0;
    for (size_t i = 0; i < length; ++i) out[i] = reversed[length - 1 - i];
    return length;
}

}  // namespace

size_t ValueTable::read_value(uint64_t object, ValueType kind, trace::ObjectValueRecord* facts) {
    const Layout& layout = *interpreter().layout;
    StrText text;
    switch (kind) {
        case ValueType::str:
            if (!read_str(layout, object, text_, sizeof(text_), &text)) return 0;
            facts->kind = trace::ValueKind::str;
            facts->length = text.length;
            if (text.truncated) facts->header.flags = trace::kValueTruncated;
            return text.bytes;
        case ValueType::bytes: {
            uint64_t length;
            if (!guarded_read(object + kObSize, &length)) return 0;
            facts->kind = trace::ValueKind::bytes;
            facts->length = length;
            if (length > sizeof(text_)) facts->header.flags = trace::kValueTruncated;
            const size_t bytes = length < sizeof(text_) ? length : sizeof(text_);
            const auto* from = reinterpret_cast<const void*>(object + kBytesValue);
            return bytes != 0 && guarded_read(from, text_, bytes) ? bytes : 0;
        }
        case ValueType::integer:
            facts->kind = trace::ValueKind::integer;
            facts->length = 0;
            return read_int(layout, object, text_, sizeof(text_));
        case ValueType::none:
            break;
    }
    return 0;
}

void ValueTable::record(Arena& arena, const RecordSink& sink, uint32_t site, uint32_t runtime_stack,
                        uint64_t address, const Located& located) {
    if (located.facts == nullptr || located.facts->value == ValueType::none) return;
    const uint64_t key_words[] = {site, located.type};
    const uint64_t key = hash_words(key_words, 2);
    auto* seen = seen_.find(key);
    if (seen == nullptr) seen = seen_.insert(arena, key, 0);
    if (seen == nullptr || seen->uses >= kValuesASite) return;
    ++seen->uses;
    trace::ObjectValueRecord facts = {};
    facts.address = address - static_cast<uint64_t>(static_cast<int64_t>(located.offset));
    const size_t bytes = read_value(facts.address, located.facts->value, &facts);
    if (bytes == 0) return;
    facts.type = located.type;
    facts.site = site;
    facts.runtime_stack = runtime_stack;
    facts.text_bytes = static_cast<uint32_t>(bytes);
    auto* record = sink.begin<trace::ObjectValueRecord>(trace::RecordType::object_value, bytes);
    if (record == nullptr) return;
    const uint16_t flags = facts.header.flags;
    facts.header = record->header;
    facts.header.flags = flags;
    *record = facts;
    std::memcpy(record + 1, text_, bytes);
    sink.commit();
}

}  // namespace cowscope::cpython
