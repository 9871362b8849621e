#include "attribute/unwitnessed.h"

#include <algorithm>
#include <limits>

namespace cowscope::attribute {

uint64_t events_not_told(const trace::ProcessTrace& process) {
    const bool misses_threads =
        std::any_of(process.notes.begin(), process.notes.end(), [](const trace::NoteRecord& note) {
            return note.code == trace::NoteCode::threads_not_watched;
        });
    if (misses_threads) return std::numeric_limits<uint64_t>::max();
    return process.loss.blocked_events + process.loss.unwritten_events;
}

std::vector<Unwitnessed> unwitnessed_of(const trace::ProcessTrace& process, const Copies& copies) {
    const uint64_t lost = events_not_told(process);
    const uint64_t watched = copies.unwitnessed_while_watching;
    const uint64_t unknown = std::min(lost, watched);
    std::vector<Unwitnessed> found;
    const auto add = [&](Cause cause, uint64_t pages, bool was_watched, const char* evidence) {
        if (pages != 0) found.push_back({cause, evidence, pages, was_watched});
    };
    add(Cause::kernel, watched - unknown, true,
        "in the census, but no instruction of the program faulted: the kernel wrote on its behalf "
        "(read(2), signal frames)");
    add(Cause::unknown, unknown, true,
        "in the census; its event was lost, or its thread was not watched");
    add(Cause::unknown, copies.unsampled, true, "in the census; its event was not sampled");
    add(Cause::unknown, copies.unwitnessed_unwatched, false,
        "in the census; there was no witness to see who wrote, or not yet (libc's fork() and other "
        "libraries' handlers at a fork)");
    return found;
}

}  // namespace cowscope::attribute
