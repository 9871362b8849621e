// The shim's search for symbols, in a module that may be anything: it comes to an end, reads
// nothing that is not there, and finds nothing outside of the module.
#include "support/symbol_lookup.h"
#include "tests/fuzz/module_image.h"

using namespace cowscope;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    static fuzz::Pages module(8);
    if (size == 0) return 0;
    // The first byte says which page cannot be read; the image of a module follows.
    module.fill(data + 1, size - 1, data[0]);
    Symbol symbols[] = {{"run"}, {"data"}, {"counter"}, {"PyType_Type"}, {""}};
    find_symbols_of(reinterpret_cast<const void*>(module.start()), symbols, 5);
    for (const Symbol& each : symbols) {
        // Segments may be said to be anywhere: what is read there is what is there.
        if (each.address != 0 &&
            (each.address < each.module_start || each.address >= each.module_end)) {
            fuzz::fail("a symbol outside of its module");
        }
    }
    return 0;
}
