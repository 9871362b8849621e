// The address space of a process at one moment, from the text of /proc/PID/maps.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace cowscope::trace {

struct Mapping {
    uint64_t start = 0;
    uint64_t end = 0;
    uint64_t file_offset = 0;
    bool writable = false;
    bool executable = false;
    bool is_private = false;
    std::string path;  // "" for anonymous memory; "[heap]", "[stack]", … as the kernel names them

    bool is_file() const { return !path.empty() && path.front() == '/'; }
};

class Mappings {
  public:
    Mappings() = default;
    // Lines that are none of /proc/PID/maps are left out.
    Mappings(std::string_view text, uint64_t time_ns);

    uint64_t time_ns() const { return time_ns_; }
    const std::vector<Mapping>& all() const { return mappings_; }
    // nullptr where nothing is mapped.
    const Mapping* find(uint64_t address) const;
    // The writable mapping of a file that ends where this writable anonymous one starts: perhaps
    // it holds that file's zero-initialized data (.bss). nullptr where there is none.
    const Mapping* file_before(const Mapping& mapping) const;

  private:
    uint64_t time_ns_ = 0;
    std::vector<Mapping> mappings_;
};

}  // namespace cowscope::trace
