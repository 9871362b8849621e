// The recorder's reading of segments, which it takes for hostile: as they grow, record by record.
#include "base/error.h"
#include "observe/segment_tail.h"
#include "tests/fuzz/fuzzer.h"

using namespace cowscope;

namespace {

constexpr fuzz::Kind kOnlyKinds[] = {fuzz::Kind::segment};

// What can be scanned can be read, or is refused with one line.
void look(observe::SegmentTail* tail) {
    try {
        tail->read_on();
        if (!tail->can_be_scanned()) return;
        trace::PageSet inherited;
        tail->read_inherited(&inherited);
        for (const trace::PageRun& run : tail->epoch()->discarded.runs()) {
            if (inherited.contains(run.start)) fuzz::fail("a page was given up and is inherited");
        }
    } catch (const Error&) {
    }
}

}  // namespace

const fuzz::Kinds fuzz::kFuzzedKinds = kOnlyKinds;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    static const fuzz::Folder folder;
    folder.clear();
    for (const fuzz::File& file : fuzz::parse(data, size, fuzz::kFuzzedKinds)) {
        if (file.kind != fuzz::Kind::segment) continue;
        const std::string name = fuzz::name_of(file);
        observe::SegmentTail tail(folder.path() + "/" + name);
        // Each look finds some records more. The header says what all of them are.
        fuzz::File grown = file;
        grown.records.clear();
        const size_t step = file.records.size() / 4 + 1;
        for (size_t i = 0; i < file.records.size(); ++i) {
            grown.records.push_back(file.records[i]);
            if (i % step == step - 1 || i + 1 == file.records.size()) {
                folder.write(name, fuzz::bytes_of(grown));
                look(&tail);
            }
        }
    }
    return 0;
}
