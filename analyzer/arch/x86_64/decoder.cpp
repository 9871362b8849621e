// Decodes with Capstone.
//
// Capstone's own access flags are not used: version 4 has movups, cmpxchg and every AVX store as
// reads, and test as a write. Intel syntax itself tells: the first operand is the destination, so
// an instruction writes memory if its first operand is memory, unless it is one of the few that
// only read all their operands. Instructions are told apart by name, because the names are Intel's
// and stay, while identifiers differ between versions of Capstone.
#include "arch/decoder.h"

#include <algorithm>
#include <stdexcept>
#include <string_view>

#include <capstone/capstone.h>

#include "arch/x86_64/instruction_forms.h"

namespace cowscope::arch {

namespace {

using namespace forms;

// Numbers of registers in Registers::general.
constexpr uint8_t kRax = 0;
constexpr uint8_t kRbx = 3;
constexpr uint8_t kRsp = kStackPointer;
constexpr uint8_t kRbp = 5;
constexpr uint8_t kRdi = 7;

constexpr x86_reg kRegisters[kRegisterCount][4] = {
    {X86_REG_RAX, X86_REG_EAX, X86_REG_AX, X86_REG_AL},
    {X86_REG_RCX, X86_REG_ECX, X86_REG_CX, X86_REG_CL},
    {X86_REG_RDX, X86_REG_EDX, X86_REG_DX, X86_REG_DL},
    {X86_REG_RBX, X86_REG_EBX, X86_REG_BX, X86_REG_BL},
    {X86_REG_RSP, X86_REG_ESP, X86_REG_SP, X86_REG_SPL},
    {X86_REG_RBP, X86_REG_EBP, X86_REG_BP, X86_REG_BPL},
    {X86_REG_RSI, X86_REG_ESI, X86_REG_SI, X86_REG_SIL},
    {X86_REG_RDI, X86_REG_EDI, X86_REG_DI, X86_REG_DIL},
    {X86_REG_R8, X86_REG_R8D, X86_REG_R8W, X86_REG_R8B},
    {X86_REG_R9, X86_REG_R9D, X86_REG_R9W, X86_REG_R9B},
    {X86_REG_R10, X86_REG_R10D, X86_REG_R10W, X86_REG_R10B},
    {X86_REG_R11, X86_REG_R11D, X86_REG_R11W, X86_REG_R11B},
    {X86_REG_R12, X86_REG_R12D, X86_REG_R12W, X86_REG_R12B},
    {X86_REG_R13, X86_REG_R13D, X86_REG_R13W, X86_REG_R13B},
    {X86_REG_R14, X86_REG_R14D, X86_REG_R14W, X86_REG_R14B},
    {X86_REG_R15, X86_REG_R15D, X86_REG_R15W, X86_REG_R15B},
};
constexpr x86_reg kHighBytes[4] = {X86_REG_AH, X86_REG_CH, X86_REG_DH, X86_REG_BH};

std::optional<RegisterPart> part_of(x86_reg reg) {
    for (uint8_t index = 0; index < kRegisterCount; ++index) {
        uint8_t width_bytes = 8;
        for (const x86_reg part : kRegisters[index]) {
            if (part == reg) return RegisterPart{index, 0, width_bytes};
            width_bytes /= 2;
        }
    }
    for (uint8_t index = 0; index < 4; ++index) {
        if (kHighBytes[index] == reg) return RegisterPart{index, 8, 1};
    }
    return std::nullopt;
}

constexpr RegisterPart whole(uint8_t index) {
    return {index, 0, 8};
}

bool is_vector(x86_reg reg) {
    return (reg >= X86_REG_XMM0 && reg <= X86_REG_XMM31) ||
           (reg >= X86_REG_YMM0 && reg <= X86_REG_YMM31) ||
           (reg >= X86_REG_ZMM0 && reg <= X86_REG_ZMM31) ||
           (reg >= X86_REG_MM0 && reg <= X86_REG_MM7) || (reg >= X86_REG_K0 && reg <= X86_REG_K7);
}

template <typename List>
bool contains(const List& list, std::string_view name) {
    return std::ranges::find(list, name) != std::end(list);
}

unsigned width_of(std::string_view name, const cs_x86_op& memory) {
    const auto* known = std::ranges::find(kWidths, name, &Width::name);
    return known != std::end(kWidths) ? known->bytes : memory.size;
}

// Capstone 4 takes F3 0F AE /4, which reads a word (Intel SDM, PTWRITE), for what it is without the
// prefix: xsave.
bool is_ptwrite(std::string_view name, const cs_insn& insn) {
    constexpr uint8_t kRep = 0xf3;
    constexpr uint8_t kEscape = 0x0f;
    const auto* end = std::find(std::begin(insn.bytes), std::end(insn.bytes), kEscape);
    return name.starts_with("xsave") && std::find(std::begin(insn.bytes), end, kRep) != end;
}

// One decoded instruction as Capstone has it.
struct Decoded {
    std::string_view name;  // without prefixes
    const cs_insn& insn;
    std::span<const cs_x86_op> operands;

    [[nodiscard]] const cs_x86& x86() const { return insn.detail->x86; }
    [[nodiscard]] bool is_memory(size_t index) const {
        return index < operands.size() && operands[index].type == X86_OP_MEM;
    }
    [[nodiscard]] bool has_vector_register() const {
        return std::ranges::any_of(operands, [](const cs_x86_op& operand) {
            return operand.type == X86_OP_REG && is_vector(operand.reg);
        });
    }
    // movsd and cmpsd also name vector instructions.
    [[nodiscard]] bool is_string() const {
        return contains(kStrings, name) && !has_vector_register();
    }
};

EffectiveAddress address_of_operand(const Decoded& decoded, const x86_op_mem& memory) {
    EffectiveAddress address;
    address.width_bytes = decoded.x86().addr_size;
    address.displacement = static_cast<uint64_t>(memory.disp);
    address.scale = static_cast<uint8_t>(memory.scale);
    address.known = memory.segment != X86_REG_FS && memory.segment != X86_REG_GS;
    if (memory.base == X86_REG_RIP || memory.base == X86_REG_EIP) {
        address.displacement += decoded.insn.address + decoded.insn.size;
    } else if (memory.base != X86_REG_INVALID) {
        const auto base = part_of(memory.base);
        address.known = address.known && base.has_value();
        address.base = base.value_or(RegisterPart{});
    }
    const bool has_index = memory.index != X86_REG_INVALID && memory.index != X86_REG_RIZ &&
                           memory.index != X86_REG_EIZ;
    if (has_index) {
        const auto index = part_of(memory.index);
        address.known = address.known && index.has_value();
        address.index = index.value_or(RegisterPart{});
    }
    return address;
}

EffectiveAddress plain_address(uint8_t base, uint64_t displacement) {
    EffectiveAddress address;
    address.known = true;
    address.base = whole(base);
    address.displacement = displacement;
    return address;
}

// Sets the effect's source from an operand. False where the value is not in a general register.
bool take_source(const cs_x86_op& operand, Source& source) {
    if (operand.type == X86_OP_IMM) {
        source.immediate = static_cast<uint64_t>(operand.imm);
        return true;
    }
    if (operand.type != X86_OP_REG) return false;
    const auto part = part_of(operand.reg);
    source.part = part.value_or(RegisterPart{});
    return part.has_value();
}

Effect effect_of(const Decoded& decoded, const Form& form) {
    Effect effect;
    const bool has_source = decoded.operands.size() == 2;
    if (form.operation == Operation::unknown || decoded.operands.size() > 2) return effect;
    if (has_source && !take_source(decoded.operands[1], effect.source)) return effect;
    // inc and dec, and the one-operand form of shifts.
    if (!has_source) effect.source.immediate = 1;
    const bool is_bit = form.operation == Operation::set_bit ||
                        form.operation == Operation::clear_bit ||
                        form.operation == Operation::flip_bit;
    // A bit index in a register reaches beyond the operand.
    if (is_bit && effect.source.part.width_bytes != 0) return effect;
    if (form.operation == Operation::compare_exchange) {
        effect.expected = {kRax, 0, decoded.operands[0].size};
    }
    effect.operation = form.operation;
    return effect;
}

void describe_write(const Decoded& decoded, Instruction& instruction) {
    const cs_x86_op& memory = decoded.operands[0];
    const auto* found = std::ranges::find(kForms, decoded.name, &Form::name);
    const Form& form = found != std::end(kForms) && !decoded.is_string() ? *found : kPlainStore;
    const bool has_register = decoded.operands.size() > 1 && decoded.operands[1].type == X86_OP_REG;
    instruction.access = form.access;
    instruction.width_bytes = width_of(decoded.name, memory);
    instruction.write = has_register ? form.with_register : form.with_immediate;
    instruction.effect = effect_of(decoded, form);
    instruction.address = address_of_operand(decoded, memory.mem);
    instruction.locked = instruction.locked || decoded.name == "xchg";
    if (decoded.is_string()) {
        instruction.write = string;
        if (has_register && take_source(decoded.operands[1], instruction.effect.source)) {
            instruction.effect.operation = Operation::replace;
        }
    } else if (instruction.vector) {
        instruction.write = vector_store;
        instruction.effect = {};
    }
    const bool indexes_bits = decoded.name.starts_with("bt") && has_register;
    if (indexes_bits) instruction.address.known = false;
}

void describe_push(const Decoded& decoded, Instruction& instruction) {
    const bool is_narrow = decoded.x86().prefix[2] == X86_PREFIX_OPSIZE && decoded.name != "call";
    instruction.access = Access::write;
    instruction.write = push_or_call;
    instruction.width_bytes = is_narrow ? 2 : 8;
    instruction.address = plain_address(kRsp, uint64_t{0} - instruction.width_bytes);
    Effect& effect = instruction.effect;
    if (decoded.name == "call") {
        effect.source.immediate = decoded.insn.address + decoded.insn.size;
        effect.operation = Operation::replace;
    } else if (decoded.name == "enter") {
        effect.source.part = whole(kRbp);
        effect.operation = Operation::replace;
    } else if (decoded.operands.size() == 1 && take_source(decoded.operands[0], effect.source)) {
        effect.operation = Operation::replace;
    }
}

void describe_read(const cs_x86_op& memory, const Decoded& decoded, Instruction& instruction) {
    instruction.access = Access::read;
    instruction.width_bytes = width_of(decoded.name, memory);
    instruction.address = address_of_operand(decoded, memory.mem);
}

void describe_ptwrite(const Decoded& decoded, Instruction& instruction) {
    constexpr uint8_t kRexW = 8;
    const bool is_wide = (decoded.x86().rex & kRexW) != 0;
    const std::string_view operand = decoded.insn.op_str;
    instruction.text = is_wide ? "ptwrite qword " : "ptwrite dword ";
    instruction.text += operand.substr(std::min(operand.find("ptr"), operand.size()));
    describe_read(decoded.operands[0], decoded, instruction);
    instruction.width_bytes = is_wide ? 8 : 4;
}

// Accesses that no operand shows. False where there is none.
bool describe_implicit(const Decoded& decoded, Instruction& instruction) {
    if (contains(kPushes, decoded.name)) {
        describe_push(decoded, instruction);
        return true;
    }
    const bool is_masked_move =
        decoded.name == "maskmovq" || decoded.name == "maskmovdqu" || decoded.name == "vmaskmovdqu";
    if (is_masked_move) {
        instruction.access = Access::write;
        instruction.write = vector_store;
        instruction.width_bytes = decoded.operands[0].size;
        instruction.address = plain_address(kRdi, 0);
        return true;
    }
    // pop to memory writes its operand.
    if (contains(kStackReaders, decoded.name) && !decoded.is_memory(0)) {
        instruction.access = Access::read;
        instruction.width_bytes = 8;
        instruction.address = plain_address(decoded.name == "leave" ? kRbp : kRsp, 0);
        return true;
    }
    if (decoded.name == "xlatb") {
        instruction.access = Access::read;
        instruction.width_bytes = 1;
        instruction.address = plain_address(kRbx, 0);
        instruction.address.index = {kRax, 0, 1};
        return true;
    }
    return false;
}

Instruction describe(const Decoded& decoded) {
    Instruction instruction;
    const cs_insn& insn = decoded.insn;
    instruction.text = insn.mnemonic;
    if (insn.op_str[0] != '\0') instruction.text += std::string(" ") + insn.op_str;
    instruction.length_bytes = insn.size;
    if (is_ptwrite(decoded.name, insn)) {
        describe_ptwrite(decoded, instruction);
        return instruction;
    }
    instruction.vector = decoded.has_vector_register();
    const uint8_t prefix = decoded.x86().prefix[0];
    instruction.locked = prefix == X86_PREFIX_LOCK;
    instruction.repeated =
        (prefix == X86_PREFIX_REP || prefix == X86_PREFIX_REPNE) && decoded.is_string();
    if (contains(kTouchNothing, decoded.name) || describe_implicit(decoded, instruction)) {
        return instruction;
    }
    // Of the vector instructions named cmpsd none has memory as its first operand.
    const bool reads_only = contains(kReaders, decoded.name);
    if (decoded.is_memory(0) && !reads_only) {
        describe_write(decoded, instruction);
        return instruction;
    }
    for (const cs_x86_op& operand : decoded.operands) {
        if (operand.type != X86_OP_MEM) continue;
        describe_read(operand, decoded, instruction);
        break;
    }
    return instruction;
}

}  // namespace

struct Decoder::Engine {
    csh handle = 0;
    cs_insn* insn = nullptr;

    Engine() {
        if (cs_open(CS_ARCH_X86, CS_MODE_64, &handle) != CS_ERR_OK) {
            throw std::runtime_error("this Capstone does not decode x86-64");
        }
        cs_option(handle, CS_OPT_DETAIL, CS_OPT_ON);
        insn = cs_malloc(handle);
    }
    ~Engine() {
        if (insn != nullptr) cs_free(insn, 1);
        cs_close(&handle);
    }
    Engine(const Engine&) = delete;
    Engine& operator=(const Engine&) = delete;
};

Decoder::Decoder() : engine_(std::make_unique<Engine>()) {}
Decoder::~Decoder() = default;
Decoder::Decoder(Decoder&&) noexcept = default;
Decoder& Decoder::operator=(Decoder&&) noexcept = default;

std::optional<Instruction> Decoder::decode(std::span<const uint8_t> code, uint64_t address) {
    const uint8_t* bytes = code.data();
    size_t size = code.size();
    cs_insn* insn = engine_->insn;
    if (size == 0 || !cs_disasm_iter(engine_->handle, &bytes, &size, &address, insn)) {
        return std::nullopt;
    }
    const char* name = cs_insn_name(engine_->handle, insn->id);
    const cs_x86& x86 = insn->detail->x86;
    return describe({name == nullptr ? "" : name, *insn, {x86.operands, x86.op_count}});
}

}  // namespace cowscope::arch
