#include "runtime/counted_word.h"

namespace cowscope::runtime {

std::optional<uint32_t> kind_behind_count(const trace::EventRecord& event) {
    if ((event.header.flags & trace::kNoWord) != 0) return std::nullopt;
    const auto count = static_cast<uint32_t>(event.word);
    if (count == 0 || count >= 1u << 30) return std::nullopt;
    return static_cast<uint32_t>(event.word >> 32);
}

bool counts_at(const Write& write, unsigned width_bytes, uint64_t offset) {
    const decode::EffectiveAddress& address = write.instruction->address;
    return address.known && address.base.width_bytes != 0 && address.displacement == offset &&
           write.instruction->width_bytes == width_bytes && write.change &&
           (*write.change == 1 || *write.change == -1);
}

}  // namespace cowscope::runtime
