// Modules: headers, segments, sections, symbols, notes.
#include <cstring>

#include "tests/fuzz/symbol_fuzzing.h"

using namespace cowscope;

extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t most);

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t most, unsigned seed) {
    if (seed % 4 == 0) return LLVMFuzzerMutate(data, size, most);
    std::string elf(reinterpret_cast<const char*>(data), size);
    // Headers, and tables at both ends of the file, and what symbols are made of.
    std::vector<fuzz::Extent> parts = {
        {0, std::min<size_t>(size, 0x400)},
        {size - std::min<size_t>(size, 0x900), std::min<size_t>(size, 0x900)}};
    for (const char* name : {"sym", "str", "note", "dyn"}) {
        for (const fuzz::Extent& each : fuzz::sections_of(elf, name)) parts.push_back(each);
    }
    fuzz::mutate_within(&elf, parts[seed / 4 % parts.size()], seed);
    std::memcpy(data, elf.data(), size);
    return size;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    fuzz::ask_about_module(data, size);
    return 0;
}
