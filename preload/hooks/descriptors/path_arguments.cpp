// Functions of libc that take a path: to them no path leads to a descriptor of the shim's, as to
// one that is not open.
#include "hooks/descriptors/path_arguments.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/time.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>
#include <utime.h>

#include <cstdlib>
#include <cstring>

#include "arch/cpu.h"
#include "epoch/epoch.h"
#include "hooks/define_hooks.h"
#include "hooks/descriptors/descriptor_folders.h"
#include "support/guarded_read.h"

#include "support/poison.h"

namespace cowscope::hooks {
namespace {

// Whether it is a text that can be read. The kernel takes none that is longer.
bool is_path(const char* path) {
    constexpr size_t kLongest = PATH_MAX;
    size_t length = 0;
    while (length < kLongest) {
        char byte;
        if (!read_argument(path + length, &byte, 1)) return false;
        const size_t left =
            cpu::kPageBytes - reinterpret_cast<uint64_t>(path + length) % cpu::kPageBytes;
        if (std::memchr(path + length, '\0', left) != nullptr) return true;
        length += left;
    }
    return false;
}

}  // namespace

const char* path_without_own(int folder, const char* path) {
    if (!has_own_descriptors() || !is_path(path)) return path;
    return without_own_descriptor(folder, path);
}

const char* path_after_look(int folder, const char* path, bool is_found) {
    if (path == nullptr || (!is_found && (errno == ENOENT || errno == EFAULT))) return path;
    return is_found || is_path(path) ? without_own_descriptor(folder, path) : path;
}

}  // namespace cowscope::hooks

using namespace cowscope;
using namespace cowscope::hooks;

COWSCOPE_PATH_HOOKS(COWSCOPE_DEFINE)
