#include "session/folder.h"

#include <errno.h>

#include "session/session.h"

#include "support/poison.h"

namespace cowscope::session {
namespace {

int open_by_path() {
    // The recorder names the folder itself. A link that stands there was put there meanwhile, by
    // someone who may write to the folder around it. Without a recorder root takes no link either,
    // and no folder of another user's.
    const bool is_alone = options.recorder == 0;
    const bool is_careful = !is_alone || sys::geteuid() == 0;
    const int folder =
        sys::open(options.folder.c_str(), O_PATH | O_DIRECTORY | (is_careful ? O_NOFOLLOW : 0));
    if (folder < 0 || !is_alone || !is_careful) return folder;
    struct stat status;
    if (sys::fstat(folder, &status) == 0 && status.st_uid == 0) return folder;
    sys::close(folder);
    return -EPERM;
}

int duplicate(const Descriptor& of) {
    return of.is_ours() ? sys::fcntl(of.number(), F_DUPFD_CLOEXEC, 0) : -EBADF;
}

}  // namespace

int Folder::open() const {
    const int kept = duplicate(own_);
    if (kept >= 0) return kept;
    return has_path_ ? open_by_path() : -ENOENT;
}

int Folder::open_for_others() const {
    return duplicate(others_);
}

void Folder::keep() {
    if (!own_.is_ours()) {
        own_.forget();
        const int folder = has_path_ ? open_by_path() : -ENOENT;
        if (folder >= 0) own_.keep(folder);
    }
    if (others_.is_ours() || !own_.is_ours()) return;
    others_.forget();
    const int others =
        sys::open_at(own_.number(), trace::kOthersFolder, O_PATH | O_DIRECTORY | O_NOFOLLOW);
    if (others >= 0) others_.keep(others);
}

void Folder::close() {
    own_.close();
    others_.close();
}

void Folder::forget() {
    own_.forget();
    others_.forget();
}

}  // namespace cowscope::session
