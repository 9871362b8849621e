// Hand-assembled instructions with what they do. The CPU's own word is in test_decode_native.cpp.
#include <string_view>
#include <vector>

#include "decode/instruction.h"
#include "tests/catch.h"
#include "tests/unit/arch/machine_code.h"

using namespace cowscope::decode;
using cowscope::test::bytes_of;

namespace {

constexpr uint64_t kAddress = 0x401000;

std::optional<Instruction> decode(std::string_view hex) {
    return Decoder().decode(bytes_of(hex), kAddress);
}

struct Form {
    std::string_view hex;
    std::string_view text;
    WriteKind write;
    Access access;
    unsigned width_bytes;
};

void check(const Form& form) {
    CAPTURE(form.hex, form.text);
    const auto instruction = decode(form.hex);
    REQUIRE(instruction);
    CHECK(instruction->text == form.text);
    CHECK(instruction->length_bytes == bytes_of(form.hex).size());
    CHECK(instruction->write == form.write);
    CHECK(instruction->access == form.access);
    CHECK(instruction->width_bytes == form.width_bytes);
}

constexpr Access kRead = Access::read;
constexpr Access kWrite = Access::write;
constexpr Access kBoth = Access::read_write;

Registers counted_registers() {
    Registers registers;
    for (size_t i = 0; i < registers.general.size(); ++i) {
        registers.general[i] = 0x1111111111111111 * i + 0x8070605040302010;
    }
    return registers;
}

}  // namespace

TEST_CASE("instructions that change a count in memory", "[decode]") {
    using enum WriteKind;
    const Form forms[] = {
        {"48 83 00 01", "add qword ptr [rax], 1", add_constant, kBoth, 8},
        {"48 83 00 ff", "add qword ptr [rax], -1", add_constant, kBoth, 8},
        {"48 83 28 01", "sub qword ptr [rax], 1", add_constant, kBoth, 8},
        {"48 81 07 ff ff ff ff", "add qword ptr [rdi], -1", add_constant, kBoth, 8},
        {"83 45 00 01", "add dword ptr [rbp], 1", add_constant, kBoth, 4},
        {"f0 83 07 ff", "lock add dword ptr [rdi], -1", add_constant, kBoth, 4},
        {"f0 81 07 ff ff ff ff", "lock add dword ptr [rdi], 0xffffffff", add_constant, kBoth, 4},
        {"f0 48 83 2f 01", "lock sub qword ptr [rdi], 1", add_constant, kBoth, 8},
        {"48 ff 00", "inc qword ptr [rax]", add_constant, kBoth, 8},
        {"ff 0f", "dec dword ptr [rdi]", add_constant, kBoth, 4},
        {"f0 ff 07", "lock inc dword ptr [rdi]", add_constant, kBoth, 4},
        {"f0 ff 0f", "lock dec dword ptr [rdi]", add_constant, kBoth, 4},
        {"66 83 00 01", "add word ptr [rax], 1", add_constant, kBoth, 2},
        {"80 00 ff", "add byte ptr [rax], 0xff", add_constant, kBoth, 1},
        {"48 83 05 10 00 00 00 01", "add qword ptr [rip + 0x10], 1", add_constant, kBoth, 8},
        {"64 48 83 04 25 28 00 00 00 01", "add qword ptr fs:[0x28], 1", add_constant, kBoth, 8},
        {"f0 0f c1 07", "lock xadd dword ptr [rdi], eax", add_register, kBoth, 4},
        {"48 0f c1 07", "xadd qword ptr [rdi], rax", add_register, kBoth, 8},
        {"48 01 0c d0", "add qword ptr [rax + rdx*8], rcx", add_register, kBoth, 8},
        {"29 37", "sub dword ptr [rdi], esi", add_register, kBoth, 4},
    };
    for (const Form& form : forms) check(form);
}

TEST_CASE("instructions that store a value", "[decode]") {
    using enum WriteKind;
    const Form forms[] = {
        {"89 45 00", "mov dword ptr [rbp], eax", store_register, kWrite, 4},
        {"48 89 07", "mov qword ptr [rdi], rax", store_register, kWrite, 8},
        {"88 27", "mov byte ptr [rdi], ah", store_register, kWrite, 1},
        {"40 88 27", "mov byte ptr [rdi], spl", store_register, kWrite, 1},
        {"66 44 89 07", "mov word ptr [rdi], r8w", store_register, kWrite, 2},
        {"0f c3 07", "movnti dword ptr [rdi], eax", store_register, kWrite, 4},
        {"48 0f 38 f1 07", "movbe qword ptr [rdi], rax", store_register, kWrite, 8},
        {"8c 1f", "mov word ptr [rdi], ds", store_register, kWrite, 2},
        {"48 c7 00 01 00 00 00", "mov qword ptr [rax], 1", store_immediate, kWrite, 8},
        {"48 c7 00 ff ff ff ff", "mov qword ptr [rax], -1", store_immediate, kWrite, 8},
        {"c7 00 01 00 00 00", "mov dword ptr [rax], 1", store_immediate, kWrite, 4},
        {"c6 00 80", "mov byte ptr [rax], 0x80", store_immediate, kWrite, 1},
        {"48 87 0f", "xchg qword ptr [rdi], rcx", exchange, kBoth, 8},
        {"f0 48 0f b1 0f", "lock cmpxchg qword ptr [rdi], rcx", exchange, kBoth, 8},
        {"f0 0f c7 0f", "lock cmpxchg8b qword ptr [rdi]", exchange, kBoth, 8},
        {"f0 48 0f c7 0f", "lock cmpxchg16b xmmword ptr [rdi]", exchange, kBoth, 16},
        {"55", "push rbp", push_or_call, kWrite, 8},
        {"66 50", "push ax", push_or_call, kWrite, 2},
        {"6a ff", "push -1", push_or_call, kWrite, 8},
        {"ff 30", "push qword ptr [rax]", push_or_call, kWrite, 8},
        {"9c", "pushfq", push_or_call, kWrite, 8},
        {"e8 0b 00 00 00", "call 0x401010", push_or_call, kWrite, 8},
        {"ff 50 30", "call qword ptr [rax + 0x30]", push_or_call, kWrite, 8},
        {"c8 10 00 00", "enter 0x10, 0", push_or_call, kWrite, 8},
        {"48 83 20 0f", "and qword ptr [rax], 0xf", other, kBoth, 8},
        {"f0 83 0c 24 00", "lock or dword ptr [rsp], 0", other, kBoth, 4},
        {"31 07", "xor dword ptr [rdi], eax", other, kBoth, 4},
        {"f7 17", "not dword ptr [rdi]", other, kBoth, 4},
        {"48 f7 1f", "neg qword ptr [rdi]", other, kBoth, 8},
        {"c1 27 03", "shl dword ptr [rdi], 3", other, kBoth, 4},
        {"83 17 00", "adc dword ptr [rdi], 0", other, kBoth, 4},
        {"0f 94 07", "sete byte ptr [rdi]", other, kWrite, 1},
        {"8f 07", "pop qword ptr [rdi]", other, kWrite, 8},
        {"d9 1f", "fstp dword ptr [rdi]", other, kWrite, 4},
        {"48 0f c7 27", "xsavec64 ptr [rdi]", other, kWrite, 0},
    };
    for (const Form& form : forms) check(form);
}

TEST_CASE("string instructions", "[decode]") {
    using enum WriteKind;
    const Form forms[] = {
        {"f3 aa", "rep stosb byte ptr [rdi], al", string, kWrite, 1},
        {"f3 48 ab", "rep stosq qword ptr [rdi], rax", string, kWrite, 8},
        {"f3 a4", "rep movsb byte ptr [rdi], byte ptr [rsi]", string, kWrite, 1},
        {"f3 a5", "rep movsd dword ptr [rdi], dword ptr [rsi]", string, kWrite, 4},
        {"48 a5", "movsq qword ptr [rdi], qword ptr [rsi]", string, kWrite, 8},
        {"f3 a6", "repe cmpsb byte ptr [rsi], byte ptr [rdi]", none, kRead, 1},
        {"f2 ae", "repne scasb al, byte ptr [rdi]", none, kRead, 1},
        {"ac", "lodsb al, byte ptr [rsi]", none, kRead, 1},
    };
    for (const Form& form : forms) {
        check(form);
        CHECK(decode(form.hex)->repeated == (form.text.starts_with("rep")));
        CHECK_FALSE(decode(form.hex)->vector);
    }
    CHECK_FALSE(decode("f3 c3")->repeated);
}

TEST_CASE("vector instructions", "[decode]") {
    using enum WriteKind;
    const Form forms[] = {
        {"0f 11 07", "movups xmmword ptr [rdi], xmm0", vector_store, kWrite, 16},
        {"66 0f 7f 07", "movdqa xmmword ptr [rdi], xmm0", vector_store, kWrite, 16},
        {"f2 0f 11 07", "movsd qword ptr [rdi], xmm0", vector_store, kWrite, 8},
        {"66 0f d6 07", "movq qword ptr [rdi], xmm0", vector_store, kWrite, 8},
        {"66 0f 7e 07", "movd dword ptr [rdi], xmm0", vector_store, kWrite, 4},
        {"0f 17 07", "movhps qword ptr [rdi], xmm0", vector_store, kWrite, 8},
        {"66 0f e7 07", "movntdq xmmword ptr [rdi], xmm0", vector_store, kWrite, 16},
        {"0f e7 07", "movntq qword ptr [rdi], mm0", vector_store, kWrite, 8},
        {"66 0f f7 c1", "maskmovdqu xmm0, xmm1", vector_store, kWrite, 16},
        {"0f f7 c1", "maskmovq mm0, mm1", vector_store, kWrite, 8},
        {"c5 fe 7f 07", "vmovdqu ymmword ptr [rdi], ymm0", vector_store, kWrite, 32},
        {"c5 fd e7 07", "vmovntdq ymmword ptr [rdi], ymm0", vector_store, kWrite, 32},
        {"c4 e2 75 8e 07", "vpmaskmovd ymmword ptr [rdi], ymm1, ymm0", vector_store, kWrite, 32},
        {"62 f1 fe 48 7f 07", "vmovdqu64 zmmword ptr [rdi], zmm0", vector_store, kWrite, 64},
        {"62 f1 fe 28 7f 07", "vmovdqu64 ymmword ptr [rdi], ymm0", vector_store, kWrite, 32},
        {"62 f1 7d 48 e7 07", "vmovntdq zmmword ptr [rdi], zmm0", vector_store, kWrite, 64},
        {"0f 10 07", "movups xmm0, xmmword ptr [rdi]", none, kRead, 16},
        {"f2 0f 10 07", "movsd xmm0, qword ptr [rdi]", none, kRead, 8},
        {"c5 fe 6f 07", "vmovdqu ymm0, ymmword ptr [rdi]", none, kRead, 32},
    };
    const Registers registers = counted_registers();
    for (const Form& form : forms) {
        check(form);
        CHECK(decode(form.hex)->vector);
        CHECK_FALSE(value_to_store(*decode(form.hex), &registers, 0));
        CHECK_FALSE(change_of(*decode(form.hex), &registers, 0));
    }
}

TEST_CASE("instructions that write no memory", "[decode]") {
    using enum WriteKind;
    const Form forms[] = {
        {"48 8b 03", "mov rax, qword ptr [rbx]", none, kRead, 8},
        {"83 38 01", "cmp dword ptr [rax], 1", none, kRead, 4},
        {"48 39 03", "cmp qword ptr [rbx], rax", none, kRead, 8},
        {"85 00", "test dword ptr [rax], eax", none, kRead, 4},
        {"f6 00 01", "test byte ptr [rax], 1", none, kRead, 1},
        {"48 0f ba 20 03", "bt qword ptr [rax], 3", none, kRead, 8},
        {"48 03 00", "add rax, qword ptr [rax]", none, kRead, 8},
        {"48 f7 38", "idiv qword ptr [rax]", none, kRead, 8},
        {"ff 20", "jmp qword ptr [rax]", none, kRead, 8},
        {"d9 00", "fld dword ptr [rax]", none, kRead, 4},
        {"f3 0f ae 20", "ptwrite dword ptr [rax]", none, kRead, 4},
        {"f3 48 0f ae 20", "ptwrite qword ptr [rax]", none, kRead, 8},
        {"58", "pop rax", none, kRead, 8},
        {"c3", "ret", none, kRead, 8},
        {"0f 18 08", "prefetcht0 byte ptr [rax]", none, Access::none, 0},
        {"0f 0d 08", "prefetchw byte ptr [rax]", none, Access::none, 0},
        {"48 8d 44 24 08", "lea rax, [rsp + 8]", none, Access::none, 0},
        {"0f 1f 44 00 00", "nop dword ptr [rax + rax]", none, Access::none, 0},
        {"48 01 c8", "add rax, rcx", none, Access::none, 0},
        {"f3 0f 1e fa", "endbr64", none, Access::none, 0},
        {"0f 05", "syscall", none, Access::none, 0},
    };
    const Registers registers = counted_registers();
    for (const Form& form : forms) {
        check(form);
        CHECK_FALSE(decode(form.hex)->writes());
        CHECK_FALSE(value_to_store(*decode(form.hex), &registers, 0));
        CHECK_FALSE(change_of(*decode(form.hex), &registers, 0));
    }
}

TEST_CASE("lock is told from no lock", "[decode]") {
    CHECK(decode("f0 83 07 ff")->locked);
    CHECK(decode("f0 0f c1 07")->locked);
    CHECK(decode("f0 0f b1 0f")->locked);
    CHECK(decode("48 87 0f")->locked);
    CHECK_FALSE(decode("83 07 ff")->locked);
    CHECK_FALSE(decode("0f c1 07")->locked);
    CHECK_FALSE(decode("48 89 07")->locked);
}

TEST_CASE("bytes that are no whole instruction", "[decode]") {
    CHECK_FALSE(decode(""));
    CHECK_FALSE(decode("06"));
    CHECK_FALSE(decode("0f 0b 00").value().writes());
    CHECK_FALSE(decode("66 66 66 66 66 66 66 66 66 66 66 66 66 66 66 90"));
    const std::string_view longest = "f0 48 81 84 8f 78 56 34 12 01 00 00 00";
    const auto whole = bytes_of(longest);
    Decoder decoder;
    REQUIRE(decoder.decode(whole, kAddress));
    for (size_t size = 0; size < whole.size(); ++size) {
        CAPTURE(size);
        CHECK_FALSE(decoder.decode({whole.data(), size}, kAddress));
    }
    const auto before_others = decoder.decode(bytes_of("48 83 00 01 ff ff ff ff ff"), kAddress);
    REQUIRE(before_others);
    CHECK(before_others->text == "add qword ptr [rax], 1");
    CHECK(before_others->length_bytes == 4);
}

TEST_CASE("a decoder can be moved and used again", "[decode]") {
    Decoder first;
    REQUIRE(first.decode(bytes_of("48 ff 00"), kAddress));
    Decoder second = std::move(first);
    CHECK(second.decode(bytes_of("48 ff 00"), kAddress)->text == "inc qword ptr [rax]");
    CHECK(second.decode(bytes_of("48 ff 08"), kAddress)->text == "dec qword ptr [rax]");
}

TEST_CASE("changes that stand in the instruction need no registers", "[decode]") {
    struct Change {
        std::string_view hex;
        int64_t change;
    };
    const Change changes[] = {
        {"48 83 00 01", 1},
        {"48 83 00 ff", -1},
        {"48 81 07 ff ff ff ff", -1},
        {"f0 83 07 ff", -1},
        {"f0 81 07 ff ff ff ff", -1},
        {"83 07 01", 1},
        {"48 83 28 01", -1},
        {"48 83 28 ff", 1},
        {"48 ff 00", 1},
        {"48 ff 08", -1},
        {"f0 ff 0f", -1},
        {"ff 07", 1},
        {"66 81 00 00 80", -0x8000},
        {"80 00 ff", -1},
        {"80 28 80", -0x80},
        {"83 07 10", 16},
        {"fe 0f", -1},
        {"66 ff 07", 1},
    };
    for (const Change& expected : changes) {
        CAPTURE(expected.hex);
        for (const uint64_t old_value : {uint64_t{0}, uint64_t{1}, uint64_t{0x7f}, uint64_t{0x80},
                                         uint64_t{0xffffffff}, ~uint64_t{0}}) {
            CHECK(change_of(*decode(expected.hex), nullptr, old_value) == expected.change);
        }
    }
    // The count of a new object is set, not raised.
    CHECK_FALSE(change_of(*decode("48 c7 00 01 00 00 00"), nullptr, 0));
    CHECK_FALSE(change_of(*decode("83 0f 01"), nullptr, 0));
    CHECK_FALSE(change_of(*decode("48 89 07"), nullptr, 7));
    CHECK_FALSE(change_of(*decode("f0 0f c1 07"), nullptr, 7));
    CHECK_FALSE(change_of(*decode("f0 0f b1 0f"), nullptr, 7));
}

TEST_CASE("a count that was loaded, changed and stored", "[decode]") {
    Registers registers;
    const auto store_4 = decode("89 45 00");
    const auto store_8 = decode("48 89 07");
    registers.general[0] = 8;
    CHECK(change_of(*store_4, &registers, 7) == 1);
    CHECK(change_of(*store_8, &registers, 9) == -1);
    // Only the low half counts at 4 bytes: what stands above it belongs to the next field.
    CHECK(change_of(*store_4, &registers, 0xdeadbeef00000007) == 1);
    CHECK(change_of(*store_8, &registers, 0xdeadbeef00000007) != 1);
    registers.general[0] = 0;
    CHECK(change_of(*store_4, &registers, 0xffffffff) == 1);
    CHECK(change_of(*store_8, &registers, ~uint64_t{0}) == 1);
    CHECK(change_of(*decode("48 c7 00 01 00 00 00"), &registers, 7) == -6);
    registers.general[0] = 0xffffffff;
    CHECK(change_of(*store_4, &registers, 0) == -1);
    CHECK(change_of(*store_8, &registers, 0) == 0xffffffff);
}

TEST_CASE("values that are about to be stored", "[decode]") {
    Registers registers = counted_registers();
    registers.general[0] = 0x1122334455667788;
    registers.general[1] = 0xa1a2a3a4a5a6a7a8;
    registers.general[4] = 0x00007fff12345678;
    constexpr uint64_t kOld = 0x0807060504030201;
    struct Store {
        std::string_view hex;
        std::optional<uint64_t> value;
    };
    const Store stores[] = {
        {"48 89 07", 0x1122334455667788},
        {"89 07", 0x55667788},
        {"66 89 07", 0x7788},
        {"88 07", 0x88},
        {"88 27", 0x77},     // ah
        {"88 2f", 0xa7},     // ch
        {"40 88 27", 0x78},  // spl
        {"48 0f 38 f1 07", 0x8877665544332211},
        {"c6 07 80", 0x80},
        {"c7 07 ff ff ff ff", 0xffffffff},
        {"48 c7 07 fe ff ff ff", 0xfffffffffffffffe},
        {"48 83 07 01", kOld + 1},
        {"83 07 ff", 0x04030200},
        {"48 0f c1 07", kOld + 0x1122334455667788},
        {"48 29 07", kOld - 0x1122334455667788},
        {"48 87 0f", 0xa1a2a3a4a5a6a7a8},
        {"f7 17", 0xfbfcfdfe},
        {"48 f7 1f", 0 - kOld},
        {"20 27", 0x01 & 0x77},
        {"0f ba 2f 05", 0x04030221},
        {"c0 07 04", 0x10},
        {"d2 2f", 0},  // shr by cl = 0xa8, of which 5 bits count: 8
        {"54", 0x00007fff12345678},
        {"6a ff", ~uint64_t{0}},
        {"e8 00 00 00 00", kAddress + 5},
        {"f3 aa", 0x88},
        {"f3 48 ab", 0x1122334455667788},
        {"48 a5", std::nullopt},
        {"0f 94 07", std::nullopt},
        {"83 17 00", std::nullopt},
        {"ff 30", std::nullopt},
        {"9c", std::nullopt},
        {"8c 1f", std::nullopt},
        {"0f ab 07", std::nullopt},
        {"f0 48 0f c7 0f", std::nullopt},
        {"d9 1f", std::nullopt},
    };
    for (const Store& store : stores) {
        CAPTURE(store.hex);
        CHECK(value_to_store(*decode(store.hex), &registers, kOld) == store.value);
    }
}

TEST_CASE("compare and exchange stores the old value where it fails", "[decode]") {
    const auto exchange_4 = decode("f0 0f b1 0f");
    Registers registers;
    registers.general[0] = 0xffffffff00000005;
    registers.general[1] = 6;
    CHECK(value_to_store(*exchange_4, &registers, 5) == 6);
    CHECK(change_of(*exchange_4, &registers, 5) == 1);
    CHECK(value_to_store(*exchange_4, &registers, 4) == 4);
    CHECK(change_of(*exchange_4, &registers, 4) == 0);
}
