// libstdc++'s old std::string, whose copies share one buffer and count its users (copy on write in
// the string's own sense). Its type cannot be named where the current std::string is used, so this
// interface is free of both.
#pragma once

#include <cstddef>
#include <string_view>

namespace cowscope::workload {

class CowString {
  public:
    explicit CowString(std::string_view text);
    CowString(CowString&& other) noexcept;
    CowString(const CowString&) = delete;
    CowString& operator=(const CowString&) = delete;
    ~CowString();

    // The size in bytes, taken from a copy of the string that is dropped again.
    size_t size_through_copy() const;

    // The word that counts the buffer's users; null for the empty string, whose buffer is static
    // and never counted.
    const int* count_word() const;
    // What that word holds while a copy exists. The word must not be null.
    int count_while_copied() const;

  private:
    // Where the old std::string lives: one pointer to its characters.
    alignas(void*) unsigned char storage_[sizeof(void*)];
};

}  // namespace cowscope::workload
