// What the recorder has seen from outside.
#include "tests/fuzz/fuzzer.h"
#include "trace/outside.h"

using namespace cowscope;

namespace {

constexpr fuzz::Kind kOnlyKinds[] = {fuzz::Kind::outside};

}  // namespace

const fuzz::Kinds fuzz::kFuzzedKinds = kOnlyKinds;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    fuzz::for_each_file(data, size, [](const std::string& path) {
        const auto outside = trace::read_outside(path);
        if (!outside) fuzz::fail("a file that is there is not read");
        if (outside->samples.size() > trace::kMaxOutsideSamples) fuzz::fail("too many samples");
        uint64_t last_ns = 0;
        for (const trace::OutsideSample& sample : outside->samples) {
            if (sample.time_ns < last_ns) fuzz::fail("samples out of order");
            last_ns = sample.time_ns;
        }
    });
    return 0;
}
