// Programs whose first writes happen inside the dynamic loader, malloc, or an unwinder, and in what
// those call back.
#include <dlfcn.h>
#include <link.h>
#include <malloc.h>
#include <ucontext.h>
#include <unwind.h>

#define UNW_LOCAL_ONLY
#include <libunwind.h>

#include <stdexcept>
#include <string>
#include <vector>

#include "many_functions.h"
#include "tree_cases.h"

using namespace tree;

namespace {

// Memory as it was when this was made. What differs later was written. Kept where all processes
// share it, so that looking copies nothing.
class Before {
  public:
    Before(const void* start, size_t pages)
        : start_(reinterpret_cast<uint64_t>(start) & ~(kPageBytes - 1)),
          pages_(pages),
          then_(map(pages, MAP_SHARED | MAP_ANONYMOUS)) {
        std::memcpy(then_, reinterpret_cast<void*>(start_), pages * kPageBytes);
    }
    // Adds what has changed to the account, as copied.
    void note_changes() const {
        for (size_t i = 0; i < pages_; ++i) {
            const auto* now = reinterpret_cast<void*>(start_ + i * kPageBytes);
            if (std::memcmp(now, then_ + i * kPageBytes, kPageBytes) == 0) continue;
            account::add_written(account::Kind::copied, now, 1, 1);
        }
    }

  private:
    uint64_t start_;
    size_t pages_;
    unsigned char* then_;
};

void note_stores(unsigned char* start, size_t pages) {
    account::add_written(account::Kind::copied, start, pages, 1);
}

// --- the dynamic loader
// ------------------------------------------------------------------------------

int call_many() {
    int calls = 0;
#define MANY_CALL(n) calls += many_##n();
    MANY_2048(MANY_CALL)
#undef MANY_CALL
    return calls;
}

// This program is linked to be bound as it calls (-z lazy).
void lazy_binding() {
    const ElfW(Addr)* addresses = nullptr;
    size_t count = 0;
    for (const ElfW(Dyn)* entry = _DYNAMIC; entry->d_tag != DT_NULL; ++entry) {
        if (entry->d_tag == DT_PLTGOT) {
            addresses = reinterpret_cast<const ElfW(Addr)*>(entry->d_un.d_ptr);
        }
        if (entry->d_tag == DT_PLTRELSZ) count = entry->d_un.d_val / sizeof(ElfW(Rela));
    }
    require(addresses != nullptr && count > 2048, "the addresses of functions");
    const size_t pages = (count * sizeof(ElfW(Addr)) + kPageBytes - 1) / kPageBytes;
    const Before before(addresses, pages);
    wait_for_child(start_child([&] {
        require(call_many() == 2048, "calls");
        before.note_changes();
    }));
}

void load_in_child() {
    wait_for_child(start_child([] {
        account::store_to_shared(region, 32, 1);
        void* library = dlopen("libmany_functions.so", RTLD_NOW | RTLD_LOCAL | RTLD_NOLOAD);
        require(library != nullptr, "dlopen of what is there");
        // One that this program does not have, with addresses to fill and to make read-only.
        void* other = dlopen("libunwind.so.8", RTLD_NOW | RTLD_LOCAL);
        require(other != nullptr, "dlopen");
        auto* function = reinterpret_cast<int (*)()>(dlsym(library, "many_01234"));
        require(function == nullptr, "dlsym of nothing");
        require(dlerror() != nullptr, "dlerror");
        function = reinterpret_cast<int (*)()>(dlsym(library, "many_00123"));
        require(function != nullptr && function() == 1, "dlsym");
        dlclose(other);
        dlclose(library);
        account::store_to_shared(at(32), 96, 1);
        note_stores(region, 128);
    }));
}

// The loader's lock is held while the callback runs.
int write_a_page(dl_phdr_info*, size_t, void* next) {
    auto& page = *static_cast<size_t*>(next);
    if (page < kPages) account::store_to_shared(at(page++), 1, 1);
    return 0;
}
void iterating_modules() {
    wait_for_child(start_child([] {
        size_t page = 0;
        while (page < 128) dl_iterate_phdr(write_a_page, &page);
        note_stores(region, page);
    }));
}

// --- malloc
// ------------------------------------------------------------------------------------------

void memory_allocator() {
    constexpr size_t kBlocks = 200;
    // Blocks of the break's, and no block of theirs in between.
    mallopt(M_MMAP_THRESHOLD, 1 << 20);
    mallopt(M_TRIM_THRESHOLD, 1 << 30);
    std::vector<unsigned char*> blocks;
    for (size_t i = 0; i < kBlocks; ++i) {
        auto* block = static_cast<unsigned char*>(std::malloc(3 * kPageBytes));
        require(block != nullptr, "malloc");
        std::memset(block, 1, 3 * kPageBytes);
        blocks.push_back(block);
    }
    const auto first = reinterpret_cast<uint64_t>(blocks.front()) & ~(kPageBytes - 1);
    const auto last = reinterpret_cast<uint64_t>(blocks.back()) + 3 * kPageBytes;
    require(last - first < 4 * kBlocks * kPageBytes, "blocks beside each other");
    const Before before(blocks.front(), (last - first + kPageBytes - 1) / kPageBytes);
    wait_for_child(start_child([&] {
        for (size_t i = 0; i < kBlocks; i += 2) std::free(blocks[i]);
        std::string text;
        for (int i = 0; i < 20'000; ++i) text += 'x';
        require(text.size() == 20'000, "a string");
        before.note_changes();
    }));
}

// --- unwinders
// ---------------------------------------------------------------------------------------

// Writes a page when it goes out of scope: on the way of an exception.
struct WritesAtEnd {
    size_t page;
    ~WritesAtEnd() { account::store_to_shared(at(page), 1, 1); }
};
[[gnu::noinline]] void throw_through(size_t page) {
    const WritesAtEnd end{page};
    if (page == 0) {
        account::store_to_shared(at(100), 1, 1);
        throw std::runtime_error("at the end");
    }
    throw_through(page - 1);
}
void exceptions() {
    wait_for_child(start_child([] {
        try {
            throw_through(99);
        } catch (const std::runtime_error& error) {
            account::store_to_shared(at(101), 1, 1);
            require(std::strcmp(error.what(), "at the end") == 0, "what was thrown");
        }
        note_stores(region, 102);
    }));
}

template <typename Walk>
[[gnu::noinline]] void at_depth(int depth, Walk&& walk) {
    if (depth == 0) {
        walk();
    } else {
        at_depth(depth - 1, walk);
    }
    asm volatile("" ::: "memory");  // no tail call
}

// libgcc's, as backtrace(3) and exceptions use it.
_Unwind_Reason_Code write_for_frame(_Unwind_Context*, void* next) {
    auto& page = *static_cast<size_t*>(next);
    if (page < kPages) account::store_to_shared(at(page++), 1, 1);
    return _URC_NO_REASON;
}
void backtrace_of_libgcc() {
    wait_for_child(start_child([] {
        size_t page = 0;
        at_depth(90, [&] { _Unwind_Backtrace(write_for_frame, &page); });
        require(page > 90, "frames");
        note_stores(region, page);
    }));
}

// libunwind, which reads the program's memory through functions of the program's. Loaded for
// itself, because its own _Unwind_Backtrace() would come before libgcc's.
template <typename Function>
Function* function_of(void* library, const char* name) {
    void* function = dlsym(library, name);
    require(function != nullptr, name);
    return reinterpret_cast<Function*>(function);
}

size_t pages_for_reads = 0;
decltype(unw_accessors_t::access_mem) own_access = nullptr;
int access_memory(unw_addr_space_t space, unw_word_t address, unw_word_t* value, int is_write,
                  void* argument) {
    if (pages_for_reads < 128) account::store_to_shared(at(pages_for_reads++), 1, 1);
    return own_access(space, address, value, is_write, argument);
}
void backtrace_of_libunwind() {
    void* library = dlopen("libunwind.so.8", RTLD_NOW | RTLD_LOCAL);
    require(library != nullptr, "libunwind.so.8");
#define FUNCTION_OF_LIBUNWIND(name) function_of<decltype(name)>(library, FUNCTION_NAME(name))
#define FUNCTION_NAME(name) FUNCTION_NAME_OF(name)
#define FUNCTION_NAME_OF(name) #name
    auto* get_accessors = FUNCTION_OF_LIBUNWIND(unw_get_accessors);
    auto* init_local = FUNCTION_OF_LIBUNWIND(unw_init_local);
    auto* step = FUNCTION_OF_LIBUNWIND(unw_step);
    auto* space =
        static_cast<unw_addr_space_t*>(dlsym(library, FUNCTION_NAME(unw_local_addr_space)));
    require(space != nullptr, "unw_local_addr_space");
    wait_for_child(start_child([=] {
        unw_accessors_t* accessors = get_accessors(*space);
        own_access = accessors->access_mem;
        accessors->access_mem = access_memory;
        int frames = 0;
        at_depth(90, [&] {
            ucontext_t context;
            unw_cursor_t cursor;
            require(getcontext(&context) == 0, "getcontext");
            require(init_local(&cursor, &context) == 0, "unw_init_local");
            do {
                if (frames < 64) {
                    account::store_to_shared(at(128 + static_cast<size_t>(frames)), 1, 1);
                }
                ++frames;
            } while (step(&cursor) > 0);
        });
        require(frames > 90, "frames");
        note_stores(region, pages_for_reads);
        note_stores(at(128), 64);
    }));
}

const Case kCases[] = {
    {"lazy-binding", lazy_binding},
    {"load-in-child", load_in_child},
    {"iterating-modules", iterating_modules},
    {"malloc", memory_allocator},
    {"exceptions", exceptions},
    {"libgcc", backtrace_of_libgcc},
    {"libunwind", backtrace_of_libunwind},
};

}  // namespace

int main(int argc, char** argv) {
    return run_named(kCases, argc, argv);
}
