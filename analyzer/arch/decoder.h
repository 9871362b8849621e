// Reads machine code. Each processor's folder implements it in a decoder.cpp.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "arch/instruction_model.h"

namespace cowscope::arch {

// Decodes with Capstone. Not for use by two threads at once.
class Decoder {
  public:
    // Throws std::runtime_error where Capstone was built without this architecture.
    Decoder();
    ~Decoder();
    Decoder(Decoder&&) noexcept;
    Decoder& operator=(Decoder&&) noexcept;

    // The instruction that starts at code[0] and whose address in the process is `address`. Bytes
    // behind it do not matter. Empty where the bytes are no instruction or end within one.
    [[nodiscard]] std::optional<Instruction> decode(std::span<const uint8_t> code,
                                                    uint64_t address);

  private:
    struct Engine;
    std::unique_ptr<Engine> engine_;
};

}  // namespace cowscope::arch
