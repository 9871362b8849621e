// What instructions do to memory, by the names that Intel gives them.
#pragma once

#include <string_view>

#include "arch/instruction_model.h"

namespace cowscope::arch::forms {

// What an instruction makes of a memory operand that it writes.
struct Form {
    std::string_view name;
    WriteKind with_register;
    WriteKind with_immediate;  // also without any second operand
    Access access;
    Operation operation;
};

using enum WriteKind;
inline constexpr Form kForms[] = {
    {"mov", store_register, store_immediate, Access::write, Operation::replace},
    {"movabs", store_register, store_immediate, Access::write, Operation::replace},
    {"movnti", store_register, store_immediate, Access::write, Operation::replace},
    {"movbe", store_register, store_immediate, Access::write, Operation::replace_byte_swapped},
    {"add", add_register, add_constant, Access::read_write, Operation::add},
    {"sub", add_register, add_constant, Access::read_write, Operation::subtract},
    {"inc", add_register, add_constant, Access::read_write, Operation::add},
    {"dec", add_register, add_constant, Access::read_write, Operation::subtract},
    {"xadd", add_register, add_constant, Access::read_write, Operation::add},
    {"xchg", exchange, exchange, Access::read_write, Operation::replace},
    {"cmpxchg", exchange, exchange, Access::read_write, Operation::compare_exchange},
    {"cmpxchg8b", exchange, exchange, Access::read_write, Operation::unknown},
    {"cmpxchg16b", exchange, exchange, Access::read_write, Operation::unknown},
    {"and", other, other, Access::read_write, Operation::bit_and},
    {"or", other, other, Access::read_write, Operation::bit_or},
    {"xor", other, other, Access::read_write, Operation::bit_xor},
    {"not", other, other, Access::read_write, Operation::invert},
    {"neg", other, other, Access::read_write, Operation::negate},
    {"shl", other, other, Access::read_write, Operation::shift_left},
    {"sal", other, other, Access::read_write, Operation::shift_left},
    {"shr", other, other, Access::read_write, Operation::shift_right},
    {"sar", other, other, Access::read_write, Operation::shift_right_signed},
    {"rol", other, other, Access::read_write, Operation::rotate_left},
    {"ror", other, other, Access::read_write, Operation::rotate_right},
    {"bts", other, other, Access::read_write, Operation::set_bit},
    {"btr", other, other, Access::read_write, Operation::clear_bit},
    {"btc", other, other, Access::read_write, Operation::flip_bit},
    {"adc", other, other, Access::read_write, Operation::unknown},
    {"sbb", other, other, Access::read_write, Operation::unknown},
    {"rcl", other, other, Access::read_write, Operation::unknown},
    {"rcr", other, other, Access::read_write, Operation::unknown},
    {"shld", other, other, Access::read_write, Operation::unknown},
    {"shrd", other, other, Access::read_write, Operation::unknown},
};
// Of all others with memory as their first operand: sete, fstp, pop, vector stores, ...
inline constexpr Form kPlainStore = {"", other, other, Access::write, Operation::unknown};

// Instructions that only read memory although it is their first operand.
inline constexpr std::string_view kReaders[] = {
    "cmp",     "test",      "bt",     "mul",     "imul",     "div",        "idiv",    "jmp",
    "ljmp",    "lcall",     "fadd",   "fiadd",   "fbld",     "fcom",       "fcomp",   "ficom",
    "ficomp",  "fdiv",      "fidiv",  "fdivr",   "fidivr",   "fild",       "fld",     "fldcw",
    "fldenv",  "fmul",      "fimul",  "frstor",  "fsub",     "fisub",      "fsubr",   "fisubr",
    "fxrstor", "fxrstor64", "xrstor", "xrstors", "xrstor64", "xrstors64",  "ldmxcsr", "vldmxcsr",
    "lgdt",    "lidt",      "lldt",   "lmsw",    "ltr",      "verr",       "verw",    "invlpg",
    "vmptrld", "vmclear",   "vmxon",  "ptwrite", "clflush",  "clflushopt", "clwb",    "rstorssp",
    "cmpsb",   "cmpsw",     "cmpsd",  "cmpsq",   "outsb",    "outsw",      "outsd",
};
// Instructions whose memory operand is a mere address or a hint.
inline constexpr std::string_view kTouchNothing[] = {
    "lea",        "nop",        "prefetch",    "prefetchw", "prefetchwt1", "prefetcht0",
    "prefetcht1", "prefetcht2", "prefetchnta", "cldemote",  "bndmk",
};
inline constexpr std::string_view kStackReaders[] = {
    "pop", "popf", "popfq", "ret", "retf", "retfq", "leave", "iret", "iretd", "iretq",
};
inline constexpr std::string_view kStrings[] = {
    "movsb", "movsw", "movsd", "movsq", "stosb", "stosw", "stosd", "stosq", "cmpsb",
    "cmpsw", "cmpsd", "cmpsq", "scasb", "scasw", "scasd", "scasq", "lodsb", "lodsw",
    "lodsd", "lodsq", "insb",  "insw",  "insd",  "outsb", "outsw", "outsd",
};
inline constexpr std::string_view kPushes[] = {"push", "pushf", "pushfq", "enter", "call"};
// Memory operands whose size is not the instruction's to say (0) or that Capstone misstates.
struct Width {
    std::string_view name;
    unsigned bytes;
};
// Intel SDM: FXSAVE, FNSAVE, FNSTENV, FNSTSW, XSAVE.
inline constexpr Width kWidths[] = {
    {"fxsave", 512},   {"fxsave64", 512}, {"fnsave", 0},    {"fnstenv", 0},     {"fnstsw", 2},
    {"xsave", 0},      {"xsave64", 0},    {"xsavec", 0},    {"xsavec64", 0},    {"xsaveopt", 0},
    {"xsaveopt64", 0}, {"xsaves", 0},     {"xsaves64", 0},  {"xrstor", 0},      {"xrstor64", 0},
    {"xrstors", 0},    {"xrstors64", 0},  {"fxrstor", 512}, {"fxrstor64", 512}, {"frstor", 0},
    {"fldenv", 0},
};

}  // namespace cowscope::arch::forms
