// What a bounded recording has only counted: the bound, and the table of each program.
#include "base/error.h"
#include "tests/fuzz/fuzzer.h"
#include "trace/aggregates.h"

using namespace cowscope;

namespace {

constexpr fuzz::Kind kOnlyKinds[] = {fuzz::Kind::bound, fuzz::Kind::later};

}  // namespace

const fuzz::Kinds fuzz::kFuzzedKinds = kOnlyKinds;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    static const fuzz::Folder folder;
    folder.clear();
    for (const fuzz::File& file : fuzz::parse(data, size, fuzz::kFuzzedKinds)) {
        folder.write(fuzz::name_of(file), fuzz::bytes_of(file));
    }
    std::vector<std::string> damage;
    const auto bound = trace::read_bound(folder.path(), &damage);
    for (const std::string& path : trace::find_aggregates(folder.path())) {
        try {
            const trace::Later later = trace::read_aggregates(path);
            for (const trace::AggregateCallSite& site : later.sites) {
                if (site.copies == 0) fuzz::fail("a place that copied nothing");
                if (site.ips.size() > trace::kAggregateDepth) fuzz::fail("a stack too deep");
                if (site.runtime_frames.size() > trace::kAggregateFrameDepth)
                    fuzz::fail("a stack too deep");
            }
            size_t bytes = 0;
            for (const auto& [number, code] : later.codes) {
                bytes += code.name.size() + code.file.size() + code.line_table.size();
            }
            if (bytes > size) fuzz::fail("more text than the file holds");
        } catch (const Error&) {
        }
    }
    if (!bound && !damage.empty() && damage.front().empty()) fuzz::fail("damage without a word");
    return 0;
}
