// Where the floors below the session put records of the trace. The session's writer is one
// (session/writer.h, Writer::sink()), which says what its functions promise; a test has another.
//
// Async-signal-safe; callers hold the process's lock.
#pragma once

#include "format/trace_format.h"

namespace cowscope {

class RecordSink {
  public:
    // Those of Writer that have these names. `to` is what the sink was made with.
    struct Functions {
        void* (*begin_bytes)(void* to, trace::RecordType type, size_t bytes);
        void* (*begin_two_bytes)(void* to, trace::RecordType first_type, size_t first_bytes,
                                 trace::RecordType second_type, size_t second_bytes, void** second);
        bool (*commit)(void* to);
    };
    // Both must outlive it.
    constexpr RecordSink(const Functions& functions, void* to) : functions_(&functions), to_(to) {}

    template <typename Record>
    Record* begin(trace::RecordType type, size_t extra_bytes = 0) const {
        return static_cast<Record*>(begin_bytes(type, sizeof(Record) + extra_bytes));
    }
    void* begin_bytes(trace::RecordType type, size_t bytes) const {
        return functions_->begin_bytes(to_, type, bytes);
    }
    template <typename First, typename Second>
    bool begin_two(trace::RecordType first_type, First** first, trace::RecordType second_type,
                   Second** second) const {
        void* behind = nullptr;
        *first = static_cast<First*>(functions_->begin_two_bytes(
            to_, first_type, sizeof(First), second_type, sizeof(Second), &behind));
        *second = static_cast<Second*>(behind);
        return *first != nullptr;
    }
    bool commit() const { return functions_->commit(to_); }

  private:
    const Functions* functions_;
    void* to_;
};

}  // namespace cowscope
