// Looks at the recorded processes from outside while they run, because some ends let no code of the
// process run (SIGKILL, a raw exit_group): the last census from outside is then what is known of
// its pages. The scans also show how the copies grew over time.
//
// A process is known by its segment in the trace folder, and recognised by having that very segment
// mapped: an id alone may be someone else's by now, or another one's in another pid namespace.
// Everything found in the folder is taken as it may be hostile. Nothing here throws, and no error
// ends the recording.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "base/other_process.h"
#include "observe/outside_file.h"
#include "observe/page_census.h"
#include "observe/segment_tail.h"

namespace cowscope::observe {

struct ScanPace {
    // Between two looks at the same process, while there is little to look at.
    uint64_t interval_ns = 250'000'000;
    // Looks take at most one part in this of the time that passes: less than 1 % of a core.
    uint64_t rest_per_work = 128;
    // A round that took this much CPU time goes on at the next call, so that the looks are spread.
    uint64_t round_cpu_ns = 2'000'000;
    // The same for finish(), which keeps the user waiting.
    uint64_t finish_cpu_ns = 100'000'000;
};

// What the looks have seen until now.
struct SeenSoFar {
    uint64_t processes = 0;     // that were recorded, ended ones too
    uint64_t running = 0;       // of them
    uint64_t copied_pages = 0;  // when each was looked at last
};

class OutsideScan {
  public:
    // `share`, where there is one, must outlive this.
    explicit OutsideScan(std::string folder, const ScanPace& pace = {},
                         ShareOfBound* share = nullptr);

    // Looks, if it is time to. Returns in how many ns to call again.
    uint64_t tick();
    // Looks a last time, when the program has ended.
    void finish();

    SeenSoFar seen_so_far() const;

    // What could not be done, each thing once; one line each.
    const std::vector<std::string>& notes() const { return notes_; }

  private:
    struct Followed {
        explicit Followed(SegmentTail its_tail) : tail(std::move(its_tail)) {}

        SegmentTail tail;
        std::string segment;  // name of the file
        pid_t pid = 0;
        uint64_t created_ns = 0;
        Samples samples;
        trace::OutsideSample last_sample{};
        trace::AccountRecord most{};  // of the scan where it had most to itself
        uint64_t most_private = 0;    // pages that it had there, the copied ones too
        unsigned scans_until_count = 0;
        uint64_t earlier_copies = 0;  // pages, of epochs before that sample's
        bool has_file = false;        // a census was written
        unsigned unrecognised = 0;    // times in a row that the process had no such segment mapped
    };
    // Whether to look again.
    enum class Verdict { keep, drop };

    void look_at_all(uint64_t cpu_ns);
    void find_segments();
    Verdict look_at(Followed* followed);
    Verdict scan(const OtherProcess& process, Followed* followed);
    void count_alone(int pagemap, const trace::OutsideSample& sample, Followed* followed);
    void tell_fate(Followed* followed, trace::FateRecord fate);
    void check_written(int error);
    void note_no_scan(const std::string& why);
    void note(const std::string& line);

    std::string folder_;
    ScanPace pace_;
    ShareOfBound* share_;
    uint64_t next_look_ns_;  // CLOCK_MONOTONIC
    std::unordered_set<std::string> known_segments_;
    std::deque<Followed> followed_;  // who was not looked at for longest comes first
    PageScanner scanner_;
    // Kept for their memory: getting it anew for every scan would cost more than the scan.
    trace::PageSet inherited_;
    PageCensus census_;
    std::string file_content_;
    uint64_t copies_of_dropped_ = 0;
    std::vector<std::string> notes_;
};

// How a process ended that nobody has waited for yet; kind 0 unless it is certain that it is the
// forked child that `process` describes. `status` was read at `now_ns` (CLOCK_MONOTONIC).
trace::FateRecord fate_of_zombie(const ProcessStatus& status, bool may_inspect,
                                 const trace::ProcessRecord& process, uint64_t now_ns);

}  // namespace cowscope::observe
