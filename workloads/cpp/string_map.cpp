// Builds a map from id to string, forks, and lets every child read every value: the smallest
// program in which reading costs memory. What a child writes of the memory that it inherited is the
// values' reference counts and nothing else: it looks keys up without allocating, and nobody frees
// anything.

#include <fcntl.h>
#include <sys/wait.h>

#include <cerrno>
#include <charconv>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "child.h"
#include "contents.h"
#include "options.h"
#include "truth.h"
#include "value_kinds.h"

namespace cowscope::workload {
namespace {

// An id in decimal digits, without an allocation.
class Key {
  public:
    explicit Key(uint64_t id) : end_(std::to_chars(digits_, digits_ + sizeof(digits_), id).ptr) {}

    std::string_view text() const { return {digits_, static_cast<size_t>(end_ - digits_)}; }

  private:
    char digits_[20];  // 2^64 - 1 has 20
    const char* end_;
};

// Transparent, so that a std::string_view finds its entry without becoming a std::string.
struct KeyHash {
    using is_transparent = void;
    size_t operator()(std::string_view key) const { return std::hash<std::string_view>()(key); }
};

template <class Kind>
using Map = std::unordered_map<std::string, typename Kind::Value, KeyHash, std::equal_to<>>;

template <class Kind>
void fill(const Options& options, Map<Kind>* map) {
    Kind kind;
    const auto append = [&](std::string_view text) {
        map->try_emplace(std::string(Key(map->size()).text()), kind.make(text));
    };
    if (options.input) {
        read_contents(options.input, options.entries.value_or(std::numeric_limits<uint64_t>::max()),
                      append);
    } else {
        const uint64_t entries = options.entries.value_or(kDefaultEntries);
        map->reserve(entries);
        generate_contents(entries, options.unique, options.length, append);
    }
}

template <class Kind>
Reading read_by_key(const Map<Kind>& map) {
    Reading reading;
    for (uint64_t id = 0; id < map.size(); ++id) {
        const auto entry = map.find(Key(id).text());
        if (entry == map.end()) continue;
        reading.bytes += Kind::read(entry->second);
        ++reading.values;
    }
    return reading;
}

template <class Kind>
Reading read_by_iterating(const Map<Kind>& map) {
    Reading reading;
    for (const auto& [key, value] : map) {
        reading.bytes += Kind::read(value);
        ++reading.values;
    }
    return reading;
}

void print_memory(const char* before_or_after, int64_t memory_kb) {
    if (memory_kb < 0) {
        std::printf(" unknown %s", before_or_after);
    } else {
        std::printf(" %" PRId64 " kB %s", memory_kb, before_or_after);
    }
}

void print_child(const Options& options, size_t number, const Child& child) {
    if (child.finished) {
        std::printf("child %zu: read %" PRIu64 " values, %" PRIu64 " bytes", number,
                    child.reading.values, child.reading.bytes);
        if (options.show_memory) {
            std::fputs("; private memory", stdout);
            print_memory("before,", child.private_before_kb);
            print_memory("after", child.private_after_kb);
        }
        std::fputs("\n", stdout);
    } else {
        std::printf("child %zu: did not read every value\n", number);
    }
    if (options.show_timing && child.finished) {
        std::fprintf(stderr, "child %zu: reading took %.3f ms, %.3f ms of CPU time\n", number,
                     static_cast<double>(child.wall_ns) / 1e6,
                     static_cast<double>(child.cpu_ns) / 1e6);
        std::fprintf(stderr, "child %zu: fork took %.3f ms, its start %.3f ms of CPU time\n",
                     number, static_cast<double>(child.fork_ns) / 1e6,
                     static_cast<double>(child.start_cpu_ns) / 1e6);
        std::fprintf(stderr, "child %zu: its fork took %.3f ms of the parent's CPU time\n", number,
                     static_cast<double>(child.fork_cpu_ns) / 1e6);
    }
    if (child.pid == 0 || child.succeeded()) return;
    if (WIFSIGNALED(child.wait_status)) {
        std::fprintf(stderr, "string_map: child %zu was killed by signal %d\n", number,
                     WTERMSIG(child.wait_status));
    } else {
        std::fprintf(stderr, "string_map: child %zu ended with status %d\n", number,
                     WEXITSTATUS(child.wait_status));
    }
}

template <class Kind>
int run(const Options& options) {
    // No FILE yet: a child that leaves through exit() would write into it.
    int truth_fd = -1;
    if (options.truth) {
        truth_fd = open(options.truth, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
        if (truth_fd < 0) {
            std::fprintf(stderr, "string_map: cannot write %s: %s\n", options.truth,
                         std::strerror(errno));
            return 2;
        }
    }
    // Never destroyed: tearing them down, in a child that returns from main() or in the parent,
    // would write the very pages that are to be measured.
    Map<Kind>& map = *new Map<Kind>();
    auto& count_pages = *new std::vector<uintptr_t>();

    fill<Kind>(options, &map);
    if (options.truth && !find_count_pages<Kind>(map, &count_pages)) {
        std::fprintf(stderr, "string_map: --truth: this C++ library keeps its counts elsewhere\n");
        return 1;
    }

    const Outcome outcome = run_children(options, map.size(), [&map, &options] {
        return options.read == ReadOrder::key ? read_by_key<Kind>(map)
                                              : read_by_iterating<Kind>(map);
    });
    if (outcome.in_child) return outcome.child_status;

    std::printf("map: %zu entries, %s values, read order %s\n", map.size(), name_of(options.values),
                name_of(options.read));
    int status = 0;
    size_t number = 0;
    for (const Child& child : outcome.children) {
        print_child(options, ++number, child);
        if (!child.succeeded()) status = 1;
    }
    if (options.truth && !write_truth(truth_fd, options.values, outcome.children, count_pages)) {
        std::fprintf(stderr, "string_map: cannot write %s: %s\n", options.truth,
                     std::strerror(errno));
        status = 1;
    }
    return status;
}

int run_with(const Options& options) {
    switch (options.values) {
        case ValueKind::refcounted:
            return run<RefcountedKind>(options);
        case ValueKind::interned:
            return run<InternedKind>(options);
        case ValueKind::shared_ptr:
            return run<SharedPtrKind>(options);
        case ValueKind::cow_string:
            return run<CowStringKind>(options);
        case ValueKind::plain:
            return run<PlainKind>(options);
    }
    return 2;
}

}  // namespace
}  // namespace cowscope::workload

int main(int argc, char** argv) {
    return cowscope::workload::run_with(cowscope::workload::parse_options(argc, argv));
}
