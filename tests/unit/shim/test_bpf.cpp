#include <linux/audit.h>
#include <sys/syscall.h>

#include <vector>

#include "preload/support/bpf.h"
#include "tests/catch.h"

using namespace cowscope;

namespace {

constexpr uint32_t kErrno = SECCOMP_RET_ERRNO | 1;

uint32_t result(const std::vector<sock_filter>& program, int number, uint64_t argument = 0) {
    seccomp_data call{};
    call.nr = number;
    call.arch = AUDIT_ARCH_X86_64;
    call.args[1] = argument;
    return run_filter(program.data(), program.size(), call);
}

sock_filter load(uint32_t offset) {
    return BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offset);
}
sock_filter give(uint32_t action) {
    return BPF_STMT(BPF_RET | BPF_K, action);
}
sock_filter skip_unless(uint16_t condition, uint32_t value, uint8_t otherwise) {
    return BPF_JUMP(static_cast<uint16_t>(BPF_JMP | condition | BPF_K), value, 0, otherwise);
}

}  // namespace

TEST_CASE("a filter answers by architecture, number and argument", "[bpf]") {
    const std::vector<sock_filter> program = {
        load(offsetof(seccomp_data, arch)),
        skip_unless(BPF_JEQ, AUDIT_ARCH_X86_64, 6),
        load(offsetof(seccomp_data, nr)),
        skip_unless(BPF_JEQ, SYS_ioctl, 3),
        load(offsetof(seccomp_data, args) + sizeof(uint64_t)),
        skip_unless(BPF_JSET, 0x80000000, 1),
        give(kErrno),
        give(SECCOMP_RET_ALLOW),
        give(SECCOMP_RET_KILL_PROCESS),
    };
    CHECK(result(program, SYS_read) == SECCOMP_RET_ALLOW);
    CHECK(result(program, SYS_ioctl, 0x1234) == SECCOMP_RET_ALLOW);
    CHECK(result(program, SYS_ioctl, 0xc0001234) == kErrno);
    seccomp_data other{};
    other.arch = AUDIT_ARCH_I386;
    CHECK(run_filter(program.data(), program.size(), other) == SECCOMP_RET_KILL_PROCESS);
}

TEST_CASE("a filter computes, keeps values and returns them", "[bpf]") {
    const std::vector<sock_filter> program = {
        load(offsetof(seccomp_data, nr)),       BPF_STMT(BPF_ST, 3),
        BPF_STMT(BPF_ALU | BPF_ADD | BPF_K, 5), BPF_STMT(BPF_MISC | BPF_TAX, 0),
        BPF_STMT(BPF_LD | BPF_MEM, 3),          BPF_STMT(BPF_ALU | BPF_LSH | BPF_K, 4),
        BPF_STMT(BPF_ALU | BPF_OR | BPF_X, 0),  BPF_STMT(BPF_RET | BPF_A, 0),
    };
    CHECK(result(program, 2) == ((2U << 4) | 7U));
}

TEST_CASE("a program that no kernel takes is let be", "[bpf]") {
    CHECK(result({}, SYS_read) == SECCOMP_RET_ALLOW);
    CHECK(result({load(2)}, SYS_read) == SECCOMP_RET_ALLOW);
    CHECK(result({load(4000)}, SYS_read) == SECCOMP_RET_ALLOW);
    CHECK(result({BPF_STMT(BPF_JMP | BPF_JA, 0xfffffff0)}, SYS_read) == SECCOMP_RET_ALLOW);
}
