// Swap space and huge pages that a test needs and the machine can be made to have, for as long as
// the test runs.
#pragma once

#include <sys/swap.h>
#include <unistd.h>

#include <fstream>
#include <string>

#include "tests/e2e/run_program.h"
#include "tests/e2e/temporary_folder.h"

namespace cowscope::e2e {

class HugePages {
  public:
    explicit HugePages(int count) {
        std::ifstream(kPath) >> before_;
        std::ofstream(kPath) << before_ + count;
        int now = 0;
        std::ifstream(kPath) >> now;
        has_them_ = now >= before_ + count;
    }
    ~HugePages() { std::ofstream(kPath) << before_; }
    HugePages(const HugePages&) = delete;
    HugePages& operator=(const HugePages&) = delete;

    bool has_them() const { return has_them_; }

  private:
    static constexpr const char* kPath = "/proc/sys/vm/nr_hugepages";

    int before_ = 0;
    bool has_them_ = false;
};

class SwapSpace {
  public:
    SwapSpace() {
        constexpr size_t kBytes = 32 * 1024 * 1024;
        // Written, because a file with holes is refused.
        std::ofstream(file_, std::ios::binary) << std::string(kBytes, '\0');
        is_ours_ =
            run_program({"/sbin/mkswap", file_}).status() == 0 && swapon(file_.c_str(), 0) == 0;
    }
    ~SwapSpace() {
        if (is_ours_) swapoff(file_.c_str());
    }
    SwapSpace(const SwapSpace&) = delete;
    SwapSpace& operator=(const SwapSpace&) = delete;

    bool is_there() const {
        std::ifstream swaps("/proc/swaps");
        std::string line;
        std::getline(swaps, line);  // the heading
        return static_cast<bool>(std::getline(swaps, line));
    }

  private:
    TemporaryFolder folder_;
    std::string file_ = folder_ / "swap";
    bool is_ours_ = false;
};

}  // namespace cowscope::e2e
