#include "truth.h"

#include <unistd.h>

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <utility>

namespace cowscope::workload {

CountPages::CountPages() : page_mask_(~(static_cast<uintptr_t>(sysconf(_SC_PAGESIZE)) - 1)) {}

void CountPages::add(const int* word) {
    const uintptr_t page = reinterpret_cast<uintptr_t>(word) & page_mask_;
    // Neighbours in the map mostly lie on one page: most repetitions end here.
    if (pages_.empty() || pages_.back() != page) pages_.push_back(page);
}

std::vector<uintptr_t> CountPages::take() {
    std::sort(pages_.begin(), pages_.end());
    pages_.erase(std::unique(pages_.begin(), pages_.end()), pages_.end());
    return std::move(pages_);
}

bool write_truth(int fd, ValueKind kind, std::span<const Child> children,
                 std::span<const uintptr_t> pages) {
    std::FILE* file = fdopen(fd, "w");
    if (!file) return false;
    std::fprintf(file, "{\"page_size\":%ld,\"values\":\"%s\",\"children\":[", sysconf(_SC_PAGESIZE),
                 name_of(kind));
    const char* child_separator = "";
    for (const Child& child : children) {
        if (!child.finished) continue;
        std::fprintf(file, "%s\n{\"pid\":%d,\"pages\":[", child_separator,
                     static_cast<int>(child.pid));
        child_separator = ",";
        const char* page_separator = "";
        for (const uintptr_t page : pages) {
            std::fprintf(file, "%s\"0x%" PRIxPTR "\"", page_separator, page);
            page_separator = ",";
        }
        std::fputs("]}", file);
    }
    std::fputs("\n]}\n", file);
    const bool written = std::ferror(file) == 0;
    return std::fclose(file) == 0 && written;
}

}  // namespace cowscope::workload
