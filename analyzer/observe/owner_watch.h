// Finds the owners of objects of the recorded CPython programs while they run: a thread that looks
// at a process right after it was seen to fork, when it shares its objects with a child and, in
// most programs, waits for it.
//
// It only reads the process's memory. Nothing here throws, and no error ends the recording.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <thread>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/file_descriptor.h"
#include "base/other_process.h"
#include "observe/share_of_bound.h"
#include "runtime/heap/heap.h"

namespace cowscope::observe {

struct OwnerPace {
    runtime::WalkLimits limits;
    // Between two looks at one process, at least; and so much more for every ns that a look took.
    uint64_t interval_ns = 250'000'000;
    uint64_t rest_per_work = 20;
    // What takes longer than this gives way to the program: a short program's objects must be seen
    // at once, and one with many lives longer.
    uint64_t urgent_cpu_ns = 500'000'000;
    // A trace holds no more of them.
    unsigned most_looks = 32;
    // How long finish() waits for a look that was told to end.
    uint64_t longest_end_ns = 5'000'000'000;
};

class OwnerWatch {
  public:
    // `share`, where there is one, must outlive this.
    explicit OwnerWatch(std::string folder, OwnerPace pace = {}, ShareOfBound* share = nullptr);
    ~OwnerWatch();
    OwnerWatch(const OwnerWatch&) = delete;
    OwnerWatch& operator=(const OwnerWatch&) = delete;

    // When the program has ended. What is being looked at is written as far as it was seen. False
    // where the look did not end in time (its memory may be served by somebody who does not answer,
    // userfaultfd(2)): then this, and what it was given, must be kept for good.
    [[nodiscard]] bool finish();

    // What could not be done, each thing once; one line each. Behind a finish() that was true.
    const std::vector<std::string>& notes() const { return notes_; }

  private:
    struct Segment {
        std::string name;
        pid_t pid = 0;
        uint64_t created_ns = 0;
    };
    struct Parent {
        Segment segment;
        bool is_due = false;
        uint64_t next_look_ns = 0;
    };

    void run();
    // Until something happens in the folder, a look is due, or finish() is called.
    void wait();
    void read_changes();
    void list_folder();
    void add_file(const std::string& name);
    void find_forks();
    void take_segment(const Segment& segment);
    pid_t parent_of(const Segment& child) const;
    void give_way();
    void look_at_due();
    void look_at(Parent* parent);
    runtime::WalkLimits limits_of(const OtherProcess& process) const;
    void note(const std::string& line);

    std::string folder_;
    OwnerPace pace_;
    ShareOfBound* share_;
    FileDescriptor changes_;  // inotify(7); without it the folder is read now and then
    int others_ = -1;         // the watch of the folder of other users in it
    FileDescriptor wake_;     // eventfd(2)
    FileDescriptor ended_;    // likewise, of the thread
    std::atomic<bool> has_ended_{false};
    std::atomic<bool> must_end_{false};
    bool must_list_ = true;  // the folder, because changes may have been missed
    std::unordered_set<std::string> known_;
    std::vector<Segment> unresolved_;              // children whose parent is not known yet
    std::unordered_map<pid_t, Parent> processes_;  // the newest image or fork of each pid
    std::vector<pid_t> due_;                       // of processes_, those to look at
    unsigned looks_ = 0;
    bool gave_way_ = false;
    std::vector<std::string> notes_;
    std::thread thread_;
};

}  // namespace cowscope::observe
