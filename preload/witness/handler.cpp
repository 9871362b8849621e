#include "witness/handler.h"

#include "arch/cpu.h"
#include "support/threads.h"
#include "witness/host_signals.h"
#include "witness/sink.h"
#include "witness/trap.h"

#include "support/poison.h"

namespace cowscope::witness {
namespace {

// What lies between the interrupted instruction's red zone and here was written for this signal.
AddressRange own_frames(uint64_t interrupted_sp) {
    constexpr uint64_t kBelow = 1024;  // what the functions below this one push
    const auto here = reinterpret_cast<uint64_t>(__builtin_frame_address(0));
    const bool is_on_that_stack =
        here < interrupted_sp && interrupted_sp - here < cpu::kMostSignalFrameBytes;
    if (!is_on_that_stack) return {};
    return {here - kBelow, interrupted_sp - cpu::kRedZoneBytes};
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
    fault.registers = cpu::registers_of(interrupted);
    fault.context = &interrupted;
    fault.own_frames = own_frames(fault.registers.sp);
    take_fault(trap, &fault);
}

}  // namespace cowscope::witness
