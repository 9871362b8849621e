// Whose objects lie where: patterns of ranges that repeat, packed into few bytes.
#include "tests/fuzz/fuzzer.h"
#include "trace/heap_owners.h"

using namespace cowscope;

namespace {

constexpr fuzz::Kind kOnlyKinds[] = {fuzz::Kind::owners};

}  // namespace

const fuzz::Kinds fuzz::kFuzzedKinds = kOnlyKinds;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    fuzz::for_each_file(data, size, [](const std::string& path) {
        const trace::Owners owners = trace::read_owners(path);
        uint64_t last_end = 0;
        size_t left = 1000;
        // The first of them: repetitions can be any number.
        const uint64_t step = owners.ranges.end() / 64 + 1;
        for (uint64_t from = 0; from < owners.ranges.end() && left != 0; from += step) {
            owners.ranges.for_each_in(
                from, from + 1, [&](uint64_t start, uint64_t length, uint32_t owner) {
                    if (owner == 0 || owner > owners.owners.size() || length == 0) {
                        fuzz::fail("a range of nobody");
                    }
                    if (start < last_end && start + length > last_end) {
                        fuzz::fail("ranges overlap");
                    }
                    last_end = start + length;
                    --left;
                });
            if (owners.ranges.find(from) > owners.owners.size()) fuzz::fail("no such owner");
        }
    });
    return 0;
}
