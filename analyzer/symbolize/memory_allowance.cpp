#include "symbolize/memory_allowance.h"

#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>

namespace cowscope::symbolize {

namespace {

bool is_limited = false;

#ifndef COWSCOPE_HAS_SHADOW_MEMORY
uint64_t mapped_bytes() {
    std::FILE* file = std::fopen("/proc/self/statm", "re");
    if (file == nullptr) return 0;
    unsigned long pages = 0;
    const int found = std::fscanf(file, "%lu", &pages);
    std::fclose(file);
    return found == 1 ? pages * static_cast<uint64_t>(sysconf(_SC_PAGESIZE)) : 0;
}
#endif

}  // namespace

void limit_memory([[maybe_unused]] uint64_t more_bytes) {
#ifndef COWSCOPE_HAS_SHADOW_MEMORY
    rlimit limit{};
    const uint64_t mapped = mapped_bytes();
    if (mapped == 0 || getrlimit(RLIMIT_AS, &limit) != 0) return;
    if (limit.rlim_max != RLIM_INFINITY && mapped + more_bytes > limit.rlim_max) return;
    limit.rlim_cur = mapped + more_bytes;
    is_limited = setrlimit(RLIMIT_AS, &limit) == 0;
#endif
}

void allow_mapping(uint64_t bytes) {
    rlimit limit{};
    if (!is_limited || getrlimit(RLIMIT_AS, &limit) != 0) return;
    const uint64_t more = limit.rlim_cur + 2 * bytes;
    limit.rlim_cur =
        limit.rlim_max == RLIM_INFINITY || more < limit.rlim_max ? more : limit.rlim_max;
    setrlimit(RLIMIT_AS, &limit);
}

}  // namespace cowscope::symbolize
