// A walk that is remembered comes to what a walk anew comes to, whatever has changed in between.
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include <cstring>
#include <memory>
#include <vector>

#include "tests/catch.h"
#include "tests/unit/shim/interrupted_stack.h"
#include "unwind/last_walk.h"

using namespace cowscope;

namespace {

constexpr uint32_t kLimit = 256;
using LastWalk = unwind::LastWalk<kLimit>;

struct Frames {
    std::vector<uint64_t> ips;
    bool complete;
    bool operator==(const Frames&) const = default;
};

Frames walk_anew(unwind::Walker* walker, const cpu::Registers& registers,
                 const unwind::StackRange& stack, uint32_t limit = kLimit) {
    uint64_t ips[kLimit];
    bool complete = false;
    const uint32_t depth = walker->walk(registers, stack, ips, limit, &complete);
    return {{ips, ips + depth}, complete};
}

Frames walk_again(LastWalk* last, unwind::Walker* walker, const cpu::Registers& registers,
                  const unwind::StackRange& stack, uint32_t limit = kLimit) {
    last->walk(walker, registers, stack, limit);
    CHECK(last->key() == hash_words(last->ips(), last->depth()));
    return {{last->ips(), last->ips() + last->depth()}, last->is_complete()};
}

// The words above a frame that was interrupted, where nothing but a test changes them.
struct Copy {
    uint64_t ip = 0;
    uint64_t bp_offset = 0;  // from the stack pointer
    std::vector<uint64_t> words;

    cpu::Registers registers() const { return {ip, start(), start() + bp_offset}; }
    uint64_t start() const { return reinterpret_cast<uint64_t>(words.data()); }
    unwind::StackRange range() const { return {start(), start() + words.size() * 8, true}; }
};

Copy* copy_to = nullptr;

void copy_stack(int, siginfo_t*, void* raw) {
    const auto* registers = static_cast<ucontext_t*>(raw)->uc_mcontext.gregs;
    copy_to->ip = static_cast<uint64_t>(registers[REG_RIP]);
    const auto* sp = reinterpret_cast<const uint64_t*>(registers[REG_RSP]);
    copy_to->bp_offset = static_cast<uint64_t>(registers[REG_RBP] - registers[REG_RSP]);
    copy_to->words.assign(sp, sp + 200);
}

// A frame of unknown size, which rbp is the base of, where the signal comes.
__attribute__((noinline)) int interrupted_with_alloca(unsigned bytes) {
    auto* room = static_cast<volatile char*>(__builtin_alloca(bytes));
    room[0] = 1;
    long result = SYS_tgkill;
    const long pid = getpid();
    const long tid = syscall(SYS_gettid);
    asm volatile("syscall"
                 : "+a"(result)
                 : "D"(pid), "S"(tid), "d"(long{SIGUSR1})
                 : "rcx", "r11", "memory");
    return room[0];
}

template <typename Interrupt>
Copy stack_in(const Interrupt& interrupt) {
    Copy copy;
    copy_to = &copy;
    const test::SignalTaker taker(copy_stack);
    interrupt();
    return copy;
}

Copy stack_of_depth(int depth) {
    return stack_in([&] { test::recurse(depth); });
}

}  // namespace

TEST_CASE("a remembered walk sees every word of the stack that matters") {
    auto walker = std::make_unique<unwind::Walker>();
    auto last = std::make_unique<LastWalk>();
    Copy copy = stack_of_depth(6);
    const Frames whole = walk_anew(walker.get(), copy.registers(), copy.range());
    REQUIRE(whole.ips.size() > 6);
    int changed_results = 0;
    for (uint64_t& word : copy.words) {
        const uint64_t before = word;
        for (const uint64_t value : {before, uint64_t{0}, before + 8, whole.ips[1], before}) {
            word = value;
            const Frames anew = walk_anew(walker.get(), copy.registers(), copy.range());
            CHECK(walk_again(last.get(), walker.get(), copy.registers(), copy.range()) == anew);
            if (anew != whole) ++changed_results;
        }
    }
    CHECK(changed_results > 6);
}

TEST_CASE("a remembered walk is of one place, one end and one limit") {
    auto walker = std::make_unique<unwind::Walker>();
    auto last = std::make_unique<LastWalk>();
    const Copy copies[] = {stack_of_depth(3), stack_of_depth(5),
                           stack_in([] { interrupted_with_alloca(200); })};
    for (int round = 0; round < 3; ++round) {
        for (const Copy& copy : copies) {
            for (const uint32_t limit : {kLimit, 2u, 3u, kLimit}) {
                for (const uint64_t cut : {uint64_t{0}, uint64_t{64}, uint64_t{1400}}) {
                    unwind::StackRange range = copy.range();
                    range.end -= cut;
                    const Frames anew = walk_anew(walker.get(), copy.registers(), range, limit);
                    CHECK(walk_again(last.get(), walker.get(), copy.registers(), range, limit) ==
                          anew);
                    cpu::Registers moved = copy.registers();
                    moved.sp += 8;
                    CHECK(walk_again(last.get(), walker.get(), moved, range, limit) ==
                          walk_anew(walker.get(), moved, range, limit));
                    for (const uint64_t fp : {uint64_t{0}, copy.start() + 40, copy.start() + 96}) {
                        cpu::Registers other = copy.registers();
                        other.fp = fp;
                        CHECK(walk_again(last.get(), walker.get(), other, range, limit) ==
                              walk_anew(walker.get(), other, range, limit));
                    }
                }
            }
        }
    }
}

TEST_CASE("a remembered walk asks for rbp where the stack hangs on it alone") {
    auto walker = std::make_unique<unwind::Walker>();
    for (const bool hangs_on_it : {false, true}) {
        const Copy copy =
            hangs_on_it ? stack_in([] { interrupted_with_alloca(300); }) : stack_of_depth(4);
        const Frames whole = walk_anew(walker.get(), copy.registers(), copy.range());
        REQUIRE(whole.ips.size() > 1);
        uint64_t ips[kLimit];
        bool complete = false;
        unwind::StackWords words;
        words.begin();
        walker->walk(copy.registers(), copy.range(), ips, kLimit, &complete, &words);
        CHECK(words.needs_fp() == hangs_on_it);
        CHECK(words.are_unchanged(copy.range()));
    }
}

TEST_CASE("nothing is remembered of a stack that could not be read") {
    auto walker = std::make_unique<unwind::Walker>();
    auto last = std::make_unique<LastWalk>();
    const Copy copy = stack_of_depth(4);
    const Frames whole = walk_again(last.get(), walker.get(), copy.registers(), copy.range());
    last->set_innermost(copy.ip);
    CHECK(last->depth() == 1);
    CHECK(last->ips()[0] == copy.ip);
    CHECK_FALSE(last->is_complete());
    CHECK(walk_again(last.get(), walker.get(), copy.registers(), copy.range()) == whole);
}

TEST_CASE("a page of a remembered stack that has gone is no fault") {
    constexpr size_t kPage = 4096;
    auto walker = std::make_unique<unwind::Walker>();
    auto last = std::make_unique<LastWalk>();
    const Copy copy = stack_of_depth(6);
    // The innermost words at the end of one page, the others on the next.
    void* room =
        mmap(nullptr, 2 * kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    REQUIRE(room != MAP_FAILED);
    const auto middle = reinterpret_cast<uint64_t>(room) + kPage;
    const uint64_t start = middle - 128;
    std::memcpy(reinterpret_cast<void*>(start), copy.words.data(), copy.words.size() * 8);
    const cpu::Registers registers = {copy.ip, start, start};
    const unwind::StackRange range = {start, middle + kPage, false};
    const Frames whole = walk_again(last.get(), walker.get(), registers, range);
    CHECK(whole.ips.size() > 3);
    CHECK(walk_again(last.get(), walker.get(), registers, range) == whole);
    REQUIRE(munmap(reinterpret_cast<void*>(middle), kPage) == 0);
    const Frames cut = walk_again(last.get(), walker.get(), registers, range);
    CHECK(cut.ips.size() < whole.ips.size());
    CHECK(cut == walk_anew(walker.get(), registers, range));
    REQUIRE(munmap(room, kPage) == 0);
}

TEST_CASE("rules that are forgotten are not remembered by a walk") {
    auto walker = std::make_unique<unwind::Walker>();
    auto last = std::make_unique<LastWalk>();
    const Copy copy = stack_of_depth(2);
    const Frames whole = walk_again(last.get(), walker.get(), copy.registers(), copy.range());
    const uint32_t version = walker->rules_version();
    walker->forget_rules();
    CHECK(walker->rules_version() != version);
    CHECK(walk_again(last.get(), walker.get(), copy.registers(), copy.range()) == whole);
}
