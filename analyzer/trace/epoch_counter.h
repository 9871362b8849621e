// What both passes over a segment, the one for its tables and the one for its events, must see
// alike.
#pragma once

#include <cstddef>
#include <cstdint>

#include "trace/list_parts.h"
#include "trace/page_set.h"
#include "trace/segment_reader.h"

namespace cowscope::trace {

// Which of a process's epochs a record belongs to.
class EpochCounter {
  public:
    // Shown every record that begins or lists an epoch. True: a new one begins.
    bool take(const RecordView& record) {
        if (record.type == RecordType::epoch) {
            number_ = record.as<EpochRecord>().epoch;
            parts_ = {};
            ++count_;
            return true;
        }
        const auto fixed = record.as<InheritedRecord>();
        if (!parts_.take(record.flags, fixed.time_ns).is_first) return false;
        const uint32_t number = fixed.epoch;
        const bool is_new = count_ == 0 || number != number_;
        number_ = number;
        if (is_new) ++count_;
        return is_new;
    }
    // Of the newest one.
    size_t index() const { return count_ - 1; }

  private:
    size_t count_ = 0;
    uint32_t number_ = 0;
    ListParts parts_;
};

// Whether both ranges are pages of an address space.
inline bool is_possible_move(const MovedRecord& moved) {
    return PageSet().append(moved.from) && PageSet().append({moved.to, moved.from.pages});
}

}  // namespace cowscope::trace
