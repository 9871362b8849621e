// malloc(3) as a member of the table: libc's, and the libraries that take its place.
#include <array>

#include <fmt/format.h>

#include "runtime/function_names.h"
#include "runtime/runtime.h"

namespace cowscope::runtime {
namespace {

// glibc 2.28 to 2.42, malloc/malloc.c.
constexpr std::array<std::string_view, 26> kLibcAllocator = {
    "malloc",
    "free",
    "calloc",
    "realloc",
    "cfree",
    "memalign",
    "posix_memalign",
    "aligned_alloc",
    "__libc_malloc",
    "__libc_free",
    "__libc_calloc",
    "__libc_realloc",
    "__libc_memalign",
    "_int_malloc",
    "_int_free",
    "_int_realloc",
    "_int_memalign",
    "_int_free_chunk",
    "_int_free_merge_chunk",
    "malloc_consolidate",
    "sysmalloc",
    "systrim",
    "unlink_chunk",
    "tcache_put",
    "malloc_trim",
    "_int_free_create_chunk",
};

bool names_libc_allocator(std::string_view function) {
    return is_one_of(function, kLibcAllocator);
}

bool is_libc(std::string_view module) {
    constexpr std::array<std::string_view, 2> kBeginnings = {"libc.so", "libc-2."};
    return begins_with_one_of(module, kBeginnings);
}

bool is_malloc_library(std::string_view module) {
    constexpr std::array<std::string_view, 3> kBeginnings = {"libjemalloc.so", "libtcmalloc",
                                                             "libmimalloc.so"};
    return begins_with_one_of(module, kBeginnings);
}

class Malloc final : public Runtime {
  public:
    Id id() const override { return Id::malloc; }

    std::optional<Verdict> find_in_memory(const Write& write) const override {
        const bool on_heap = is_on_heap(write);
        if (on_heap && is_malloc_library(write.module)) {
            return Verdict{Cause::allocator,
                           fmt::format("{} is a malloc, and keeps its books", write.module)};
        }
        const bool is_own = on_heap || write.region == Region::library_data;
        if (!is_own || !is_libc(write.module)) return std::nullopt;
        const auto name = first_named(write, names_libc_allocator);
        if (name.empty()) return std::nullopt;
        return Verdict{Cause::allocator,
                       fmt::format("{} keeps its books beside the blocks that it gives out", name)};
    }
};

}  // namespace

const Runtime& malloc_runtime() {
    static const Malloc member;
    return member;
}

}  // namespace cowscope::runtime
