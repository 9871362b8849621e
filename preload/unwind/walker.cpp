#include "unwind/walker.h"

#include "unwind/signal_frame.h"

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
    void note_bp() {
        if (words_ != nullptr) words_->note_bp();
    }

  private:
    StackReader reader_;
    StackWords* words_;
};

bool uses_bp(const Rule& rule) {
    return rule.cfa == CfaKind::from_rbp || rule.cfa == CfaKind::rbp_deref ||
           rule.rbp == RbpKind::from_rbp;
}

bool find_cfa(const Rule& rule, const Registers& registers, NotingReader& stack, uint64_t* cfa) {
    const auto offset = static_cast<uint64_t>(int64_t{rule.cfa_offset});
    switch (rule.cfa) {
        case CfaKind::from_rsp:
            *cfa = registers.sp + offset;
            return true;
        case CfaKind::from_rbp:
            *cfa = registers.bp + offset;
            return true;
        case CfaKind::rbp_deref:
            return stack.read(registers.bp + offset, cfa);
        case CfaKind::plt:
            *cfa = registers.sp + ((registers.ip & 15) >= 11 ? 16 : 8);
            return true;
        default:
            return false;
    }
}

// Moves from a frame to its caller. False when there is no way further out.
bool step(const Rule& rule, NotingReader& stack, Registers* registers) {
    uint64_t cfa;
    if (!find_cfa(rule, *registers, stack, &cfa)) return false;
    // Frames only ever lie further up; anything else would be a loop.
    if (cfa <= registers->sp) return false;
    uint64_t return_address;
    if (!stack.read(cfa - 8, &return_address) || return_address == 0) return false;
    uint64_t bp = registers->bp;
    const auto bp_offset = static_cast<uint64_t>(int64_t{rule.rbp_offset});
    if (rule.rbp == RbpKind::from_cfa && !stack.read(cfa + bp_offset, &bp)) return false;
    if (rule.rbp == RbpKind::from_rbp && !stack.read(registers->bp + bp_offset, &bp)) return false;
    *registers = {return_address, cfa, bp};
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

uint32_t Walker::walk(Registers registers, const StackRange& stack, uint64_t* ips, uint32_t limit,
                      bool* complete, StackWords* read) {
    NotingReader reader(stack, read);
    uint32_t count = 0;
    *complete = false;
    // A return address may lie behind the last instruction of its function: look up the call.
    uint64_t back = 0;
    bool is_first_bp = true;  // rbp is as it was given
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
            if (!reader.read(context + kContextIpOffset, &words[0]) ||
                !reader.read(context + kContextSpOffset, &words[1]) ||
                !reader.read(context + kContextBpOffset, &words[2])) {
                break;
            }
            registers = {words[0], words[1], words[2]};
            back = 0;  // an interrupted instruction, not a call
            is_first_bp = false;
            continue;
        }
        if (is_first_bp && uses_bp(rule)) reader.note_bp();
        if (rule.rbp != RbpKind::same) is_first_bp = false;
        if (!step(rule, reader, &registers)) break;
        back = 1;
    }
    return count;
}

}  // namespace cowscope::unwind
