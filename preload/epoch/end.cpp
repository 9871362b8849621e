// The end of a process, or of what the shim does in it.

#include "epoch/end.h"

#include "epoch/census.h"
#include "epoch/epoch.h"
#include "epoch/track.h"

#include "support/poison.h"

namespace cowscope::epoch {

void look_last(bool is_exec) {
    if (sharing.epoch == nullptr) return;
    if (!sharing.epoch->state.is_watching()) {
        if (sharing.epoch->state.is(State::sole_owner) && !is_exec) {
            write_last_account();
            session::write_memory(trace::MemoryMoment::end);
        }
        return;
    }
    // exec gives the memory back at once, and is often all that a child is there for: where the
    // witness saw the few writes before it, they are enough.
    if (sharing.epoch->state.is_listed()) {
        read_mappings();
    } else if (!is_exec) {
        list_at_end();
    }
    if (!sharing.epoch->lacks_tracker) write_census(trace::CensusKind::final);
    if (is_exec) return;
    const uint64_t private_pages = write_last_account();
    // It would walk all pages once more, for a process that has hardly begun.
    const bool is_short = sharing.epoch->state.is(State::witnessing) &&
                          sharing.epoch->inherited.pages() > kWorthMeasuringPages;
    if (is_short) {
        session::write_known_memory(trace::MemoryMoment::end, trace::kCountedPages, private_pages);
    } else {
        session::write_memory(trace::MemoryMoment::end);
    }
}

void finish(trace::EndKind kind, int value) {
    if (!session::is_current()) return;
    const session::Locked locked;
    if (!session::self.is_counting) {
        session::self.writer.set_closing(true);
        look_last(kind == trace::EndKind::exec);
    }
    trace::EndRecord end = {};
    end.header = {sizeof(end), trace::RecordType::end, 0};
    end.time_ns = sys::monotonic_ns();
    end.kind = kind;
    end.value = value;
    session::self.writer.append(end.header);
    session::self.writer.trim();
    if (!session::self.is_counting) session::self.writer.set_closing(false);  // an exec may fail
    // What little comes now is not worth it.
    if (sharing.epoch != nullptr) sharing.epoch->pages_to_classify = 0;
    // The parent would keep them.
    if (session::self.shares_descriptors) close_all();
}

void close_all() {
    sharing.trap.close();
    sharing.tracker.close();
    sharing.look.close();
    session::self.writer.close();
    if (session::self.shares_descriptors) {
        session::self.folder.forget();
    } else {
        session::self.folder.close();
    }
    session::self.pid = 0;
}

}  // namespace cowscope::epoch
