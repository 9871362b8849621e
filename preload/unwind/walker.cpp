#include "unwind/walker.h"

#include "arch/cpu.h"

#include "support/poison.h"

namespace cowscope::unwind {
namespace {

// Reads the stack for a walk, which remembers the words.
class NotingReader {
  public:
    NotingReader(const StackRange& stack, StackWords* words) : reader_(stack), words_(words) {}
    bool read(uint64_t address, uint64_t* value) {
        if (!reader_.read(address, value)) {
            // Its page may be there the next time.
            if (words_ != nullptr && reader_.is_within(address)) words_->forget();
            return false;
        }
        if (words_ != nullptr) words_->note(address, *value);
        return true;
    }
    void note_fp() {
        if (words_ != nullptr) words_->note_fp();
    }

  private:
    StackReader reader_;
    StackWords* words_;
};

bool uses_fp(const Rule& rule) {
    return rule.cfa == CfaKind::from_fp || rule.cfa == CfaKind::fp_deref ||
           rule.fp == FpKind::from_fp;
}

bool find_cfa(const Rule& rule, const cpu::Registers& registers, NotingReader& stack,
              uint64_t* cfa) {
    const auto offset = static_cast<uint64_t>(int64_t{rule.cfa_offset});
    switch (rule.cfa) {
        case CfaKind::from_sp:
            *cfa = registers.sp + offset;
            return true;
        case CfaKind::from_fp:
            *cfa = registers.fp + offset;
            return true;
        case CfaKind::fp_deref:
            return stack.read(registers.fp + offset, cfa);
        case CfaKind::stub:
            *cfa = cpu::stub_cfa(registers.ip, registers.sp);
            return true;
        default:
            return false;
    }
}

// Moves from a frame to its caller. False when there is no way further out.
bool step(const Rule& rule, NotingReader& stack, cpu::Registers* registers) {
    uint64_t cfa;
    if (!find_cfa(rule, *registers, stack, &cfa)) return false;
    // Frames only ever lie further up; anything else would be a loop.
    if (cfa <= registers->sp) return false;
    uint64_t return_address;
    if (!stack.read(cfa + static_cast<uint64_t>(cpu::kReturnAddressFromCfa), &return_address) ||
        return_address == 0)
        return false;
    uint64_t fp = registers->fp;
    const auto fp_offset = static_cast<uint64_t>(int64_t{rule.fp_offset});
    if (rule.fp == FpKind::from_cfa && !stack.read(cfa + fp_offset, &fp)) return false;
    if (rule.fp == FpKind::from_fp && !stack.read(registers->fp + fp_offset, &fp)) return false;
    *registers = {return_address, cfa, fp};
    return true;
}

}  // namespace

void Walker::forget_rules() {
    ++rules_version_;
    for (auto& set : rules_) {
        for (Rule& rule : set) rule.instruction_pointer = 0;
    }
}

const Rule& Walker::rule_for(uint64_t ip) {
    // Fibonacci hashing: the high bits of the product depend on all bits of the address.
    Rule(&set)[kWays] = rules_[(ip * 0x9e3779b97f4a7c15u) >> 56];
    static_assert(kSets == size_t{1} << (64 - 56));
    if (set[0].instruction_pointer == ip) return set[0];
    if (set[1].instruction_pointer == ip) return set[1];
    const Rule found = find_rule(ip);
    // Every process that finds one writes to this page: what is found again is left where it is.
    if (set[0].instruction_pointer != 0) set[1] = set[0];
    set[0] = found;
    return set[0];
}

uint32_t Walker::walk(cpu::Registers registers, const StackRange& stack, uint64_t* ips,
                      uint32_t limit, bool* complete, StackWords* read) {
    NotingReader reader(stack, read);
    uint32_t count = 0;
    *complete = false;
    // A return address may lie behind the last instruction of its function: look up the call.
    uint64_t back = 0;
    bool is_first_fp = true;  // the frame pointer is as it was given
    while (count < limit) {
        ips[count++] = registers.ip;
        const Rule& rule = rule_for(registers.ip - back);
        if (rule.cfa == CfaKind::outermost) {
            *complete = true;
            break;
        }
        if (rule.cfa == CfaKind::signal) {
            uint64_t words[3];
            const uint64_t context = registers.sp;
            if (!reader.read(context + cpu::kContextIpOffset, &words[0]) ||
                !reader.read(context + cpu::kContextSpOffset, &words[1]) ||
                !reader.read(context + cpu::kContextFpOffset, &words[2])) {
                break;
            }
            registers = {words[0], words[1], words[2]};
            back = 0;  // an interrupted instruction, not a call
            is_first_fp = false;
            continue;
        }
        if (is_first_fp && uses_fp(rule)) reader.note_fp();
        if (rule.fp != FpKind::same) is_first_fp = false;
        if (!step(rule, reader, &registers)) break;
        back = 1;
    }
    return count;
}

}  // namespace cowscope::unwind
