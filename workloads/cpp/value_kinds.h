// The kinds of value that the map can hold. Each has
//     Value                      what one entry holds
//     make(text)                 a new Value
//     read(value)                its size in bytes, read the way that this kind is read
// and those with a reference count
//     count_word(value)          the address of the count, null if this value has none
//     count_while_copied(value)  what that word holds while one more reference exists
#pragma once

#include <cstddef>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "cow_string.h"
#include "keep.h"
#include "refcounted_string.h"

namespace cowscope::workload {

// Memory that someone else may write.
inline int load(const int* word) {
    return *static_cast<const volatile int*>(word);
}

struct RefcountedKind {
    using Value = StringRef;

    Value make(std::string_view text) { return StringRef(new RefcountedString(text)); }

    static size_t read(const Value& value) {
        const StringRef reference = value;
        keep(reference);
        return reference->text().size();
    }
    static const int* count_word(const Value& value) { return value->count_word(); }
    static int count_while_copied(const Value& value) {
        const StringRef reference = value;
        keep(reference);
        return load(count_word(value));
    }
};

// Equal texts share one object, which is made where the text is first met.
struct InternedKind : RefcountedKind {
    Value make(std::string_view text) {
        const auto known = table_.find(text);
        if (known != table_.end()) return known->second;
        Value value = RefcountedKind::make(text);
        table_.emplace(value->text(), value);
        return value;
    }

  private:
    // The keys are the texts of the strings that the values hold.
    std::unordered_map<std::string_view, Value> table_;
};

struct SharedPtrKind {
    using Value = std::shared_ptr<const std::string>;

    Value make(std::string_view text) { return std::make_shared<const std::string>(text); }

    static size_t read(const Value& value) {
        const Value reference = value;
        keep(reference);
        return reference->size();
    }
    // libstdc++, bits/shared_ptr_base.h: a shared_ptr is the object's address and that of its
    // _Sp_counted_base, which is a vtable pointer followed by _M_use_count and _M_weak_count.
    static const int* count_word(const Value& value) {
        struct SharedPtr {
            const void* object;
            const struct ControlBlock {
                const void* vtable;
                int use_count;
                int weak_count;
            } * control;
        };
        static_assert(sizeof(SharedPtr) == sizeof(Value));
        SharedPtr fields;
        std::memcpy(&fields, &value, sizeof(fields));
        return &fields.control->use_count;
    }
    static int count_while_copied(const Value& value) {
        const Value reference = value;
        keep(reference);
        return load(count_word(value));
    }
};

struct CowStringKind {
    using Value = CowString;

    Value make(std::string_view text) { return CowString(text); }

    static size_t read(const Value& value) { return value.size_through_copy(); }
    static const int* count_word(const Value& value) { return value.count_word(); }
    static int count_while_copied(const Value& value) { return value.count_while_copied(); }
};

struct PlainKind {
    using Value = std::string;

    Value make(std::string_view text) { return std::string(text); }

    static size_t read(const Value& value) { return value.size(); }
};

}  // namespace cowscope::workload
