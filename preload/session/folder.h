// The trace's folder, as this process finds it.
//
// It is named by a path, which leads there no more once the program has become another user or has
// another root. So it is opened before that, and in every program that forks. O_PATH: who holds
// such a descriptor may do in the folder what its rights allow, and nothing else; the folder is
// closed to all but its owner, so that no other user comes out of it by ".." either.
//
// Where the recorder is root, there is a folder inside (trace::kOthersFolder) in which everybody
// may create files, and neither list nor remove what others have there. Only who has opened it
// before, as root, reaches it: that is where the children of a server write that is root no more.
//
// Async-signal-safe; callers hold the process's lock.
#pragma once

#include "support/descriptor.h"

namespace cowscope::session {

class Folder {
  public:
    // For good. Nothing is done twice.
    void keep();
    // Its path may lead to another one from now on.
    void lose_path() { has_path_ = false; }

    // A descriptor for the caller to close, or -errno.
    int open() const;
    // The same for the one inside, where that is kept.
    int open_for_others() const;

    void close();
    // The descriptors are another process's to close.
    void forget();

    template <typename Take>
    void for_each_descriptor(const Take& take) {
        take(own_);
        take(others_);
    }

  private:
    bool has_path_ = true;
    Descriptor own_;
    Descriptor others_;
};

}  // namespace cowscope::session
