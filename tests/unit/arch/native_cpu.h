// Runs single instructions on the real processor, so that tests can hold the decoder against it.
#pragma once

#include <signal.h>
#include <sys/mman.h>
#include <ucontext.h>

#include <array>
#include <csetjmp>
#include <cstdint>
#include <cstring>
#include <span>
#include <stdexcept>

#include "decode/instruction.h"

namespace cowscope::test {

// How the run of one instruction ended. Behind the instruction stand breakpoints, so one that does
// nothing unusual ends with SIGTRAP.
struct Outcome {
    int signal = 0;
    uint64_t trap = 0;   // x86 exception number
    uint64_t error = 0;  // x86 error code of that exception
    uint64_t instruction_pointer = 0;
    uint64_t fault_address = 0;

    static constexpr uint64_t kPageFault = 14;  // Intel SDM, table 6-1
    static constexpr uint64_t kWriteBit = 2;    // of a page fault's error code, SDM 4.7

    [[nodiscard]] bool is_page_fault() const { return trap == kPageFault; }
    [[nodiscard]] bool is_write_fault() const {
        return is_page_fault() && (error & kWriteBit) != 0;
    }
};

// Only one at a time: it owns the process's handlers of fault signals while it lives.
class NativeCpu {
  public:
    static constexpr size_t kPageBytes = 4096;

    NativeCpu() {
        region_ = map(kRegionBytes, PROT_NONE);
        // Aligned so that the low 16 bits of code_ are no valid segment selector: instructions that
        // load one from memory filled with code addresses fault and leave fs alone.
        const auto start = (reinterpret_cast<uint64_t>(region_) + 0xffff) & ~uint64_t{0xffff};
        code_ = reinterpret_cast<uint8_t*>(start + 0xb000);
        data_ = reinterpret_cast<uint8_t*>(start + 0x20000);
        if (mprotect(code_, kPageBytes, PROT_READ | PROT_WRITE | PROT_EXEC) != 0) {
            throw std::runtime_error("no memory to run code in");
        }
        protect(PROT_READ | PROT_WRITE);
        stack_ = map(kStackBytes, PROT_READ | PROT_WRITE);
        stack_t stack = {};
        stack.ss_sp = stack_;
        stack.ss_size = kStackBytes;
        sigaltstack(&stack, &old_stack_);
        struct sigaction action = {};
        action.sa_sigaction = on_signal;
        action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
        for (size_t i = 0; i < kSignals.size(); ++i) {
            sigaction(kSignals[i], &action, &old_actions_[i]);
        }
    }
    ~NativeCpu() {
        for (size_t i = 0; i < kSignals.size(); ++i) {
            sigaction(kSignals[i], &old_actions_[i], nullptr);
        }
        sigaltstack(&old_stack_, nullptr);
        munmap(stack_, kStackBytes);
        munmap(region_, kRegionBytes);
    }
    NativeCpu(const NativeCpu&) = delete;
    NativeCpu& operator=(const NativeCpu&) = delete;

    // One page for operands; the pages before and behind it cannot be accessed.
    [[nodiscard]] uint8_t* data() const { return data_; }
    [[nodiscard]] uint64_t data_address() const { return reinterpret_cast<uint64_t>(data_); }
    void protect(int protection) const { mprotect(data_, kPageBytes, protection); }
    // Where run() places the instruction.
    [[nodiscard]] uint64_t instruction_address() const {
        return reinterpret_cast<uint64_t>(code_) + kPrologueBytes;
    }
    [[nodiscard]] uint64_t breakpoint_address() const {
        return reinterpret_cast<uint64_t>(code_) + kPageBytes - 8;
    }

    Outcome run(const decode::Registers& registers, std::span<const uint8_t> instruction) const {
        constexpr uint8_t kBreakpoint = 0xcc;  // int3
        std::memset(code_, kBreakpoint, kPageBytes);
        uint8_t* next = code_;
        for (unsigned index = 0; index < registers.general.size(); ++index) {
            // REX.W (and .B for r8-r15), B8+r, imm64: movabs.
            *next++ = static_cast<uint8_t>(0x48 | index >> 3);
            *next++ = static_cast<uint8_t>(0xb8 | (index & 7));
            std::memcpy(next, &registers.general[index], 8);
            next += 8;
        }
        std::memcpy(next, instruction.data(), instruction.size());
        if (sigsetjmp(return_point_, 1) == 0) {
            reinterpret_cast<void (*)()>(reinterpret_cast<uint64_t>(code_))();
        }
        return outcome_;
    }

  private:
    static constexpr size_t kRegionBytes = 1 << 20;
    static constexpr size_t kStackBytes = 1 << 18;
    static constexpr size_t kPrologueBytes = 16 * 10;
    static constexpr std::array kSignals = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP};

    static uint8_t* map(size_t bytes, int protection) {
        void* start = mmap(nullptr, bytes, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (start == MAP_FAILED) throw std::runtime_error("no memory");
        return static_cast<uint8_t*>(start);
    }

    static void on_signal(int signal, siginfo_t* info, void* context) {
        const auto& registers = static_cast<ucontext_t*>(context)->uc_mcontext.gregs;
        outcome_.signal = signal;
        outcome_.trap = static_cast<uint64_t>(registers[REG_TRAPNO]);
        outcome_.error = static_cast<uint64_t>(registers[REG_ERR]);
        outcome_.instruction_pointer = static_cast<uint64_t>(registers[REG_RIP]);
        outcome_.fault_address = reinterpret_cast<uint64_t>(info->si_addr);
        siglongjmp(return_point_, 1);
    }

    static inline sigjmp_buf return_point_;
    static inline Outcome outcome_;

    uint8_t* region_ = nullptr;
    uint8_t* code_ = nullptr;
    uint8_t* data_ = nullptr;
    uint8_t* stack_ = nullptr;
    stack_t old_stack_ = {};
    std::array<struct sigaction, kSignals.size()> old_actions_ = {};
};

}  // namespace cowscope::test
