// Puts errno back at the end of a scope. It stands in the thread's own memory, where a write may
// copy a page: so it is written only where it has changed. Async-signal-safe.
#pragma once

#include <errno.h>

namespace cowscope {

class KeptErrno {
  public:
    KeptErrno() : value_(errno) {}
    ~KeptErrno() {
        if (errno != value_) errno = value_;
    }
    KeptErrno(const KeptErrno&) = delete;
    KeptErrno& operator=(const KeptErrno&) = delete;

  private:
    int value_;
};

}  // namespace cowscope
