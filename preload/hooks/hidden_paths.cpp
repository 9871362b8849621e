// Functions of libc that take a path: to them no path leads to a descriptor of the shim's, as to
// one that is not open.
#include "hooks/hidden_paths.h"

#include <dirent.h>
#include <errno.h>
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

#include "epoch/epoch.h"
#include "hooks/own_folders.h"
#include "hooks/path_functions.h"
#include "hooks/real.h"
#include "hooks/stand_in.h"
#include "support/guarded_read.h"

// Under names of their own, because the shim itself must not call them.
COWSCOPE_INTERPOSED FILE* open_stream(const char* path, const char* mode) __asm__("fopen");
COWSCOPE_INTERPOSED DIR* open_folder(const char* path) __asm__("opendir");

#include "support/poison.h"

namespace cowscope::hooks {
namespace {

struct Functions {
    COWSCOPE_PATH_FUNCTIONS(COWSCOPE_SLOT)
    COWSCOPE_RARE_PATH_FUNCTIONS(COWSCOPE_SLOT)
    FILE* (*open_stream)(const char*, const char*);
    DIR* (*open_folder)(const char*);
};
constinit Functions functions = {};

// Whether it is a text that can be read. The kernel takes none that is longer.
bool is_path(const char* path) {
    constexpr uint64_t kPage = 4096;
    constexpr size_t kLongest = 4096;
    size_t length = 0;
    while (length < kLongest) {
        char byte;
        if (!read_argument(path + length, &byte, 1)) return false;
        const size_t left = kPage - reinterpret_cast<uint64_t>(path + length) % kPage;
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

void resolve_path_functions(void* (*find)(const char*)) {
    COWSCOPE_PATH_FUNCTIONS(COWSCOPE_RESOLVE_SLOT)
    resolve_function(functions.open_stream, find, "fopen");
    resolve_function(functions.open_folder, find, "opendir");
    resolve_looking_functions(find);
}

}  // namespace cowscope::hooks

using namespace cowscope;
using namespace cowscope::hooks;

COWSCOPE_PATH_FUNCTIONS(COWSCOPE_STAND_IN)
COWSCOPE_RARE_PATH_FUNCTIONS(COWSCOPE_STAND_IN)

COWSCOPE_INTERPOSED FILE* open_stream(const char* path, const char* mode) {
    auto* const next = find_function(functions.open_stream, "fopen", kNoCall);
    return next == nullptr ? nullptr : next(visible_path(path), mode);
}
COWSCOPE_INTERPOSED FILE* open_stream64(const char* path, const char* mode) __asm__("fopen64");
COWSCOPE_INTERPOSED FILE* open_stream64(const char* path, const char* mode) {
    return open_stream(path, mode);
}
COWSCOPE_INTERPOSED FILE* freopen64(const char* path, const char* mode, FILE* stream) {
    return freopen(path, mode, stream);
}
COWSCOPE_INTERPOSED DIR* open_folder(const char* path) {
    auto* const next = find_function(functions.open_folder, "opendir", kNoCall);
    return next == nullptr ? nullptr : next(visible_path(path));
}

// Other names of the same.
COWSCOPE_INTERPOSED int creat64(const char* path, mode_t mode) {
    return creat(path, mode);
}
COWSCOPE_INTERPOSED int truncate64(const char* path, off64_t length) noexcept {
    return truncate(path, length);
}
COWSCOPE_INTERPOSED int statfs64(const char* path, struct statfs64* out) noexcept {
    return statfs(path, reinterpret_cast<struct statfs*>(out));
}
COWSCOPE_INTERPOSED int __statfs(const char* path, struct statfs* out) noexcept {
    return statfs(path, out);
}
COWSCOPE_INTERPOSED int statvfs64(const char* path, struct statvfs64* out) noexcept {
    return statvfs(path, reinterpret_cast<struct statvfs*>(out));
}
