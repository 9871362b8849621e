#include "trace/fork_addresses.h"

#include <algorithm>
#include <tuple>
#include <utility>
#include <vector>

namespace cowscope::trace {

template <typename Sink>
void ForkAddresses::for_each_piece(const PageRun& run, Sink&& sink) const {
    uint64_t at = run.start;
    const uint64_t end = run.start + run.pages * kPageBytes;
    auto piece = moved_.upper_bound(at);
    if (piece != moved_.begin()) --piece;
    while (at < end) {
        while (piece != moved_.end() && piece->first + piece->second.bytes <= at) ++piece;
        const bool inside = piece != moved_.end() && piece->first <= at;
        uint64_t until = end;
        if (inside) {
            until = std::min(end, piece->first + piece->second.bytes);
        } else if (piece != moved_.end()) {
            until = std::min(end, piece->first);
        }
        sink(at, until - at, inside ? piece->second.at_fork + (at - piece->first) : at);
        at = until;
    }
}

void ForkAddresses::forget(const PageRun& run) {
    const uint64_t start = run.start;
    const uint64_t end = start + run.pages * kPageBytes;
    auto piece = moved_.upper_bound(start);
    if (piece != moved_.begin()) --piece;
    while (piece != moved_.end() && piece->first < end) {
        const uint64_t from = piece->first;
        const Piece whole = piece->second;
        const uint64_t to = from + whole.bytes;
        if (to <= start) {
            ++piece;
            continue;
        }
        piece = moved_.erase(piece);
        if (from < start) moved_[from] = {start - from, whole.at_fork};
        if (to > end) moved_[end] = {to - end, whole.at_fork + (end - from)};
    }
}

size_t ForkAddresses::move(const PageRun& from, uint64_t to) {
    std::vector<std::tuple<uint64_t, uint64_t, uint64_t>> pieces;
    for_each_piece(from, [&](uint64_t start, uint64_t bytes, uint64_t at_fork) {
        pieces.emplace_back(to + (start - from.start), bytes, at_fork);
    });
    forget(from);
    forget({to, from.pages});
    for (const auto& [start, bytes, at_fork] : pieces) {
        if (start != at_fork) moved_[start] = {bytes, at_fork};
    }
    return pieces.size();
}

uint64_t ForkAddresses::at_fork(uint64_t address) const {
    auto piece = moved_.upper_bound(address);
    if (piece == moved_.begin()) return address;
    --piece;
    const uint64_t offset = address - piece->first;
    return offset < piece->second.bytes ? piece->second.at_fork + offset : address;
}

bool ForkAddresses::has_left(uint64_t address) const {
    return std::any_of(moved_.begin(), moved_.end(), [&](const auto& piece) {
        return address >= piece.second.at_fork &&
               address - piece.second.at_fork < piece.second.bytes;
    });
}

PageSet ForkAddresses::pages_at_fork(const PageSet& pages) const {
    if (moved_.empty()) return pages;
    std::vector<PageRun> runs;
    for (const PageRun& run : pages.runs()) {
        for_each_piece(run, [&](uint64_t, uint64_t bytes, uint64_t at_fork) {
            runs.push_back({at_fork, bytes / kPageBytes});
        });
    }
    return union_of(std::move(runs));
}

}  // namespace cowscope::trace
