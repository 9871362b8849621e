// Folders of /proc that list this process's descriptors, as libc's functions read them: without the
// shim's.
#include "hooks/hidden_entries.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <cstring>

#include "epoch/epoch.h"
#include "hooks/hidden_paths.h"
#include "hooks/interpose.h"
#include "hooks/kernel_write.h"
#include "hooks/own_descriptors.h"
#include "hooks/own_folders.h"
#include "hooks/plain_call.h"
#include "hooks/real.h"
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
using Filter = int(const Entry*);
using Order = int(const Entry**, const Entry**);

// Those that are missing belong to an older C library, and nobody calls them.
struct EntryFunctions {
    Entry* (*read)(Folder*);
    Entry* (*read64)(Folder*);
    int (*read_into)(Folder*, Entry*, Entry**);
    int (*read_into64)(Folder*, Entry*, Entry**);
    ssize_t (*get_entries)(int, void*, size_t);
    ssize_t (*get_entries_from)(int, char*, size_t, off_t*);
    int (*scan)(const char*, Entry***, Filter*, Order*);
    int (*scan_at)(int, const char*, Entry***, Filter*, Order*);
};
constinit EntryFunctions functions = {};

const EntryFunctions& next() {
    resolve_real_functions();
    return functions;
}

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
    Filter* filter;  // of the host
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
int scan_visible(int folder, const char* path, Filter* filter, const Scan& scan) {
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

void resolve_entry_functions(void* (*find)(const char*)) {
    const auto resolve = [find](auto& slot, const char* name) {
        slot = reinterpret_cast<std::remove_reference_t<decltype(slot)>>(find(name));
    };
    resolve(functions.read, "readdir");
    resolve(functions.read64, "readdir64");
    resolve(functions.read_into, "readdir_r");
    resolve(functions.read_into64, "readdir64_r");
    resolve(functions.get_entries, "getdents64");
    resolve(functions.get_entries_from, "getdirentries");
    resolve(functions.scan, "scandir64");
    resolve(functions.scan_at, "scandirat64");
}

}  // namespace cowscope::hooks

using namespace cowscope;
using namespace cowscope::hooks;

COWSCOPE_INTERPOSED struct dirent* COWSCOPE_READ(DIR* folder) {
    return reinterpret_cast<struct dirent*>(read_visible(next().read, folder));
}
COWSCOPE_INTERPOSED struct dirent64* COWSCOPE_READ64(DIR* folder) {
    return read_visible(next().read64, folder);
}
COWSCOPE_INTERPOSED int COWSCOPE_READ_INTO(DIR* __restrict folder, struct dirent* __restrict room,
                                           struct dirent** __restrict entry) {
    return read_visible_into(next().read_into, folder, reinterpret_cast<Entry*>(room),
                             reinterpret_cast<Entry**>(entry));
}
COWSCOPE_INTERPOSED int COWSCOPE_READ_INTO64(DIR* __restrict folder,
                                             struct dirent64* __restrict room,
                                             struct dirent64** __restrict entry) {
    return read_visible_into(next().read_into64, folder, room, entry);
}

COWSCOPE_INTERPOSED ssize_t getdents64(int fd, void* to, size_t bytes) noexcept {
    const KernelWrite write(to, bytes);
    for (;;) {
        const ssize_t got = write.wrote(
            next().get_entries != nullptr
                ? next().get_entries(visible(fd), to, bytes)
                : static_cast<ssize_t>(plain_call(SYS_getdents64, visible(fd), to, bytes)));
        if (got <= 0 || !has_own_descriptors()) return got;
        // Nothing is left for the end of the folder alone.
        const ssize_t left = remove_hidden(fd, static_cast<char*>(to), got, EntryKind::getdents64);
        if (left != 0) return left;
    }
}

COWSCOPE_INTERPOSED ssize_t getdirentries(int fd, char* to, size_t bytes, off_t* base) noexcept {
    const KernelWrite write(to, bytes);
    for (;;) {
        const ssize_t got = write.wrote(next().get_entries_from(visible(fd), to, bytes, base));
        if (got <= 0 || !has_own_descriptors()) return got;
        const ssize_t left = remove_hidden(fd, to, got, EntryKind::getdents64);
        if (left != 0) return left;
    }
}
COWSCOPE_INTERPOSED ssize_t getdirentries64(int fd, char* to, size_t bytes,
                                            off64_t* base) noexcept {
    return getdirentries(fd, to, bytes, base);
}

COWSCOPE_INTERPOSED int scandir64(const char* __restrict path,
                                  struct dirent64*** __restrict entries, Filter* filter,
                                  Order* order) {
    return scan_visible(AT_FDCWD, path, filter, [&](Filter* with) {
        return next().scan(visible_path(path), entries, with, order);
    });
}
COWSCOPE_INTERPOSED int scandir(const char* __restrict path, struct dirent*** __restrict entries,
                                int (*filter)(const struct dirent*),
                                int (*order)(const struct dirent**, const struct dirent**)) {
    return scandir64(path, reinterpret_cast<struct dirent64***>(entries),
                     reinterpret_cast<Filter*>(filter), reinterpret_cast<Order*>(order));
}
COWSCOPE_INTERPOSED int scandirat64(int at, const char* __restrict path,
                                    struct dirent64*** __restrict entries, Filter* filter,
                                    Order* order) {
    return scan_visible(at, path, filter, [&](Filter* with) {
        return next().scan_at(visible(at), visible_path(at, path), entries, with, order);
    });
}
COWSCOPE_INTERPOSED int scandirat(int at, const char* __restrict path,
                                  struct dirent*** __restrict entries,
                                  int (*filter)(const struct dirent*),
                                  int (*order)(const struct dirent**, const struct dirent**)) {
    return scandirat64(at, path, reinterpret_cast<struct dirent64***>(entries),
                       reinterpret_cast<Filter*>(filter), reinterpret_cast<Order*>(order));
}
