// Made-up writes for the rules that say why a page was copied.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "attribute/cause.h"
#include "decode/instruction.h"
#include "runtime/process.h"
#include "tests/catch.h"

namespace cowscope {

inline const std::vector<uint8_t> kAddOne = {0x48, 0x83, 0x00, 0x01};  // add qword [rax], 1
inline const std::vector<uint8_t> kLockAddOne = {0xf0, 0x83, 0x00,
                                                 0x01};              // lock add dword [rax], 1
inline const std::vector<uint8_t> kStore = {0x48, 0x89, 0x03};       // mov [rbx], rax
inline const std::vector<uint8_t> kLoad = {0x48, 0x8b, 0x03};        // mov rax, [rbx]
inline const std::vector<uint8_t> kByteAddOne = {0x80, 0x00, 0x01};  // add byte [rax], 1

inline decode::Instruction decoded(const std::vector<uint8_t>& code) {
    decode::Decoder decoder;
    auto instruction = decoder.decode(code, 0x1000);
    REQUIRE(instruction);
    return *instruction;
}

// A write and its cause; on the heap of a program with debug info unless changed.
struct WriteCase {
    decode::Instruction instruction;
    runtime::Write input;

    explicit WriteCase(const std::vector<uint8_t>& code) : instruction(decoded(code)) {
        input.change = decode::change_of(instruction, nullptr, 0);
        input.region = runtime::Region::heap;
        input.has_debug_info = true;
        input.functions = {"main"};
    }
    std::optional<runtime::Verdict> verdict() {
        input.instruction = &instruction;
        return attribute::find_cause(input);
    }
    runtime::Cause cause() {
        const auto found = verdict();
        REQUIRE(found);
        CHECK_FALSE(found->evidence.empty());
        return found->cause;
    }
};

// What the table's members make of a word that code of that module wrote over.
inline runtime::Target target_of_word(std::string_view module, uint64_t word) {
    const trace::ProcessTrace process;
    trace::EventRecord event{};
    event.word = word;
    return runtime::ProcessRuntimes(process).target_of(event, 0, module);
}

}  // namespace cowscope
