// For the length of a call that waits with another signal mask (waiting_threads.h).
#pragma once

namespace cowscope::hooks {

class MaskedWait {
  public:
    // `mask`: of the call, as the kernel reads it; anything at all. The lock is not held.
    explicit MaskedWait(const void* mask);
    ~MaskedWait();
    MaskedWait(const MaskedWait&) = delete;
    MaskedWait& operator=(const MaskedWait&) = delete;

  private:
    void* entry_ = nullptr;
};

}  // namespace cowscope::hooks
