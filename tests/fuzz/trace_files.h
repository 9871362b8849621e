// What a fuzzer's input says: the files of a trace folder, each as a header and records, so that a
// mutation can change a record and leave those around it sound.
//
// An input is a row of files. Each is one byte of kind (low three bits) and process (next two),
// three bytes of length, and as many bytes. Any row of bytes is an input: what is cut off at the
// end is a shorter file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "preload/format/trace_format.h"

namespace cowscope::fuzz {

enum class Kind : uint8_t { segment, outside, owners, recording, bound, later };
inline constexpr uint8_t kKinds = 6;
inline constexpr Kind kAllKinds[] = {Kind::segment,   Kind::outside, Kind::owners,
                                     Kind::recording, Kind::bound,   Kind::later};
// Those that a fuzzer is about.
using Kinds = std::span<const Kind>;
inline constexpr uint8_t kProcesses = 4;
inline constexpr size_t kMostFiles = 12;

struct File {
    Kind kind = Kind::segment;
    uint8_t process = 0;
    std::string header;  // of a framed file
    // The last one may be anything. Of a file without records (recording.json, bound, later-*) all
    // of it.
    std::vector<std::string> records;
};

using Files = std::vector<File>;

// Of a framed file.
inline constexpr size_t kHeaderBytes = sizeof(trace::SegmentHeader);

// A file of another kind than those becomes one of them.
Files parse(const uint8_t* data, size_t size, Kinds kinds = kAllKinds);
std::string to_input(const Files& files);

std::string bytes_of(const File& file);
// As the recorder and the shim name them.
std::string name_of(const File& file);

// Whether it has a header and records.
bool is_framed(const File& file);

// The number at an offset, or 0 behind the end; where it is set, nothing happens behind the end.
template <typename Number>
Number get(const std::string& bytes, size_t offset) {
    Number value{};
    if (offset + sizeof(value) <= bytes.size()) {
        std::memcpy(&value, bytes.data() + offset, sizeof(value));
    }
    return value;
}

template <typename Number>
void put(std::string* bytes, size_t offset, Number value) {
    if (offset + sizeof(value) <= bytes->size()) {
        std::memcpy(bytes->data() + offset, &value, sizeof(value));
    }
}

}  // namespace cowscope::fuzz
