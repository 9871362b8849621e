// In which state an epoch is: how the writes of a process to what it shares are known, from one of
// its forks to the next.
//
//        a fork                              64 pages judged, or something comes
//          |                                 that a witness would not see
//          v        there is a witness                                  protected
//         off  ------------------------->  witnessing  ------>  listed  -------->  tracking
//          |                                   |                  ^  |                |
//          |   there is none, or it samples    |                  |  |                |
//          +-----------------------------------|------------------+  |                | nobody
//          shares
//                                              |                     |                | the pages
//             the trace reaches its size limit v                     v                v any more
//                                          counting  <---------------+          sole_owner
//                                              |                                      ^
//                                              +--------------------------------------+
//
// Only the functions of epoch/ that the transitions name call them; everybody else asks. The lock
// of the session is held.
#pragma once

#include <cstdint>

namespace cowscope::epoch {

class State {
  public:
    enum Name : uint8_t {
        off,         // nothing tells of writes
        sole_owner,  // nobody shares the pages any more: what is written copies nothing
        listed,      // the inherited pages are listed, but nothing tells which were written
        tracking,    // they are listed, and the kernel notes which were written
        // The witness judges each fault by the page itself; what is inherited is not listed.
        witnessing,
        counting,  // the same, and copies are only counted: the trace has reached its size limit
    };

    bool is(Name name) const { return name_ == name; }
    // Whether writes are known in any way.
    bool is_watching() const { return name_ >= listed; }
    bool is_listed() const { return name_ == listed || name_ == tracking; }
    // Whether the witness judges each fault by the page itself.
    bool is_classifying() const { return name_ >= witnessing; }

    // A new epoch (begin()).
    void begin() { name_ = off; }
    // There is a witness that is told of every fault (begin()).
    void witness() { name_ = witnessing; }
    // The inherited pages are known (start_tracking()).
    void list() { name_ = listed; }
    // And writes to them show in a census (start_tracking()).
    void protect() { name_ = tracking; }
    // stop_if_sole_owner(), still_shares().
    void be_sole_owner() { name_ = sole_owner; }
    // start_counting() in aggregate.cpp. Without a witness nobody tells of writes any more.
    void count(bool is_witnessed) { name_ = is_witnessed ? counting : off; }

  private:
    Name name_;
};

}  // namespace cowscope::epoch
