// Debug information: units, abbreviations, functions, inlined calls, lines, ranges.
#include <cstring>

#include "tests/fuzz/symbol_fuzzing.h"

using namespace cowscope;

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t /*most*/,
                                          unsigned seed) {
    std::string elf(reinterpret_cast<const char*>(data), size);
    const auto parts = fuzz::sections_of(elf, "debug_");
    if (parts.empty()) return size;
    fuzz::mutate_within(&elf, parts[seed % parts.size()], seed);
    std::memcpy(data, elf.data(), size);
    return size;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    fuzz::ask_about_module(data, size);
    return 0;
}
