#include "runtime/cpython/codes.h"

#include "support/poison.h"

namespace cowscope::cpython {

uint32_t CodeTable::find(Arena& arena, const RecordSink& sink, uint64_t address) {
    const Known known = {identify_code(address), next_id_};
    InternTable::Entry* entry = by_address_.find(address);
    if (entry != nullptr && known_[entry->value].identity == known.identity) {
        return known_[entry->value].id;
    }
    trace::RuntimeCodeRecord* record = begin(sink, address);
    if (record == nullptr) return kNoCode;
    // Without room to remember it, it would be written again at every event.
    const auto index = static_cast<uint32_t>(known_.size());
    if (!known_.push(arena, known)) return kNoCode;
    if (entry == nullptr) entry = by_address_.insert(arena, address, index);
    if (entry == nullptr) {
        known_.shrink(index);
        return kNoCode;
    }
    entry->value = index;
    ++next_id_;
    record->id = known.id;
    if (sink.commit()) return known.id;
    known_[index] = {};
    return kNoCode;
}

// A record that is complete but for its id; nullptr where it could not be read or has no room.
trace::RuntimeCodeRecord* CodeTable::begin(const RecordSink& sink, uint64_t address) {
    // A record holds a file name, a name and this.
    constexpr uint64_t kMaxLineTableBytes = 48 * 1024;
    const size_t bytes = reader_.read(address, kMaxLineTableBytes);
    if (bytes == 0) return nullptr;
    auto* record = static_cast<trace::RuntimeCodeRecord*>(
        sink.begin_bytes(trace::RecordType::runtime_code, bytes));
    return record != nullptr && reader_.fill(record) ? record : nullptr;
}

}  // namespace cowscope::cpython
