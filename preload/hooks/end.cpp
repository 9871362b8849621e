// The end of a process, as far as code inside it can see: exit() through the handlers that the
// constructor registered, _exit() and its kin through interposition, exec in exec.cpp, signals in
// signals.cpp.

#include "epoch/process.h"
#include "hooks/interpose.h"
#include "hooks/real.h"

#include "support/poison.h"

namespace cowscope::process {

void look_last(bool is_exec) {
    if (process.tracked == nullptr) return;
    if (process.tracked->stage == Stage::off) {
        if (process.tracked->is_alone && !is_exec) {
            write_last_account();
            write_memory(trace::MemoryMoment::end);
        }
        return;
    }
    // exec gives the memory back at once, and is often all that a child is there for: where the
    // witness saw the few writes before it, they are enough.
    if (process.tracked->stage == Stage::tracking) {
        read_mappings();
    } else if (!is_exec) {
        list_at_end();
    }
    if (!process.tracked->lacks_tracker) write_census(trace::CensusKind::final);
    if (is_exec) return;
    const uint64_t private_pages = write_last_account();
    // It would walk all pages once more, for a process that has hardly begun.
    const bool is_short = process.tracked->stage == Stage::witnessing &&
                          process.tracked->inherited.pages() > kWorthMeasuringPages;
    if (is_short) {
        write_known_memory(trace::MemoryMoment::end, trace::kCountedPages, private_pages);
    } else {
        write_memory(trace::MemoryMoment::end);
    }
}

void finish(trace::EndKind kind, int value) {
    if (!is_current()) return;
    const Locked locked;
    if (!process.is_counting) {
        process.writer.set_closing(true);
        look_last(kind == trace::EndKind::exec);
    }
    trace::EndRecord end = {};
    end.header = {sizeof(end), trace::RecordType::end, 0};
    end.time_ns = sys::monotonic_ns();
    end.kind = kind;
    end.value = value;
    process.writer.append(end.header);
    process.writer.trim();
    if (!process.is_counting) process.writer.set_closing(false);  // an exec may fail
    // What little comes now is not worth it.
    if (process.tracked != nullptr) process.tracked->pages_before_tracking = 0;
    // The parent would keep them.
    if (process.shares_descriptors) close_all();
}

void close_all() {
    process.trap.close();
    process.tracker.close();
    process.look.close();
    process.writer.close();
    if (process.shares_descriptors) {
        process.folder.forget();
    } else {
        process.folder.close();
    }
    process.pid = 0;
}

}  // namespace cowscope::process

COWSCOPE_INTERPOSED void _exit(int status) {
    cowscope::process::finish(cowscope::trace::EndKind::exit, status & 0xff);
    cowscope::process::real().exit(status);
    __builtin_unreachable();
}
COWSCOPE_INTERPOSED void _Exit(int status) {
    _exit(status);
}

// Its handlers still run before the last one, which the constructor registered first.
COWSCOPE_INTERPOSED void quick_exit(int status) {
    cowscope::process::process.quick_exit_status = status;
    cowscope::process::real().quick_exit(status);
    __builtin_unreachable();
}
