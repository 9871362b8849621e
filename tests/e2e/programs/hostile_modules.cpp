// Programs with modules whose tables are wrong, hidden or gone: what is read of them where their
// code writes, and before a fork, must not fault. Each way is tried in a process of its own, which
// loads the module, changes it, and forks a child that writes through it.
#include <dlfcn.h>
#include <elf.h>
#include <link.h>

#include <csignal>
#include <string>
#include <thread>
#include <vector>

#include "loaded_module.h"
#include "tree_cases.h"

using namespace tree;

namespace {

// --- unwind tables that say anything

void sound() {
    try_module([](const Module&) {});
}

std::vector<unsigned char> padded_uleb(uint64_t value) {
    std::vector<unsigned char> bytes;
    for (int i = 0; i < 9; ++i, value >>= 7) {
        bytes.push_back(static_cast<unsigned char>(0x80 | (value & 0x7f)));
    }
    bytes.push_back(static_cast<unsigned char>(value));
    return bytes;
}

void augmentation() {
    const uint64_t lengths[] = {~uint64_t{0} << 40,
                                ~uint64_t{0},
                                ~uint64_t{0} - 64,
                                uint64_t{1} << 63,
                                1ull << 32,
                                0x7fffffff,
                                4096,
                                200,
                                0};
    for (const uint64_t length : lengths) {
        try_module([&](const Module& module) {
            module.set_bytes(module.cie + kAugmentationOffset, padded_uleb(length));
        });
    }
    // A number without an end, and texts without one.
    try_module([](const Module& module) {
        module.set_bytes(module.cie + kAugmentationOffset, std::vector<unsigned char>(60, 0x80));
    });
    for (const char letter : {'R', 'z', 'P', 'S', 'e'}) {
        try_module([&](const Module& module) {
            module.set_bytes(module.cie + 9,
                             std::vector<unsigned char>(2000, static_cast<unsigned char>(letter)));
        });
    }
}

// Where the tables lie and how long they are.
void places() {
    const auto distance = [](uint64_t to, const unsigned char* from) {
        return static_cast<int32_t>(to - reinterpret_cast<uint64_t>(from));
    };
    for (const int64_t into : {0l, 4095l, -8l, -1l}) {
        try_module([&](const Module& module) {
            module.set(module.eh_frame_header + kTableOffset + 4,
                       distance(module.gap + static_cast<uint64_t>(into), module.eh_frame_header));
        });
        try_module([&](const Module& module) {
            module.set(module.fde + 4,
                       -distance(module.gap + static_cast<uint64_t>(into), module.fde + 4));
        });
    }
    for (const int32_t fde : {INT32_MIN, INT32_MAX, 0, 1, -1, 4096, 1 << 20}) {
        try_module([&](const Module& module) {
            module.set(module.eh_frame_header + kTableOffset + 4, fde);
        });
    }
    // The CIE of an FDE is itself, or its own field, or anything.
    for (const uint32_t cie : {0u, 4u, 1u, ~0u, 1u << 31, 0x1000u, 0x10000u}) {
        try_module([&](const Module& module) { module.set(module.fde + 4, cie); });
    }
    for (const uint32_t length : {0u, 1u, 3u, 1u << 20, 1u << 31, ~0u, ~0u - 1}) {
        try_module([&](const Module& module) { module.set(module.fde, length); });
        try_module([&](const Module& module) { module.set(module.cie, length); });
    }
}

void header() {
    for (size_t field = 0; field < 4; ++field) {
        constexpr unsigned char kEncodings[] = {0x00, 0x01, 0x02, 0x04, 0x09, 0x0c, 0x0f,
                                                0x1b, 0x3b, 0x50, 0x80, 0x9b, 0xff};
        for (const unsigned char encoding : kEncodings) {
            try_module([&](const Module& module) {
                module.set(module.eh_frame_header + field, encoding);
            });
        }
    }
    for (const uint32_t count : {0u, 2u, 200u, 1u << 20, 1u << 28, 1u << 31, ~0u}) {
        try_module([&](const Module& module) { module.set(module.eh_frame_header + 8, count); });
    }
    for (const int32_t location : {INT32_MIN, INT32_MAX, 0, -1}) {
        try_module([&](const Module& module) {
            module.set(module.eh_frame_header + kTableOffset, location);
        });
    }
}

void instructions() {
    using Bytes = std::vector<unsigned char>;
    const Bytes all[] = {
        {0x0c, 7, 0xff, 0xff, 0xff, 0xff, 0x07},  // the CFA at rsp + 2 GiB
        {0x0c, 7, 0xf8, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01},  // - 8
        {0x0c, 7, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01},
        {0x0c, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, 8},  // of no register
        {0x12, 7, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x7f},
        {0x05, 0xff, 0xff, 0x7f, 1},
        {0x11, 6, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x7f},
        {0x09, 0xff, 0x7f, 0xff, 0x7f},
        {0x0b},                          // a state that was never kept
        Bytes(100, 0x0a),                // more states than there are
        {0x01, 0xff, 0xff, 0xff, 0x7f},  // a location far away
        {0x04, 0xff, 0xff, 0xff, 0xff},
        {0x0f, 2, 0x06, 0x06},  // reads through nothing
        {0x0f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01},
        {0x0f, 3, 0x76, 0x00, 0x06},  // the CFA is where rbp points to
        {0x0f, 12, 0x76, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x7f, 0x06},
        {0x0f, 3, 0x2f, 0xfd, 0xff},  // DW_OP_skip to itself
        {0x10, 6, 2, 0x76, 0x78},
        {0x10, 16, 3, 0x76, 0x00, 0x06},
        {0x16, 6, 0x80, 0x80, 0x80, 0x80, 0x08, 1},
        {0x07, 6, 0x08, 16, 0x06, 16, 0xc0 | 6, 0xd0},
        {0x07, 16},
        {0x2e, 0xff, 0xff, 0x7f, 0x0e, 0xff, 0xff, 0xff, 0xff, 0x0f},
        {0x3f, 0x3f, 0x1c, 0x2d},
        Bytes(119, 0xff),
    };
    for (const Bytes& each : all) {
        try_module([&](const Module& module) {
            module.set_bytes(module.fde + kInstructionsOffset, each);
        });
        try_module([&](const Module& module) { module.set_bytes(module.cie + 26, each); });
    }
}

// A frame whose caller would be in a page of the main thread's stack that nobody can read.
[[gnu::noinline]] void write_below(const Module& module, unsigned char* hole) {
    const auto here = reinterpret_cast<uint64_t>(__builtin_frame_address(0));
    const uint64_t distance = reinterpret_cast<uint64_t>(hole) + kPageBytes / 2 - here;
    std::vector<unsigned char> rule = {0x0c, 7};
    const std::vector<unsigned char> offset = padded_uleb(distance);
    rule.insert(rule.end(), offset.begin(), offset.end());
    module.set_bytes(module.fde + kInstructionsOffset, rule);
    write_through(module);
}
void stack_hole() {
    unsigned char room[16 * kPageBytes];
    std::memset(room, 1, sizeof(room));
    unsigned char* hole = room + 8 * kPageBytes;
    hole -= reinterpret_cast<uint64_t>(hole) % kPageBytes;
    const auto hide = [&](int protection) {
        require(mprotect(hole, kPageBytes, protection) == 0, "mprotect of the stack");
    };
    for (const bool is_before_fork : {true, false}) {
        wait_for_child(start_child([&] {
            const Module module = load_module();
            if (is_before_fork) hide(PROT_NONE);
            wait_for_child(start_child([&] {
                if (!is_before_fork) {
                    // First as if nothing were wrong.
                    write_below(module, hole);
                    hide(PROT_NONE);
                    for (size_t i = 0; i < kWrites; ++i) module.store(at(kWrites + i));
                    account::add_written(account::Kind::copied, at(kWrites), kWrites, 1);
                } else {
                    write_below(module, hole);
                }
                hide(PROT_READ | PROT_WRITE);
            }));
            hide(PROT_READ | PROT_WRITE);
        }));
    }
}

// Any bytes at all.
void jumble() {
    uint64_t state = 88172645463325252u;
    const auto next = [&] {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        return state;
    };
    for (int round = 0; round < 40; ++round) {
        const uint64_t seed = next();
        const bool is_few = round % 2 == 0;
        try_module([&](const Module& module) {
            state = seed;
            unsigned char* end = module.fde + kInstructionsOffset + kInstructionBytes;
            const auto bytes = static_cast<size_t>(end - module.eh_frame_header);
            module.make_writable(module.eh_frame_header);
            if (is_few) {
                for (int i = 0; i < 4; ++i) {
                    module.eh_frame_header[next() % bytes] = static_cast<unsigned char>(next());
                }
            } else {
                for (size_t i = kTableOffset + 8; i < bytes; ++i) {
                    module.eh_frame_header[i] = static_cast<unsigned char>(next() >> 11);
                }
            }
        });
    }
}

// --- tables that cannot be read

void hide_tables(const Module& module) {
    require(mprotect(module.tables_page, kPageBytes, PROT_NONE) == 0, "mprotect");
}
void unmap_tables(const Module& module) {
    require(munmap(module.tables_page, kPageBytes) == 0, "munmap");
}
void truncate_file(const Module& module) {
    require(ftruncate(module.file, static_cast<off_t>(module.tables_offset)) == 0, "ftruncate");
}
void hidden() {
    const auto nothing = [](const Module&) {};
    for (const auto change : {hide_tables, unmap_tables, truncate_file}) {
        try_module(change);
        try_module(nothing, change);
    }
}

// Rules are remembered until a module goes away.
void forget_rules() {
    void* libc = dlopen("libc.so.6", RTLD_NOW | RTLD_NOLOAD);
    require(libc != nullptr, "libc.so.6");
    dlclose(libc);
}
[[gnu::noinline]] void write_much(const Module& module) {
    for (size_t i = 0; i < kPages; ++i) {
        forget_rules();
        module.store(at(i));
    }
    account::add_written(account::Kind::copied, region, kPages, 1);
}

// Another thread hides and shows the tables all the time.
void hidden_meanwhile() {
    wait_for_child(start_child([&] {
        const Module module = load_module();
        for (int round = 0; round < 4; ++round) {
            wait_for_child(start_child([&] {
                std::atomic<bool> ends{false};
                std::thread other([&] {
                    while (!ends) {
                        mprotect(module.tables_page, kPageBytes, PROT_NONE);
                        mprotect(module.tables_page, kPageBytes, PROT_READ);
                    }
                });
                write_much(module);
                ends = true;
                other.join();
            }));
        }
    }));
}

// Another process truncates the file and writes it anew all the time.
void truncated_meanwhile() {
    wait_for_child(start_child([&] {
        const Module module = load_module();
        const std::vector<unsigned char> content = file_content(CALL_FRAMES_LIBRARY);
        const pid_t other = fork();
        require(other >= 0, "fork");
        if (other == 0) {
            for (;;) {
                truncate_file(module);
                write_content(module.file, content);
            }
        }
        for (int round = 0; round < 4; ++round) {
            wait_for_child(start_child([&] { write_much(module); }));
        }
        require(kill(other, SIGKILL) == 0 && waitpid(other, nullptr, 0) == other, "kill");
    }));
}

// --- symbol tables, which are looked into before a fork

void* table(const Module& module, int64_t tag) {
    for (ElfW(Dyn)* entry = module.dynamic; entry->d_tag != DT_NULL; ++entry) {
        if (entry->d_tag == tag) return reinterpret_cast<void*>(entry->d_un.d_ptr);
    }
    account::fail("no such table");
}

void symbols() {
    // DT_GNU_HASH: buckets, first symbol, words of the filter, its shift, the filter.
    for (const size_t field : {0, 1, 2, 3}) {
        for (const uint32_t value : {0u, 1u, 0x40000000u, 1u << 31, ~0u}) {
            try_module([&](const Module& module) {
                auto* hash = static_cast<uint32_t*>(table(module, DT_GNU_HASH));
                module.set(hash + 4, ~uint64_t{0});  // the filter lets all pass
                module.set(hash + field, value);
            });
        }
    }
    // Buckets and chains behind them: anything, and without an end.
    for (const uint32_t value : {1u, 2u, 0x1000000u, ~0u - 1}) {
        try_module([&](const Module& module) {
            auto* hash = static_cast<uint32_t*>(table(module, DT_GNU_HASH));
            module.set(hash + 4, ~uint64_t{0});
            const size_t bucket = 4 + size_t{hash[2]} * 2;
            for (size_t i = bucket; i < bucket + 64; ++i) module.set(hash + i, value);
        });
    }
    for (const int64_t tag : {DT_GNU_HASH, DT_SYMTAB, DT_STRTAB}) {
        for (const uint64_t address : {uint64_t{8}, uint64_t{1} << 40, ~uint64_t{7}}) {
            try_module([&](const Module& module) {
                for (ElfW(Dyn)* entry = module.dynamic; entry->d_tag != DT_NULL; ++entry) {
                    if (entry->d_tag == tag) module.set(&entry->d_un.d_ptr, address);
                }
            });
        }
    }
    // Without an end.
    try_module([](const Module& module) {
        ElfW(Dyn)* entry = module.dynamic;
        const auto end = (reinterpret_cast<uint64_t>(entry) | (kPageBytes - 1)) + 1;
        module.make_writable(entry);
        while (reinterpret_cast<uint64_t>(entry + 1) <= end) (entry++)->d_tag = DT_DEBUG;
    });
}

// All of it but its code: hidden, or its file truncated.
void symbols_gone() {
    try_module([](const Module& module) {
        require(mprotect(reinterpret_cast<void*>(module.base), kPageBytes, PROT_NONE) == 0,
                "mprotect");
    });
    try_module([](const Module& module) {
        const auto code = reinterpret_cast<uint64_t>(module.store) & ~(kPageBytes - 1);
        // What nothing is read of again, is no code of the program's.
        std::vector<unsigned char> copy(reinterpret_cast<unsigned char*>(code),
                                        reinterpret_cast<unsigned char*>(code) + kPageBytes);
        require(ftruncate(module.file, 0) == 0, "ftruncate");
        void* again = mmap(reinterpret_cast<void*>(code), kPageBytes, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
        require(again != MAP_FAILED, "mmap");
        std::memcpy(again, copy.data(), kPageBytes);
        require(mprotect(again, kPageBytes, PROT_READ | PROT_EXEC) == 0, "mprotect");
    });
}

const Case kCases[] = {
    {"sound", sound},
    {"augmentation", augmentation},
    {"places", places},
    {"header", header},
    {"instructions", instructions},
    {"stack-hole", stack_hole},
    {"jumble", jumble},
    {"hidden", hidden},
    {"hidden-meanwhile", hidden_meanwhile},
    {"truncated-meanwhile", truncated_meanwhile},
    {"symbols", symbols},
    {"symbols-gone", symbols_gone},
};

}  // namespace

int main(int argc, char** argv) {
    return run_named(kCases, argc, argv);
}
