// Changes to the files of a trace folder that a fuzzer tries.
#pragma once

#include <random>

#include "tests/fuzz/trace_files.h"

namespace cowscope::fuzz {

// One change: of a field, a record, or a file; also new records with mostly possible fields.
// Lengths and committed_bytes stay sound, most times.
void mutate(Files* files, Kinds kinds, std::mt19937_64* random);
// Some records of `other` among those of `files`.
void cross(Files* files, const Files& other, std::mt19937_64* random);

}  // namespace cowscope::fuzz
