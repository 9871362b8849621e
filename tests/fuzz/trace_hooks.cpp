// libFuzzer's hooks for mutations, over trace_files.h.
#include <algorithm>
#include <cstring>

#include "tests/fuzz/fuzzer.h"
#include "tests/fuzz/mutations.h"

extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t most);

namespace cowscope::fuzz {
namespace {

size_t put_back(const Files& files, uint8_t* data, size_t most) {
    const std::string input = to_input(files);
    const size_t size = std::min(input.size(), most);
    std::memcpy(data, input.data(), size);
    return size;
}

}  // namespace
}  // namespace cowscope::fuzz

using namespace cowscope::fuzz;

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t most, unsigned seed) {
    std::mt19937_64 random(seed);
    // Now and then plain bytes, with libFuzzer's table of what the program compared with.
    if (random() % 8 == 0) return LLVMFuzzerMutate(data, size, most);
    Files files = parse(data, size, kFuzzedKinds);
    for (size_t left = 1 + random() % 4; left != 0; --left) mutate(&files, kFuzzedKinds, &random);
    return put_back(files, data, most);
}

extern "C" size_t LLVMFuzzerCustomCrossOver(const uint8_t* data1, size_t size1,
                                            const uint8_t* data2, size_t size2, uint8_t* out,
                                            size_t most, unsigned seed) {
    std::mt19937_64 random(seed);
    Files files = parse(data1, size1, kFuzzedKinds);
    cross(&files, parse(data2, size2, kFuzzedKinds), &random);
    return put_back(files, out, most);
}
