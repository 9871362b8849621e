#include "witness/handler.h"

#include "support/threads.h"
#include "witness/host_signals.h"
#include "witness/registers_x86_64.h"
#include "witness/sink.h"
#include "witness/trap.h"

#include "support/poison.h"

namespace cowscope::witness {
namespace {

// What lies between the interrupted instruction's red zone and here was written for this signal.
AddressRange own_frames(uint64_t interrupted_sp) {
    // System V ABI, x86-64, 3.2.2; and what the functions below this one push.
    constexpr uint64_t kRedZone = 128;
    constexpr uint64_t kBelow = 1024;
    // A signal's frame has up to 11 KiB of registers (Intel SDM 1, 13.5: with AMX).
    constexpr uint64_t kMostBytes = 32 * 1024;
    const auto here = reinterpret_cast<uint64_t>(__builtin_frame_address(0));
    const bool is_on_that_stack = here < interrupted_sp && interrupted_sp - here < kMostBytes;
    if (!is_on_that_stack) return {};
    return {here - kBelow, interrupted_sp - kRedZone};
}

}  // namespace

void on_trap(int signal, siginfo_t* info, void* context) {
    const auto& trap = *reinterpret_cast<const kernel::PerfSiginfo*>(info);
    if (!is_ours(trap)) {
        pass_trap_to_host(signal, info, context);
        return;
    }
    auto& interrupted = *static_cast<ucontext_t*>(context);
    if (!is_sink_free()) return;
    let_into_wait(&interrupted);
    Fault fault = {};
    fault.address = trap.address;
    fault.event_index = event_of(trap);
    fault.weight = weight_of(trap);
    fault.registers = unwind_registers(interrupted);
    fault.context = &interrupted;
    fault.own_frames = own_frames(fault.registers.sp);
    take_fault(trap, &fault);
}

}  // namespace cowscope::witness
