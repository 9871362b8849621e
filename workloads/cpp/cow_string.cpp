#include "cow_string.h"

#include <ext/atomicity.h>

#include <new>
#include <string>
#include <utility>

#include "keep.h"

#if _GLIBCXX_USE_CXX11_ABI
#error "this file needs _GLIBCXX_USE_CXX11_ABI=0: the current std::string has no reference count"
#endif

namespace cowscope::workload {
namespace {

// libstdc++, bits/cow_string.h: the characters follow a _Rep, which is
//     struct _Rep_base { size_type _M_length; size_type _M_capacity; _Atomic_word _M_refcount; };
struct Rep {
    std::string::size_type length;
    std::string::size_type capacity;
    _Atomic_word refcount;
};
static_assert(sizeof(_Atomic_word) == sizeof(int));

const std::string& string_in(const unsigned char* storage) {
    return *std::launder(reinterpret_cast<const std::string*>(storage));
}

std::string& string_in(unsigned char* storage) {
    return *std::launder(reinterpret_cast<std::string*>(storage));
}

}  // namespace

CowString::CowString(std::string_view text) {
    static_assert(sizeof(std::string) == sizeof(storage_));
    ::new (static_cast<void*>(storage_)) std::string(text.data(), text.size());
}

CowString::CowString(CowString&& other) noexcept {
    ::new (static_cast<void*>(storage_)) std::string(std::move(string_in(other.storage_)));
}

CowString::~CowString() {
    using std::string;
    string_in(storage_).~string();
}

size_t CowString::size_through_copy() const {
    const std::string copy = string_in(storage_);
    keep(copy);
    return copy.size();
}

const int* CowString::count_word() const {
    const std::string& string = string_in(storage_);
    if (string.empty()) return nullptr;
    return &(reinterpret_cast<const Rep*>(string.data()) - 1)->refcount;
}

int CowString::count_while_copied() const {
    const std::string copy = string_in(storage_);
    keep(copy);
    return *static_cast<const volatile int*>(count_word());
}

}  // namespace cowscope::workload
