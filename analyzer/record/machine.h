// What the kernel, the container and the user are, as far as it bears on tracker and witness.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace cowscope::record {

struct Machine {
    std::string kernel;         // "Linux 6.18.4 x86_64"
    unsigned user_id = 0;       // effective
    uint64_t capabilities = 0;  // effective, bit n is capability n of linux/capability.h
    // From /proc/self/status: 0 none, 1 strict, 2 filter; empty where the kernel does not say.
    std::optional<int> seccomp;
    // Filters that are in force; 1 where there are some and the kernel does not count them (before
    // Linux 5.9).
    unsigned seccomp_filters = 0;
    std::string container;  // what gave it away ("/.dockerenv"), empty if nothing did
    std::optional<int> perf_event_paranoid;
    std::optional<int> unprivileged_userfaultfd;

    bool has_capability(unsigned number) const { return (capabilities >> number & 1) != 0; }
};

// Reads /proc and /run; what cannot be read stays empty.
Machine read_machine();

// As uname(2) has it; empty where it fails.
std::string host_name();

}  // namespace cowscope::record
