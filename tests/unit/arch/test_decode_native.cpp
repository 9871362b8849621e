// The decoder against the processor: random stores are predicted and then run, and every opcode is
// run against a page that cannot be written, to see which of them write.
#include <cstdio>
#include <random>
#include <span>
#include <string_view>
#include <vector>

#include "decode/instruction.h"
#include "tests/catch.h"
#include "tests/unit/arch/machine_code.h"
#include "tests/unit/arch/native_cpu.h"
#include "tests/unit/arch/stores.h"

using namespace cowscope::decode;
using cowscope::test::Encoding;
using cowscope::test::encodings;
using cowscope::test::Immediate;
using cowscope::test::NativeCpu;
using cowscope::test::operand_address;
using cowscope::test::Outcome;

namespace {

std::string hex_of(const std::vector<uint8_t>& bytes) {
    std::string text;
    for (const uint8_t byte : bytes) {
        char digits[4];
        std::snprintf(digits, sizeof digits, "%02x ", byte);
        text += digits;
    }
    return text;
}

struct Case {
    std::vector<uint8_t> bytes;
    Registers registers;
    uint64_t target = 0;  // address of the operand
};

class Generator {
  public:
    explicit Generator(const NativeCpu& cpu) : cpu_(cpu) {}

    uint64_t below(uint64_t limit) { return random_() % limit; }
    bool coin() { return below(2) == 0; }
    void append(std::vector<uint8_t>& bytes, uint64_t value, size_t size) {
        for (size_t i = 0; i < size; ++i) bytes.push_back(static_cast<uint8_t>(value >> (8 * i)));
    }

    void fill_memory() {
        for (size_t i = 0; i < NativeCpu::kPageBytes; ++i) {
            cpu_.data()[i] = static_cast<uint8_t>(random_());
        }
    }
    Registers registers() {
        Registers registers;
        for (uint64_t& value : registers.general) value = random_();
        return registers;
    }
    // Far enough from the page's ends for every operand; aligned for those that lock.
    uint64_t target(bool aligned) {
        const uint64_t offset = 64 + below(NativeCpu::kPageBytes - 128);
        return cpu_.data_address() + (aligned ? offset & ~uint64_t{7} : offset);
    }

    Case memory_store(const Encoding& encoding) {
        Case result;
        const bool lock = encoding.can_lock && coin();
        result.registers = registers();
        result.target = target(encoding.can_lock);
        constexpr uint64_t word = 0, dword = 1, qword = 2;
        const uint64_t size = encoding.is_byte ? dword : below(3);
        const auto base = static_cast<uint8_t>(below(16));
        auto index = static_cast<uint8_t>(below(16));
        // 4 in SIB.index without REX.X means none.
        const bool has_index = index != 4 && index != base;
        if (!has_index) index = 4;
        const auto scale_log2 = static_cast<uint8_t>(below(4));
        const auto reg = static_cast<uint8_t>(
            encoding.extension >= 0 ? static_cast<uint64_t>(encoding.extension) : below(16));
        const bool rip_relative = below(8) == 0;

        std::vector<uint8_t>& bytes = result.bytes;
        if (size == word) bytes.push_back(0x66);
        if (lock) bytes.push_back(0xf0);
        auto rex = static_cast<uint8_t>((size == qword ? 8 : 0) | (reg >> 3 & 1) << 2);
        if (!rip_relative) rex = static_cast<uint8_t>(rex | (index >> 3) << 1 | base >> 3);
        if (rex != 0 || coin()) bytes.push_back(static_cast<uint8_t>(0x40 | rex));
        bytes.insert(bytes.end(), encoding.opcode.begin(), encoding.opcode.end());

        size_t immediate_bytes = 0;
        if (encoding.immediate == Immediate::byte) immediate_bytes = 1;
        if (encoding.immediate == Immediate::full) immediate_bytes = size == word ? 2 : 4;
        if (rip_relative) {
            bytes.push_back(static_cast<uint8_t>((reg & 7) << 3 | 5));
            const uint64_t end = cpu_.instruction_address() + bytes.size() + 4 + immediate_bytes;
            append(bytes, result.target - end, 4);
        } else {
            const bool wide = coin();
            const auto displacement = static_cast<int64_t>(wide ? static_cast<int32_t>(random_())
                                                                : static_cast<int8_t>(random_()));
            bytes.push_back(static_cast<uint8_t>((wide ? 0x80 : 0x40) | (reg & 7) << 3 | 4));
            bytes.push_back(static_cast<uint8_t>(scale_log2 << 6 | (index & 7) << 3 | (base & 7)));
            append(bytes, static_cast<uint64_t>(displacement), wide ? 4 : 1);
            uint64_t rest = result.target - static_cast<uint64_t>(displacement);
            if (has_index) rest -= result.registers.general[index] << scale_log2;
            result.registers.general[base] = rest;
        }
        append(bytes, random_(), immediate_bytes);
        return result;
    }

    // Random compares would hardly ever be equal.
    void meet_comparison(Case& store) {
        uint64_t old_value = 0;
        std::memcpy(&old_value, cpu_.data() + (store.target - cpu_.data_address()), 8);
        // Where rax is part of the address, it must stay.
        Registers changed = store.registers;
        changed.general[0] = old_value;
        const auto instruction = Decoder().decode(store.bytes, cpu_.instruction_address());
        if (operand_address(*instruction, changed) == store.target) store.registers = changed;
    }

  private:
    const NativeCpu& cpu_;
    std::mt19937_64 random_{20240607};
};

int64_t as_signed(uint64_t value, unsigned bytes) {
    switch (bytes) {
        case 1:
            return static_cast<int8_t>(value);
        case 2:
            return static_cast<int16_t>(value);
        case 4:
            return static_cast<int32_t>(value);
        default:
            return static_cast<int64_t>(value);
    }
}

uint64_t load(const uint8_t* from, unsigned bytes) {
    uint64_t value = 0;
    std::memcpy(&value, from, bytes);
    return value;
}

// False where this processor lacks the instruction.
bool check_against_cpu(const NativeCpu& cpu, Decoder& decoder, const Case& store) {
    INFO(hex_of(store.bytes));
    const auto instruction = decoder.decode(store.bytes, cpu.instruction_address());
    REQUIRE(instruction);
    INFO(instruction->text);
    REQUIRE(instruction->writes());
    REQUIRE(instruction->length_bytes == store.bytes.size());
    REQUIRE(operand_address(*instruction, store.registers) == store.target);

    const size_t offset = store.target - cpu.data_address();
    const std::vector<uint8_t> before(cpu.data(), cpu.data() + NativeCpu::kPageBytes);
    const uint64_t old_word = load(before.data() + offset, 8);
    const auto value = value_to_store(*instruction, &store.registers, old_word);
    const auto change = change_of(*instruction, &store.registers, old_word);
    REQUIRE(value);
    REQUIRE(change);

    const Outcome outcome = cpu.run(store.registers, store.bytes);
    if (outcome.signal == SIGILL) return false;
    REQUIRE(outcome.signal == SIGTRAP);
    const unsigned width = instruction->width_bytes;
    const uint64_t stored = load(cpu.data() + offset, width);
    REQUIRE(*value == stored);
    const uint64_t old_value = load(before.data() + offset, width);
    REQUIRE(*change == as_signed(stored - old_value, width));
    std::vector<uint8_t> expected = before;
    std::memcpy(expected.data() + offset, &stored, width);
    REQUIRE(std::memcmp(expected.data(), cpu.data(), expected.size()) == 0);
    return true;
}

}  // namespace

TEST_CASE("predicted stores are what the processor stores", "[decode][native]") {
    const NativeCpu cpu;
    Decoder decoder;
    Generator generator(cpu);
    constexpr int kRoundsEach = 200;
    size_t checked = 0;
    const std::vector<Encoding> table = encodings();
    for (const Encoding& encoding : table) {
        for (int round = 0; round < kRoundsEach; ++round) {
            if (round % 16 == 0) generator.fill_memory();
            Case store = generator.memory_store(encoding);
            const bool compares = encoding.opcode.size() == 2 &&
                                  (encoding.opcode[1] == 0xb0 || encoding.opcode[1] == 0xb1);
            if (compares && generator.coin()) generator.meet_comparison(store);
            if (check_against_cpu(cpu, decoder, store)) ++checked;
        }
    }
    // Of these only movbe is missing on some processors.
    CHECK(checked >= (table.size() - 1) * kRoundsEach);
}

TEST_CASE("predicted pushes and string stores are what the processor stores", "[decode][native]") {
    const NativeCpu cpu;
    Decoder decoder;
    Generator generator(cpu);
    for (int round = 0; round < 500; ++round) {
        if (round % 16 == 0) generator.fill_memory();
        Case push;
        push.registers = generator.registers();
        push.target = generator.target(false);
        push.registers.general[4] = push.target + 8;
        const auto index = static_cast<uint8_t>(generator.below(16));
        if (index >= 8) push.bytes.push_back(0x41);
        push.bytes.push_back(static_cast<uint8_t>(0x50 | (index & 7)));
        check_against_cpu(cpu, decoder, push);

        push.bytes = {0x6a};
        generator.append(push.bytes, generator.below(256), 1);
        check_against_cpu(cpu, decoder, push);
        push.bytes = {0x68};
        generator.append(push.bytes, generator.below(uint64_t{1} << 32), 4);
        check_against_cpu(cpu, decoder, push);
        // To the breakpoint behind it.
        push.bytes = {0xe8, 0, 0, 0, 0};
        check_against_cpu(cpu, decoder, push);

        Case string_store;
        string_store.registers = generator.registers();
        string_store.target = generator.target(false);
        string_store.registers.general[7] = string_store.target;
        string_store.registers.general[1] = 1;
        const std::vector<uint8_t> stores[] = {
            {0xaa},       {0xab},       {0x66, 0xab},       {0x48, 0xab},
            {0xf3, 0xaa}, {0xf3, 0xab}, {0xf3, 0x48, 0xab},
        };
        for (const auto& bytes : stores) {
            string_store.bytes = bytes;
            check_against_cpu(cpu, decoder, string_store);
        }
    }
}

namespace {

// Every opcode of the legacy, VEX and EVEX maps whose operands this can place: the bytes before
// ModRM.
std::vector<std::vector<uint8_t>> opcode_maps() {
    std::vector<std::vector<uint8_t>> heads;
    const std::vector<uint8_t> prefixes[] = {{}, {0x66}, {0xf2}, {0xf3}, {0x48}, {0xf0}};
    for (unsigned opcode = 0; opcode < 256; ++opcode) {
        const auto byte = static_cast<uint8_t>(opcode);
        for (std::vector<uint8_t> head : prefixes) {
            head.push_back(byte);
            heads.push_back(head);
            head.back() = 0x0f;
            head.push_back(byte);
            heads.push_back(head);
        }
        for (unsigned prefix = 0; prefix < 4; ++prefix) {
            // No vvvv operand; VEX.L 0 and 1, EVEX.L'L for 512 bits; W 0 and 1.
            for (const unsigned wide : {0x00u, 0x80u}) {
                const auto low = static_cast<uint8_t>(wide | 0x78 | prefix);
                heads.push_back({0xc4, 0xe1, low, byte});
                heads.push_back({0xc4, 0xe1, static_cast<uint8_t>(low | 4), byte});
                heads.push_back({0x62, 0xf1, static_cast<uint8_t>(low | 4), 0x48, byte});
            }
        }
    }
    return heads;
}

// What must not run (it would load a segment register), or cannot be compared.
bool is_left_out(const Instruction& instruction, const std::vector<uint8_t>& bytes) {
    const std::string& text = instruction.text;
    for (const char* start : {"lfs", "lgs", "lss", "mov fs", "mov gs", "mov ss", "mov ds", "mov es",
                              "mov cs", "bt", "lock bt"}) {
        if (text.starts_with(start)) return true;
    }
    // Capstone 4 takes F3 REX.W 0F 7E, a load, for the store that 66 REX.W 0F 7E is; no compiler
    // emits it.
    return text.find("[rdi]") == text.npos || text.find("[rdi], qword ptr [rsi]") != text.npos ||
           (bytes[0] == 0xf3 && bytes[1] == 0x48);
}

// xchg needs no prefix for it.
bool is_locked(const Instruction& instruction) {
    return instruction.text.starts_with("lock ") || instruction.text.starts_with("xchg ");
}

}  // namespace

TEST_CASE("instructions write where the processor says they do", "[decode][native]") {
    const NativeCpu cpu;
    Decoder decoder;
    Registers registers;
    registers.general.fill(1);
    const auto run = [&](int protection, uint64_t offset, const std::vector<uint8_t>& bytes) {
        for (const int index : {4, 6, 7}) {  // rsp, rsi, rdi
            registers.general[static_cast<size_t>(index)] = cpu.data_address() + offset;
        }
        cpu.protect(PROT_READ | PROT_WRITE);
        // Whatever takes a code address from memory goes to a breakpoint.
        const uint64_t breakpoint = cpu.breakpoint_address();
        for (size_t i = 0; i < NativeCpu::kPageBytes; i += 8) {
            std::memcpy(cpu.data() + i, &breakpoint, 8);
        }
        cpu.protect(protection);
        return cpu.run(registers, bytes);
    };
    size_t readers = 0;
    size_t writers = 0;
    for (const auto& head : opcode_maps()) {
        // In the legacy maps ModRM.reg can choose the operation; in the others it is a register.
        const bool is_vector = head.size() > 3;
        for (unsigned reg = 0; reg < (is_vector ? 1 : 8); ++reg) {
            std::vector<uint8_t> bytes = head;
            bytes.push_back(static_cast<uint8_t>(reg << 3 | 7));  // [rdi]
            bytes.insert(bytes.end(), 4, 0);
            const auto instruction = decoder.decode(bytes, cpu.instruction_address());
            if (!instruction || is_left_out(*instruction, bytes)) continue;
            bytes.resize(instruction->length_bytes);
            constexpr uint64_t kMiddle = NativeCpu::kPageBytes / 2;
            const Outcome hidden = run(PROT_NONE, kMiddle, bytes);
            const Outcome read_only = run(PROT_READ, kMiddle, bytes);
            constexpr uint64_t kGeneralProtection = 13;  // privileged, misaligned or bad contents
            const bool unusable = hidden.signal == SIGILL || hidden.trap == kGeneralProtection;
            if (unusable) continue;
            INFO(hex_of(bytes) << instruction->text);
            CHECK(instruction->writes() == read_only.is_write_fault());
            CHECK((instruction->access != Access::none) == hidden.is_page_fault());
            (instruction->writes() ? writers : readers) += 1;
            const bool is_measured = instruction->writes() && instruction->width_bytes > 0 &&
                                     instruction->write != WriteKind::push_or_call;
            if (!is_measured) continue;
            // An operand that ends with the page does not reach the next one; a byte later it does.
            const uint64_t last = NativeCpu::kPageBytes - instruction->width_bytes;
            CHECK_FALSE(run(PROT_READ | PROT_WRITE, last, bytes).is_page_fault());
            // Machines are held up for up to a minute where a locked operand is in two cache lines.
            // Without its prefix the same instruction is measured; predicted stores measure xchg.
            if (is_locked(*instruction)) {
                if (bytes[0] != 0xf0) continue;
                const auto same =
                    decoder.decode(std::span(bytes).subspan(1), cpu.instruction_address());
                REQUIRE(same);
                CHECK(same->width_bytes == instruction->width_bytes);
                continue;
            }
            const Outcome beyond = run(PROT_READ | PROT_WRITE, last + 1, bytes);
            // Operands that must be aligned fault otherwise.
            CHECK((beyond.is_page_fault() || beyond.trap == kGeneralProtection));
        }
    }
    CHECK(readers > 500);
    CHECK(writers > 500);
}
