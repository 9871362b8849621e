// Who forked whom, by what the processes say of themselves.
#include "tests/catch.h"
#include "trace/trace.h"

using namespace cowscope;

namespace {

trace::ProcessTrace process(uint32_t pid, uint64_t created_ns, uint32_t parent = 0,
                            uint64_t parent_created_ns = 0) {
    trace::ProcessTrace made;
    made.header.pid = pid;
    made.header.created_ns = created_ns;
    made.process.pid = pid;
    made.process.start_ns = created_ns;
    made.process.role = parent_created_ns == 0 ? trace::Role::image : trace::Role::fork;
    made.process.parent_pid = parent;
    made.process.parent_created_ns = parent_created_ns;
    return made;
}

}  // namespace

TEST_CASE("a number that several processes had names the right one", "[parents]") {
    trace::Trace trace;
    trace.processes = {
        process(1, 100),            // an image
        process(7, 200, 1, 100),    // its child
        process(7, 300),            // became another program,
        process(7, 400, 1, 100),    // and later the number was a third one's
        process(8, 500, 7, 200),    // forked by the first of them, late
        process(1, 600, 7, 400),    // the first in a namespace of its own
        process(9, 700, 1, 600),    // and its child
        process(10, 800, 7, 999),   // whose parent left no trace
        process(11, 900, 11, 900),  // itself
        process(12, 910, 13, 920),  // one behind it
        process(13, 920, 12, 910),
    };
    trace::find_parents(&trace);
    const auto parent = [&](size_t i) { return trace.processes[i].parent; };
    CHECK_FALSE(parent(0));
    CHECK(parent(1) == 0u);
    CHECK_FALSE(parent(2));
    CHECK(parent(3) == 0u);
    CHECK(parent(4) == 1u);
    CHECK(parent(5) == 3u);
    CHECK(parent(6) == 5u);
    CHECK_FALSE(parent(7));
    CHECK_FALSE(parent(8));
    CHECK_FALSE(parent(9));
    CHECK(parent(10) == 9u);
}
