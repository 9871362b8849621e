// The shim's stack walker, over unwind tables and a stack that say anything: it comes to an end,
// and reads nothing that is not there.
#include <dlfcn.h>

#include <cstring>

#include "tests/fuzz/module_image.h"
#include "unwind/last_walk.h"

using namespace cowscope;

namespace {

// Before the image of a module, in an input. Then comes the image; the stack is its last bytes.
struct Start {
    uint32_t header;  // of .eh_frame_hdr, from the start of the module
    uint32_t ip;      // likewise
    uint16_t sp;      // from the start of the stack
    uint16_t bp;
    uint8_t module_hole;
    uint8_t stack_hole;
    uint16_t stack_bytes;
};
static_assert(sizeof(Start) == 16);

constexpr uint32_t kLimit = 64;

fuzz::Pages module(8);
fuzz::Pages stack(4);
uint64_t eh_frame_header;

void walk(unwind::Walker* walker, const cpu::Registers& registers,
          const unwind::StackRange& range) {
    static unwind::LastWalk<kLimit> last;
    uint64_t ips[kLimit];
    bool is_complete = false;
    const uint32_t depth = walker->walk(registers, range, ips, kLimit, &is_complete);
    if (depth == 0 || depth > kLimit || ips[0] != registers.ip) fuzz::fail("no walk");
    for (int again = 0; again < 2; ++again) {
        last.walk(walker, registers, range, kLimit);
        if (last.depth() != depth || std::memcmp(last.ips(), ips, depth * sizeof(ips[0])) != 0) {
            fuzz::fail("a remembered walk is another one");
        }
    }
}

}  // namespace

// In the place of the dynamic linker's: the module is the only one.
extern "C" int _dl_find_object(void* address, struct dl_find_object* result) {
    if (!module.holds(reinterpret_cast<uint64_t>(address))) return -1;
    *result = {};
    result->dlfo_map_start = reinterpret_cast<void*>(module.start());
    result->dlfo_map_end = reinterpret_cast<void*>(module.end());
    result->dlfo_eh_frame = reinterpret_cast<void*>(eh_frame_header);
    return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    Start start;
    if (size < sizeof(start)) return 0;
    std::memcpy(&start, data, sizeof(start));
    data += sizeof(start);
    size -= sizeof(start);
    const size_t stack_bytes = start.stack_bytes < size ? start.stack_bytes : size;
    module.fill(data, size - stack_bytes, start.module_hole);
    stack.fill(data + size - stack_bytes, stack_bytes, start.stack_hole);
    // Return addresses of the input's are relative to the module, and pointers to the stack.
    auto* words = reinterpret_cast<uint64_t*>(stack.start());
    for (size_t i = 0; i < stack_bytes / sizeof(uint64_t); ++i) {
        if (i / 512 == start.stack_hole) continue;
        const uint64_t word = words[i];
        if (word >> 32 == 1) words[i] = module.start() + (word & 0x7fff);
        if (word >> 32 == 2) words[i] = stack.start() + (word & 0x3fff);
    }
    eh_frame_header = module.start() + start.header % (module.end() - module.start());
    const uint64_t ip = module.start() + start.ip % (module.end() - module.start());

    static unwind::Walker walker;
    walker.forget_rules();
    for (uint64_t next = ip; next < ip + 64; next += 5) {
        const unwind::Rule rule = unwind::find_rule(next);
        if (rule.instruction_pointer != next) fuzz::fail("a rule of another instruction");
    }
    const uint64_t sp = stack.start() + start.sp % (stack.end() - stack.start());
    const cpu::Registers registers = {ip, sp, stack.start() + start.bp % 0x4000};
    walk(&walker, registers, {sp, stack.end()});
    static unwind::StackPages known;
    static uint64_t version = 0;
    known.begin(++version);
    walk(&walker, registers, {sp, stack.end(), false, &known});
    return 0;
}
