#include "cpython/codes.h"

#include "support/poison.h"

namespace cowscope::cpython {

bool CodeTable::write(segment::Writer* writer, uint64_t address, uint32_t id) {
    // A record holds a file name, a name and this.
    constexpr uint64_t kMaxLineTableBytes = 48 * 1024;
    const size_t bytes = reader_.read(address, kMaxLineTableBytes);
    if (bytes == 0) return false;
    auto* record = static_cast<trace::PythonCodeRecord*>(
        writer->begin_bytes(trace::RecordType::python_code, bytes));
    if (record == nullptr || !reader_.fill(record)) return false;
    record->id = id;
    writer->commit();
    return true;
}

uint32_t CodeTable::find(Arena& arena, segment::Writer* writer, uint64_t address) {
    const Known known = {identify_code(address), next_id_};
    witness::InternTable::Entry* entry = by_address_.find(address);
    if (entry != nullptr && known_[entry->value].identity == known.identity) {
        return known_[entry->value].id;
    }
    // Without room to remember it, it would be written again at every event.
    const auto index = static_cast<uint32_t>(known_.size());
    if (!known_.push(arena, known)) return kNoCode;
    if (!write(writer, address, known.id)) {
        known_.shrink(index);
        return kNoCode;
    }
    if (entry == nullptr) entry = by_address_.insert(arena, address, index);
    if (entry != nullptr) entry->value = index;
    ++next_id_;
    return known.id;
}

}  // namespace cowscope::cpython
