#include "runtime/cpython/heap_types.h"

#include <algorithm>
#include <string_view>

#include "base/utf8.h"

namespace cowscope::cpython {

namespace {

// A class is further from `object` than this only in programs that test just that.
constexpr int kDeepest = 64;
constexpr uint64_t kLargestBasicSize = uint64_t{1} << 20;
constexpr uint64_t kLargestItemSize = uint64_t{1} << 16;
constexpr size_t kLongestTypeName = 200;

uint64_t field(const std::byte* bytes, uint64_t offset) {
    uint64_t value = 0;
    std::memcpy(&value, bytes + offset, sizeof(value));
    return value;
}

}  // namespace

const TypeInfo* Types::type_of(uint64_t object) {
    if (object % kWordBytes != 0 || object == 0) return nullptr;
    const std::byte* head = memory_.read(object, kObjectBytes);
    return head == nullptr ? nullptr : info(field(head, kObType), 0);
}

// A type's type is a type; the chain ends with `type`, which is its own.
bool Types::is_type(uint64_t object, int depth) {
    if (depth > kDeepest || object % kWordBytes != 0) return false;
    const uint64_t type = memory_.word(object + kObType);
    if (type == 0) return false;
    if ((memory_.word(type + kTpFlags) & kTypeSubclassFlag) == 0) return false;
    return type == object || memory_.word(type + kObType) == type || is_type(type, depth + 1);
}

const TypeInfo* Types::info(uint64_t type, int depth) {
    constexpr uint64_t kAlignment = 32;  // of types, mostly
    const TypeInfo*& recent = recent_[type / kAlignment % recent_.size()];
    if (recent != nullptr && recent->address == type) return recent;
    const TypeInfo* found = find_out(type, depth);
    if (found != nullptr) recent_[type / kAlignment % recent_.size()] = found;
    return found;
}

const TypeInfo* Types::find_out(uint64_t type, int depth) {
    if (const auto known = known_.find(type); known != known_.end()) return &known->second;
    if (type % kWordBytes != 0 || type == 0 || depth > kDeepest) return nullptr;
    if (!memory_.is_private(type) || refused_.contains(type)) return nullptr;
    const std::byte* bytes = memory_.read(type, kTpReadBytes);
    TypeInfo result;
    uint64_t base = 0;
    uint64_t name = 0;
    if (bytes != nullptr) {
        result.address = type;
        result.flags = field(bytes, kTpFlags);
        result.basic_size = field(bytes, kTpBasicSize);
        result.item_size = field(bytes, kTpItemSize);
        result.dict_offset = static_cast<int64_t>(field(bytes, kTpDictOffset));
        base = field(bytes, kTpBase);
        name = field(bytes, kTpName);
    }
    const bool is_plausible = bytes != nullptr && result.basic_size >= kObjectBytes &&
                              result.basic_size <= kLargestBasicSize &&
                              result.item_size <= kLargestItemSize && is_type(type, 0);
    if (is_plausible) result.name = memory_.text(name, kLongestTypeName);
    if (!is_plausible || result.name.empty()) {
        refused_.emplace(type, true);
        return nullptr;
    }
    result.kind = kind_of(result, base, depth);
    const TypeInfo* base_info = base == 0 ? nullptr : info(base, depth + 1);
    if (base_info != nullptr) {
        result.slots_start = base_info->has(kHeapTypeFlag) && base_info->kind == Kind::instance
                                 ? base_info->slots_start
                                 : base_info->basic_size;
    }
    return &known_.emplace(type, std::move(result)).first->second;
}

Kind Types::kind_of(const TypeInfo& type, uint64_t base, int depth) {
    if (type.has(kDictSubclassFlag)) return Kind::dict;
    if (type.has(kUnicodeSubclassFlag)) return Kind::str;
    if (type.has(kListSubclassFlag)) return Kind::list;
    if (type.has(kTupleSubclassFlag)) return Kind::tuple;
    if (type.has(kTypeSubclassFlag)) return Kind::type;
    if (type.has(kBytesSubclassFlag)) return Kind::bytes;
    if (type.has(kLongSubclassFlag)) return Kind::number;
    const TypeInfo* parent = base == 0 ? nullptr : info(base, depth + 1);
    const Kind inherited = parent == nullptr ? Kind::opaque : parent->kind;
    // Of a static type up to 3.11.
    if (type.name == "collections.deque") return Kind::deque;
    if (type.has(kHeapTypeFlag)) {
        const bool is_special = inherited == Kind::set || inherited == Kind::module ||
                                inherited == Kind::weak || inherited == Kind::deque;
        return is_special ? inherited : Kind::instance;
    }
    if (type.name == "set" || type.name == "frozenset") return Kind::set;
    if (type.name == "module") return Kind::module;
    if (type.name == "function") return Kind::function;
    // "weakref" until 3.11, then "weakref.ReferenceType"; "weakproxy", "weakref.ProxyType", …
    if (type.name.rfind("weak", 0) == 0) return Kind::weak;
    return type.has(kGcFlag) ? Kind::opaque : Kind::leaf;
}

Types::Text Types::text_of(uint64_t object) {
    const std::byte* head = memory_.read(object, kStrState + sizeof(uint32_t));
    if (head == nullptr) return {};
    const uint64_t length = field(head, kStrLength);
    uint32_t state = 0;
    std::memcpy(&state, head + kStrState, sizeof(state));
    const StrState bits = parse_str_state(state);
    constexpr uint64_t kLongest = uint64_t{1} << 40;
    if (!bits.is_compact || length > kLongest || !bits.is_plausible()) return {};
    return {object + str_text_offset(layout_, bits), length * bits.character_bytes,
            bits.character_bytes};
}

uint64_t Types::text_length(uint64_t object) {
    const Text text = text_of(object);
    return text.bytes / text.bytes_a_character;
}

std::string Types::text(uint64_t object, size_t most) {
    const TypeInfo* type = type_of(object);
    if (type == nullptr || type->kind != Kind::str) return "";
    const Text text = text_of(object);
    const size_t characters = std::min<size_t>(most, text.bytes / text.bytes_a_character);
    const size_t wanted = characters * text.bytes_a_character;
    const std::byte* bytes = wanted == 0 ? nullptr : memory_.read(text.start, wanted);
    std::string result;
    const bool is_ascii =
        bytes != nullptr && text.bytes_a_character == 1 &&
        std::all_of(bytes, bytes + wanted, [](std::byte each) { return each < std::byte{0x80}; });
    if (is_ascii) return result.assign(reinterpret_cast<const char*>(bytes), wanted);
    for (size_t i = 0; bytes != nullptr && i < characters; ++i) {
        uint32_t character = 0;
        std::memcpy(&character, bytes + i * text.bytes_a_character, text.bytes_a_character);
        append_utf8(&result, character);
    }
    return result;
}

uint64_t Types::size_of(uint64_t object, const TypeInfo& type) {
    if (type.kind == Kind::str) {
        const Text text = text_of(object);
        if (text.start == 0) return type.basic_size;
        return text.start - object + text.bytes + text.bytes_a_character;
    }
    if (type.has(kInlineValuesFlag) && layout_.managed_dict == ManagedDict::v3_13) {
        // struct _dictvalues: its first byte is the number of values.
        const uint64_t values = memory_.value<uint8_t>(object + type.basic_size).value_or(0);
        return type.basic_size + layout_.values_header + values * kWordBytes;
    }
    if (type.item_size == 0) return type.basic_size;
    auto count = static_cast<int64_t>(memory_.word(object + kObSize));
    if (type.kind == Kind::number && layout_.tagged_int) {
        count = static_cast<int64_t>(static_cast<uint64_t>(count) >> 3);
    }
    // An int's sign is that of its size.
    if (count < 0) count = -count;
    constexpr int64_t kMostItems = int64_t{1} << 32;
    if (count < 0 || count > kMostItems) return type.basic_size;
    return type.basic_size + static_cast<uint64_t>(count) * type.item_size;
}

}  // namespace cowscope::cpython
