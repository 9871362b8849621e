#include "unwind/cfi.h"

#include <dlfcn.h>
#include <link.h>

#include "arch/cpu.h"
#include "unwind/byte_reader.h"

#include "support/poison.h"

// Weak: before glibc 2.35 there is no lock-free way to find a module, so stacks end at once.
extern "C" int _dl_find_object(void* address, struct dl_find_object* result) __attribute__((weak));

namespace cowscope::unwind {
namespace {

bool find_module(uint64_t ip, Module* module) {
    struct dl_find_object found;
    if (_dl_find_object(reinterpret_cast<void*>(ip), &found) != 0) return false;
    module->start = reinterpret_cast<uint64_t>(found.dlfo_map_start);
    module->end = reinterpret_cast<uint64_t>(found.dlfo_map_end);
    module->eh_frame_header = reinterpret_cast<uint64_t>(found.dlfo_eh_frame);
    return module->eh_frame_header >= module->start && module->eh_frame_header < module->end;
}

enum class Saved : uint8_t { same, at_cfa, at_fp, undefined, unknown };

struct SavedRegister {
    Saved how = Saved::same;
    int64_t offset = 0;
};

struct Row {
    CfaKind cfa = CfaKind::none;
    int64_t cfa_offset = 0;
    SavedRegister fp;
    SavedRegister return_address;

    SavedRegister* of(uint64_t dwarf_register) {
        if (dwarf_register == cpu::kDwarfFramePointer) return &fp;
        if (dwarf_register == cpu::kDwarfReturnAddress) return &return_address;
        return nullptr;
    }
};

// DW_OP_breg0 + n: an offset to register n.
constexpr uint8_t breg(uint64_t dwarf_register) {
    return static_cast<uint8_t>(0x70 + dwarf_register);
}

// The few expressions that compilers and linkers write for the CFA.
void read_cfa_expression(ByteReader& reader, Row* row) {
    constexpr uint8_t kDeref = 0x06;  // DW_OP_deref
    row->cfa = CfaKind::none;
    const auto first = reader.fixed<uint8_t>();
    const int64_t offset = reader.sleb();
    const auto second = reader.fixed<uint8_t>();
    if (!reader.ok()) return;
    if (first == breg(cpu::kDwarfFramePointer) && second == kDeref && reader.done()) {
        row->cfa = CfaKind::fp_deref;
        row->cfa_offset = offset;
    } else if (first == breg(cpu::kDwarfStackPointer) && offset == cpu::kStubCfaOffset &&
               second == breg(cpu::kDwarfInstructionPointer)) {
        row->cfa = CfaKind::stub;
    }
}

SavedRegister read_register_expression(ByteReader& reader) {
    const auto first = reader.fixed<uint8_t>();
    const int64_t offset = reader.sleb();
    if (reader.ok() && first == breg(cpu::kDwarfFramePointer) && reader.done()) {
        return {Saved::at_fp, offset};
    }
    return {Saved::unknown, 0};
}

class Interpreter {
  public:
    Interpreter(const Cie& cie, const Module& module) : cie_(cie), module_(module) {}

    // Executes the instructions in [start, end) until the row of `ip` is complete.
    bool run(uint64_t start, uint64_t end, uint64_t location, uint64_t ip) {
        ByteReader reader(start, end);
        location_ = location;
        while (!reader.done() && location_ <= ip) {
            if (instructions_++ == kMostInstructions || !step(&reader)) return false;
        }
        return reader.ok();
    }
    void set_initial() { initial_ = row_; }
    const Row& row() const { return row_; }

  private:
    bool step(ByteReader* reader);
    void set_cfa(uint64_t dwarf_register, int64_t offset) {
        row_.cfa = dwarf_register == cpu::kDwarfStackPointer   ? CfaKind::from_sp
                   : dwarf_register == cpu::kDwarfFramePointer ? CfaKind::from_fp
                                                               : CfaKind::none;
        row_.cfa_offset = offset;
    }
    void save(uint64_t dwarf_register, SavedRegister saved) {
        if (SavedRegister* place = row_.of(dwarf_register)) *place = saved;
    }
    void restore(uint64_t dwarf_register) {
        if (SavedRegister* place = row_.of(dwarf_register)) *place = *initial_.of(dwarf_register);
    }

    // A multiple of `factor`. What does not fit is no offset of a frame's, and is refused later.
    static int64_t scaled(uint64_t factored, int64_t factor) {
        return static_cast<int64_t>(factored * static_cast<uint64_t>(factor));
    }
    int64_t scaled_uleb(ByteReader* reader) const {
        return scaled(reader->uleb(), cie_.data_alignment);
    }
    int64_t scaled_sleb(ByteReader* reader) const {
        return scaled(static_cast<uint64_t>(reader->sleb()), cie_.data_alignment);
    }

    static constexpr unsigned kRememberDepth = 8;
    // Functions have some dozens. The handler that this runs in must come to an end.
    static constexpr uint32_t kMostInstructions = 1 << 16;
    const Cie& cie_;
    const Module& module_;
    Row row_;
    Row initial_;
    Row remembered_[kRememberDepth];
    unsigned remembered_count_ = 0;
    uint64_t location_ = 0;
    uint32_t instructions_ = 0;
};

bool Interpreter::step(ByteReader* reader) {
    const auto opcode = reader->fixed<uint8_t>();
    const uint64_t low = opcode & 0x3f;
    uint64_t delta = 0;
    switch (opcode & 0xc0) {
        case 0x40:  // DW_CFA_advance_loc
            location_ += low * cie_.code_alignment;
            return true;
        case 0x80:  // DW_CFA_offset
            save(low, {Saved::at_cfa, scaled_uleb(reader)});
            return true;
        case 0xc0:  // DW_CFA_restore
            restore(low);
            return true;
        default:
            break;
    }
    switch (opcode) {
        case 0x00:
            return true;  // DW_CFA_nop
        case 0x01:        // DW_CFA_set_loc
            location_ = reader->encoded(cie_.pointer_encoding, module_.eh_frame_header);
            return true;
        case 0x02:
            delta = reader->fixed<uint8_t>();
            break;  // DW_CFA_advance_loc1
        case 0x03:
            delta = reader->fixed<uint16_t>();
            break;  // DW_CFA_advance_loc2
        case 0x04:
            delta = reader->fixed<uint32_t>();
            break;    // DW_CFA_advance_loc4
        case 0x05: {  // DW_CFA_offset_extended
            const uint64_t number = reader->uleb();
            save(number, {Saved::at_cfa, scaled_uleb(reader)});
            return true;
        }
        case 0x11: {  // DW_CFA_offset_extended_sf
            const uint64_t number = reader->uleb();
            save(number, {Saved::at_cfa, scaled_sleb(reader)});
            return true;
        }
        case 0x06:
            restore(reader->uleb());
            return true;  // restore_extended
        case 0x07:
            save(reader->uleb(), {Saved::undefined, 0});
            return true;  // undefined
        case 0x08:
            save(reader->uleb(), {Saved::same, 0});
            return true;  // same_value
        case 0x09: {      // register
            const uint64_t number = reader->uleb();
            reader->uleb();
            save(number, {Saved::unknown, 0});
            return true;
        }
        case 0x0a:  // DW_CFA_remember_state
            if (remembered_count_ == kRememberDepth) return false;
            remembered_[remembered_count_++] = row_;
            return true;
        case 0x0b:  // DW_CFA_restore_state
            if (remembered_count_ == 0) return false;
            row_ = remembered_[--remembered_count_];
            return true;
        case 0x0c: {  // DW_CFA_def_cfa
            const uint64_t number = reader->uleb();
            set_cfa(number, static_cast<int64_t>(reader->uleb()));
            return true;
        }
        case 0x12: {  // DW_CFA_def_cfa_sf
            const uint64_t number = reader->uleb();
            set_cfa(number, scaled_sleb(reader));
            return true;
        }
        case 0x0d:  // DW_CFA_def_cfa_register
            set_cfa(reader->uleb(), row_.cfa_offset);
            return true;
        case 0x0e:
            row_.cfa_offset = static_cast<int64_t>(reader->uleb());
            return true;
        case 0x13:
            row_.cfa_offset = scaled_sleb(reader);
            return true;
        case 0x0f: {  // DW_CFA_def_cfa_expression
            const uint64_t bytes = reader->uleb();
            const uint64_t start = reader->position();
            reader->skip(bytes);
            if (!reader->ok()) return false;
            ByteReader expression(start, start + bytes);
            read_cfa_expression(expression, &row_);
            return true;
        }
        case 0x10:    // DW_CFA_expression
        case 0x16: {  // DW_CFA_val_expression
            const uint64_t number = reader->uleb();
            const uint64_t bytes = reader->uleb();
            const uint64_t start = reader->position();
            reader->skip(bytes);
            if (!reader->ok()) return false;
            SavedRegister saved = {Saved::unknown, 0};
            if (opcode == 0x10) {
                ByteReader expression(start, start + bytes);
                saved = read_register_expression(expression);
            }
            save(number, saved);
            return true;
        }
        case 0x14:  // DW_CFA_val_offset
        case 0x15: {
            const uint64_t number = reader->uleb();
            reader->uleb();
            save(number, {Saved::unknown, 0});
            return true;
        }
        case 0x2e:
            reader->uleb();
            return true;  // DW_CFA_GNU_args_size
        default:
            return false;
    }
    location_ += delta * cie_.code_alignment;
    return true;
}

constexpr bool fits(int64_t value) {
    return value == static_cast<int32_t>(value);
}

Rule to_rule(uint64_t ip, const Row& row) {
    Rule rule = {ip, 0, 0, CfaKind::none, FpKind::same};
    if (row.return_address.how == Saved::undefined) {
        rule.cfa = CfaKind::outermost;
        return rule;
    }
    if (row.return_address.how != Saved::at_cfa ||
        row.return_address.offset != cpu::kReturnAddressFromCfa) {
        return rule;
    }
    if (!fits(row.cfa_offset) || !fits(row.fp.offset)) return rule;
    rule.cfa = row.cfa;
    rule.cfa_offset = static_cast<int32_t>(row.cfa_offset);
    rule.fp_offset = static_cast<int32_t>(row.fp.offset);
    if (row.fp.how == Saved::at_cfa) rule.fp = FpKind::from_cfa;
    if (row.fp.how == Saved::at_fp) rule.fp = FpKind::from_fp;
    return rule;
}

}  // namespace

Rule find_rule_in(const Module& module, uint64_t ip) {
    const Rule none = {ip, 0, 0, CfaKind::none, FpKind::same};
    const uint64_t fde = find_fde(module, ip);
    if (fde < module.start || fde >= module.end) return none;

    ByteReader reader(fde, module.end);
    const auto length = reader.fixed<uint32_t>();
    const uint64_t end = reader.position() + length;
    if (!reader.ok() || length == 0 || length == kExtendedLength || !reader.set_end(end)) {
        return none;
    }
    const uint64_t cie_field = reader.position();
    const auto cie_distance = reader.fixed<uint32_t>();
    if (cie_distance == 0 || cie_distance > cie_field - module.start) return none;
    Cie cie;
    if (!read_cie(cie_field - cie_distance, module, &cie)) return none;
    const uint64_t first = reader.encoded(cie.pointer_encoding, module.eh_frame_header);
    const uint64_t bytes = reader.encoded(cie.pointer_encoding & 0x0f, 0);
    if (!reader.ok() || ip < first || ip - first >= bytes) return none;
    if (cie.signal_frame) return {ip, 0, 0, CfaKind::signal, FpKind::same};
    if (cie.has_augmentation) reader.skip(reader.uleb());
    if (!reader.ok()) return none;

    Interpreter interpreter(cie, module);
    if (!interpreter.run(cie.instructions, cie.end, first, ip)) return none;
    interpreter.set_initial();
    if (!interpreter.run(reader.position(), end, first, ip)) return none;
    return to_rule(ip, interpreter.row());
}

Rule find_rule(uint64_t ip) {
    if (_dl_find_object == nullptr) return {ip, 0, 0, CfaKind::none, FpKind::same};
    Module module;
    if (!find_module(ip, &module)) {
        // Code of no module was generated at run time, and code generators keep frame pointers.
        return {ip, cpu::kCfaFromFramePointer, cpu::kFramePointerFromCfa, CfaKind::from_fp,
                FpKind::from_cfa};
    }
    return find_rule_in(module, ip);
}

}  // namespace cowscope::unwind
