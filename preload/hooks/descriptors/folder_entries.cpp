// Folders of /proc that list this process's descriptors, as libc's functions read them: without the
// shim's.
#include "hooks/descriptors/folder_entries.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <cstring>

#include "epoch/epoch.h"
#include "hooks/define_hooks.h"
#include "hooks/descriptors/descriptor_folders.h"
#include "hooks/descriptors/own_descriptors.h"
#include "hooks/descriptors/path_arguments.h"
#include "hooks/memory/kernel_write.h"
#include "session/session.h"

// By macros, because the shim itself must not call them.
#define COWSCOPE_READ readdir
#define COWSCOPE_READ64 readdir64
#define COWSCOPE_READ_INTO readdir_r
#define COWSCOPE_READ_INTO64 readdir64_r

#include "support/poison.h"

namespace cowscope::hooks {
namespace {

using Folder = DIR;
// Entries are the same by either name on 64-bit systems.
using Entry = struct dirent64;

bool is_own_name(const char* name) {
    return names_own_descriptor(name, std::strlen(name));
}

bool is_hidden(Folder* folder, const char* name) {
    return is_own_name(name) && is_own_folder(dirfd(folder));
}

Entry* read_visible(Entry* (*read)(Folder*), Folder* folder) {
    for (;;) {
        Entry* entry = read(folder);
        if (entry == nullptr || !is_hidden(folder, entry->d_name)) return entry;
    }
}

int read_visible_into(int (*read)(Folder*, Entry*, Entry**), Folder* folder, Entry* room,
                      Entry** entry) {
    for (;;) {
        const int result = read(folder, room, entry);
        if (result != 0 || *entry == nullptr || !is_hidden(folder, (*entry)->d_name)) return result;
    }
}

// What scandir(3) gives to its filter is the entry and nothing else.
struct Scanned {
    DirentFilter* filter;  // of the host
    int folder;
    const char* path;

    bool is_own_folder() const { return hooks::is_own_folder(folder, path, std::strlen(path)); }
};
thread_local const Scanned* scanned = nullptr;

int filter_visible(const Entry* entry) {
    const Scanned* const now = scanned;
    if (is_own_name(entry->d_name) && now->is_own_folder()) return 0;
    return now->filter == nullptr ? 1 : now->filter(entry);
}

// Calls scan(filter).
template <typename Scan>
int scan_visible(int folder, const char* path, DirentFilter* filter, const Scan& scan) {
    if (!has_own_descriptors()) return scan(filter);
    const Scanned now = {filter, folder, path};
    const Scanned* const before = scanned;
    scanned = &now;
    const int result = scan(filter_visible);
    scanned = before;
    return result;
}

}  // namespace

ssize_t remove_hidden(int fd, char* entries, ssize_t bytes, EntryKind kind) {
    // The older one has the entry's kind behind the name.
    const size_t name_at =
        offsetof(Entry, d_name) - (kind == EntryKind::getdents ? sizeof(Entry::d_type) : 0);
    bool is_asked = false;
    ssize_t kept = 0;
    for (ssize_t at = 0; at < bytes;) {
        char* const entry = entries + at;
        const ssize_t length = reinterpret_cast<Entry*>(entry)->d_reclen;
        if (is_own_name(entry + name_at)) {
            if (!is_asked && !is_own_folder(fd)) return bytes;
            is_asked = true;
        } else {
            std::memmove(entries + kept, entry, static_cast<size_t>(length));
            kept += length;
        }
        at += length;
    }
    return kept;
}

}  // namespace cowscope::hooks

using namespace cowscope;
using namespace cowscope::hooks;

COWSCOPE_FOLDER_ENTRY_HOOKS(COWSCOPE_DEFINE)

COWSCOPE_INTERPOSED struct dirent* COWSCOPE_READ(DIR* folder) {
    return reinterpret_cast<struct dirent*>(read_visible(real::COWSCOPE_READ.find(), folder));
}
COWSCOPE_INTERPOSED struct dirent64* COWSCOPE_READ64(DIR* folder) {
    return read_visible(real::COWSCOPE_READ64.find(), folder);
}
COWSCOPE_INTERPOSED int COWSCOPE_READ_INTO(DIR* __restrict folder, struct dirent* __restrict room,
                                           struct dirent** __restrict entry) {
    return read_visible_into(real::COWSCOPE_READ_INTO.find(), folder,
                             reinterpret_cast<Entry*>(room), reinterpret_cast<Entry**>(entry));
}
COWSCOPE_INTERPOSED int COWSCOPE_READ_INTO64(DIR* __restrict folder,
                                             struct dirent64* __restrict room,
                                             struct dirent64** __restrict entry) {
    return read_visible_into(real::COWSCOPE_READ_INTO64.find(), folder, room, entry);
}

COWSCOPE_INTERPOSED ssize_t getdents64(int fd, void* to, size_t bytes) noexcept {
    const KernelWrite write(to, bytes);
    for (;;) {
        const ssize_t got = write.wrote(real::getdents64(visible(fd), to, bytes));
        if (got <= 0 || !has_own_descriptors()) return got;
        // Nothing is left for the end of the folder alone.
        const ssize_t left = remove_hidden(fd, static_cast<char*>(to), got, EntryKind::getdents64);
        if (left != 0) return left;
    }
}

COWSCOPE_INTERPOSED ssize_t getdirentries(int fd, char* to, size_t bytes, off_t* base) noexcept {
    const KernelWrite write(to, bytes);
    for (;;) {
        const ssize_t got = write.wrote(real::getdirentries(visible(fd), to, bytes, base));
        if (got <= 0 || !has_own_descriptors()) return got;
        const ssize_t left = remove_hidden(fd, to, got, EntryKind::getdents64);
        if (left != 0) return left;
    }
}

COWSCOPE_INTERPOSED int scandir64(const char* __restrict path,
                                  struct dirent64*** __restrict entries, DirentFilter* filter,
                                  DirentOrder* order) {
    return scan_visible(AT_FDCWD, path, filter, [&](DirentFilter* with) {
        return real::scandir64(visible_path(path), entries, with, order);
    });
}
COWSCOPE_INTERPOSED int scandirat64(int at, const char* __restrict path,
                                    struct dirent64*** __restrict entries, DirentFilter* filter,
                                    DirentOrder* order) {
    return scan_visible(at, path, filter, [&](DirentFilter* with) {
        return real::scandirat64(visible(at), visible_path(at, path), entries, with, order);
    });
}
