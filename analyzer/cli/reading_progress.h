// Says on a terminal how far a big trace has been read.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace cowscope::cli {

// While one of these is there, a line on standard error tells of the reading that takes longer than
// a second, and is taken away again at the end. Nothing is shown where that is no terminal, or
// `quiet`. At most one at a time.
class ReadingProgress {
  public:
    ReadingProgress(const std::vector<std::string>& traces, bool quiet);
    ReadingProgress(const ReadingProgress&) = delete;
    ReadingProgress& operator=(const ReadingProgress&) = delete;
    ~ReadingProgress();

  private:
    void read(uint64_t bytes);

    std::vector<std::string> traces_;
    uint64_t start_ns_ = 0;
    uint64_t shown_ns_ = 0;     // 0: nothing yet
    uint64_t total_bytes_ = 0;  // of the traces; counted when it is shown first
    uint64_t read_bytes_ = 0;
};

// What `work` returns, with its progress shown until it is there.
template <typename Work>
auto with_progress(const std::vector<std::string>& traces, bool quiet, const Work& work) {
    const ReadingProgress progress(traces, quiet);
    return work();
}

}  // namespace cowscope::cli
