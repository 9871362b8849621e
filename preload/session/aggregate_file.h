// The file that the processes of this program count in once its recording has reached its bound
// (COWSCOPE_MAX_TRACE): the places that copy, and the names of a runtime's code objects there
// (aggregate_format.h). Forked children inherit its mapping.
//
// create() is for the time before the first fork; everything else is async-signal-safe, for several
// threads and processes at once.
#pragma once

#include "session/call_site_table.h"
#include "session/code_store.h"
#include "support/syscall.h"

namespace cowscope::session {

class AggregateFile {
  public:
    // Without room for it there is none, nor where a full disk could take it away again.
    void create();
    bool exists() const { return header_ != nullptr; }

    // Not without a table.
    trace::AggregateCounts& counts() const { return header_->counts; }
    CallSiteTable places() const;
    CodeStore codes() const;

    // Gives this process the pages of all of it: each that faults in the handler raises one of the
    // witness's signals.
    void populate() const;
    void unlock() const {
        if (header_ != nullptr) sys::unlock(header_, parts_.bytes);
    }

  private:
    // Not by the header, which others may damage.
    struct Parts {
        uint64_t slot_count;
        uint64_t code_count;
        uint64_t text_bytes;
        uint64_t bytes;  // of all
    };
    static Parts plan();
    bool map(const trace::AggregateHeader& header, const Parts& parts);

    trace::AggregateHeader* header_ = nullptr;
    Parts parts_ = {};
};

// Of this program. Written to once, before anything forks.
extern constinit AggregateFile aggregate_file;

}  // namespace cowscope::session
