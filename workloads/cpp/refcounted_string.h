// A string with a reference count inside (an intrusive count), and the reference that counts.
#pragma once

#include <atomic>
#include <string>
#include <string_view>
#include <utility>

namespace cowscope::workload {

class RefcountedString {
  public:
    explicit RefcountedString(std::string_view text) : text_(text) {}

    void add_ref() const noexcept { count_.fetch_add(1, std::memory_order_relaxed); }
    void release() const noexcept {
        if (count_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
    }

    const std::string& text() const noexcept { return text_; }
    const int* count_word() const noexcept { return reinterpret_cast<const int*>(&count_); }

  private:
    ~RefcountedString() = default;

    mutable std::atomic<int> count_{0};
    static_assert(sizeof(std::atomic<int>) == sizeof(int) && std::atomic<int>::is_always_lock_free);
    std::string text_;
};

// Holds one count of its string.
class StringRef {
  public:
    explicit StringRef(const RefcountedString* string) noexcept : string_(string) {
        string_->add_ref();
    }
    StringRef(const StringRef& other) noexcept : string_(other.string_) {
        if (string_) string_->add_ref();
    }
    StringRef(StringRef&& other) noexcept : string_(std::exchange(other.string_, nullptr)) {}
    StringRef& operator=(StringRef other) noexcept {
        std::swap(string_, other.string_);
        return *this;
    }
    ~StringRef() {
        if (string_) string_->release();
    }

    const RefcountedString& operator*() const noexcept { return *string_; }
    const RefcountedString* operator->() const noexcept { return string_; }

  private:
    const RefcountedString* string_;
};

}  // namespace cowscope::workload
