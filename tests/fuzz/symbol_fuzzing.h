// What the fuzzers of ELF, DWARF and debug links share.
//
// elfutils is not built with libFuzzer's instruments: it can crash, and take for ever. What is held
// is what the analyzer promises all the same: an answer or none within its limits, and names of a
// bounded length. What ASan or UBSan find in our own code ends the reading process with a status of
// its own, which is a failure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "symbolize/symbol_helper.h"

namespace cowscope::fuzz {

// Small ones: an input that uses them up is one of many.
symbolize::HelperLimits small_limits();

// Asks for all that can be asked of the file, at some hundred places.
void ask_everything(const std::string& path, const std::string& debug_folder);

// The same of the input, as a module in a folder of its own.
void ask_about_module(const uint8_t* data, size_t size);

// The place of a section in an ELF file's bytes; of no bytes where it has none.
struct Extent {
    size_t start = 0;
    size_t bytes = 0;
};
std::vector<Extent> sections_of(const std::string& elf, const char* name_part);

// Of the bytes in [start, start + bytes) some.
void mutate_within(std::string* elf, const Extent& extent, uint64_t random);

}  // namespace cowscope::fuzz
