// A terminal for a program to write to.
#pragma once

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <functional>
#include <string>
#include <vector>

#include "tests/catch.h"

namespace cowscope::e2e {

class Terminal {
  public:
    Terminal() : master_(posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK)) {
        REQUIRE(master_ >= 0);
        REQUIRE(grantpt(master_) == 0);
        REQUIRE(unlockpt(master_) == 0);
        // Kept open, or what was written would be lost when the program closes its own.
        slave_ = open(ptsname(master_), O_RDWR | O_NOCTTY | O_CLOEXEC);
        REQUIRE(slave_ >= 0);
    }
    Terminal(const Terminal&) = delete;
    Terminal& operator=(const Terminal&) = delete;
    ~Terminal() {
        close(slave_);
        close(master_);
    }

    // For RunOptions::before_exec.
    std::function<bool()> as(const std::vector<int>& descriptors) const {
        return [descriptors, slave = slave_] {
            for (const int each : descriptors) {
                if (dup2(slave, each) != each) return false;
            }
            return true;
        };
    }

    // What was written since the last call; what a terminal has room for, some 10 KB, is kept.
    std::string take() const {
        std::string text;
        char bytes[4096];
        for (ssize_t got; (got = read(master_, bytes, sizeof(bytes))) > 0;) {
            text.append(bytes, static_cast<size_t>(got));
        }
        return text;
    }

  private:
    int master_;
    int slave_ = -1;
};

}  // namespace cowscope::e2e
