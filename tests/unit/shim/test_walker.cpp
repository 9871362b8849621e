// The shim's stack walker, held against libunwind: both start from the registers that one signal
// handler got, and must name the same return addresses.
#define UNW_LOCAL_ONLY
#include <dlfcn.h>
#include <libunwind.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "tests/catch.h"
#include "tests/unit/shim/interrupted_stack.h"
#include "unwind/walker.h"

using namespace cowscope;
using test::recurse;

namespace {

constexpr uint32_t kLimit = 256;

struct Walk {
    std::vector<uint64_t> ips;
    bool complete = false;
};

// One walk by each, in the handler, so that the stack is the same.
struct Comparison {
    Walk ours;
    std::vector<uint64_t> reference;
    int walks = 0;
};

Comparison* current = nullptr;
unwind::Walker* walker = nullptr;

uint64_t end_of_mapping(uint64_t address) {
    std::ifstream maps("/proc/self/maps");
    for (std::string line; std::getline(maps, line);) {
        unsigned long start = 0;
        unsigned long end = 0;
        if (std::sscanf(line.c_str(), "%lx-%lx", &start, &end) == 2 && address >= start &&
            address < end) {
            return end;
        }
    }
    return 0;
}

std::vector<uint64_t> walk_with_libunwind(ucontext_t* context) {
    std::vector<uint64_t> ips;
    unw_cursor_t cursor;
    unw_init_local2(&cursor, context, UNW_INIT_SIGNAL_FRAME);
    do {
        unw_word_t ip = 0;
        unw_get_reg(&cursor, UNW_REG_IP, &ip);
        if (ip == 0) break;
        ips.push_back(ip);
    } while (ips.size() < kLimit && unw_step(&cursor) > 0);
    return ips;
}

void on_signal(int, siginfo_t*, void* raw) {
    auto* context = static_cast<ucontext_t*>(raw);
    const auto* registers = context->uc_mcontext.gregs;
    const auto sp = static_cast<uint64_t>(registers[REG_RSP]);
    const unwind::StackRange stack{sp, end_of_mapping(sp)};
    uint64_t ips[kLimit];
    bool complete = false;
    const uint32_t depth = walker->walk(
        {static_cast<uint64_t>(registers[REG_RIP]), sp, static_cast<uint64_t>(registers[REG_RBP])},
        stack, ips, kLimit, &complete);
    current->ours = {{ips, ips + depth}, complete};
    current->reference = walk_with_libunwind(context);
    ++current->walks;
}

class Fixture {
  public:
    Fixture() {
        walker = &walker_;
        current = &comparison_;
    }

    unwind::Walker walker_;
    Comparison comparison_;
    test::SignalTaker taker_{on_signal};
};

void check_agreement(const Comparison& comparison) {
    REQUIRE(comparison.walks > 0);
    CHECK(comparison.ours.ips.size() >= 4);
    CHECK(comparison.ours.ips == comparison.reference);
}

// A frame of unknown size keeps rbp as its base.
__attribute__((noinline)) int with_alloca(unsigned bytes) {
    auto* room = static_cast<volatile char*>(__builtin_alloca(bytes));
    room[0] = 1;
    return recurse(3) + room[0];
}

// Realigning makes the compiler describe the frame by an expression.
__attribute__((noinline)) int realigned() {
    alignas(64) volatile char block[256];
    block[1] = static_cast<char>(recurse(2));
    return block[1];
}

int compare_and_signal(const void* a, const void* b) {
    if (current->walks == 0) raise(SIGUSR1);
    return std::memcmp(a, b, 1);
}

}  // namespace

TEST_CASE("the walker agrees with libunwind through plain frames") {
    Fixture fixture;
    recurse(20);
    check_agreement(fixture.comparison_);
    CHECK(fixture.comparison_.ours.complete);
}

TEST_CASE("the walker agrees with libunwind through frames of variable size") {
    Fixture fixture;
    with_alloca(1000);
    check_agreement(fixture.comparison_);
}

TEST_CASE("the walker agrees with libunwind through realigned frames") {
    Fixture fixture;
    realigned();
    check_agreement(fixture.comparison_);
}

TEST_CASE("the walker agrees with libunwind through libc and back") {
    Fixture fixture;
    char letters[] = "hgfedcba";
    qsort(letters, 8, 1, compare_and_signal);
    check_agreement(fixture.comparison_);
}

TEST_CASE("the walker agrees with libunwind in a thread, to its first frame") {
    Fixture fixture;
    std::thread([] { recurse(5); }).join();
    check_agreement(fixture.comparison_);
    CHECK(fixture.comparison_.ours.complete);
}

TEST_CASE("the walker goes through a signal frame") {
    Fixture fixture;
    struct sigaction action {};
    action.sa_handler = [](int) { recurse(2); };
    struct sigaction old {};
    sigaction(SIGUSR2, &action, &old);
    raise(SIGUSR2);
    sigaction(SIGUSR2, &old, nullptr);
    check_agreement(fixture.comparison_);
    CHECK(fixture.comparison_.ours.complete);
}

TEST_CASE("the limit of frames is kept") {
    Fixture fixture;
    uint64_t ips[4];
    bool complete = true;
    const auto sp = reinterpret_cast<uint64_t>(__builtin_frame_address(0));
    const uint32_t depth = fixture.walker_.walk({reinterpret_cast<uint64_t>(&recurse), sp, sp},
                                                {sp, end_of_mapping(sp)}, ips, 1, &complete);
    CHECK(depth == 1);
    CHECK_FALSE(complete);
}

TEST_CASE("registers that point nowhere end the walk and fault nothing") {
    Fixture fixture;
    uint64_t ips[kLimit];
    bool complete = true;
    const uint64_t wild[] = {0, 8, 0x10, 0xdeadbeef000, ~uint64_t{0} - 7, uint64_t{1} << 63};
    for (const uint64_t ip : {reinterpret_cast<uint64_t>(&recurse), uint64_t{0x1234}}) {
        for (const uint64_t sp : wild) {
            for (const uint64_t bp : wild) {
                const uint32_t depth = fixture.walker_.walk({ip, sp, bp}, {sp & ~uint64_t{7}, sp},
                                                            ips, kLimit, &complete);
                CHECK(depth >= 1);
                CHECK_FALSE(complete);
            }
        }
    }
}

TEST_CASE("rules are found for every function of libc's that dladdr names") {
    // Truth: an independent reader of the same tables, libunwind, finds procedure information.
    Fixture fixture;
    Dl_info info;
    REQUIRE(dladdr(reinterpret_cast<void*>(&qsort), &info) != 0);
    int compared = 0;
    int differing = 0;
    unw_context_t context;
    unw_getcontext(&context);
    for (uint64_t offset = 0; offset < 0x100000; offset += 937) {
        const uint64_t ip = reinterpret_cast<uint64_t>(&qsort) + offset;
        unw_proc_info_t procedure;
        const int found = unw_get_proc_info_by_ip(unw_local_addr_space, ip, &procedure, nullptr);
        const unwind::Rule rule = unwind::find_rule(ip);
        const bool ours = rule.cfa != unwind::CfaKind::none;
        if (found == 0) {
            ++compared;
            if (!ours) ++differing;
        }
    }
    CHECK(compared > 500);
    // Code that keeps its frame in a register other than rsp and rbp is rare and known to be left
    // out.
    CHECK(differing * 100 <= compared);
}
