// Folders of /proc that list this process's descriptors, as libc's functions read them: without the
// shim's.
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include <cstring>

#include "process/interpose.h"
#include "process/kernel_write.h"
#include "process/own_descriptors.h"
#include "process/plain_call.h"
#include "process/process.h"
#include "process/real.h"
#include "support/text.h"

// By macros, because the shim itself must not call them.
#define COWSCOPE_READ readdir
#define COWSCOPE_READ64 readdir64
#define COWSCOPE_READ_INTO readdir_r
#define COWSCOPE_READ_INTO64 readdir64_r

#include "support/poison.h"

namespace cowscope::process {
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
    int (*scan)(const char*, Entry***, Filter*, Order*);
    int (*scan_at)(int, const char*, Entry***, Filter*, Order*);
};
constinit EntryFunctions functions = {};

const EntryFunctions& next() {
    resolve_real_functions();
    return functions;
}

// The folder's name behind the links: /proc/PID/fd, or a thread's.
bool ends_with(const char* text, size_t length, const char* end) {
    const size_t bytes = std::strlen(end);
    return length >= bytes && std::memcmp(text + length - bytes, end, bytes) == 0;
}

bool lists_descriptors(const char* path, size_t length) {
    while (length > 1 && path[length - 1] == '/') --length;
    return ends_with(path, length, "/fd") || ends_with(path, length, "/fdinfo");
}

// Of another process it is found by chance that one of its numbers is the shim's here: the link
// says whose it is.
bool is_own_folder(int fd) {
    FixedText<64> link;
    link.add("/proc/self/fd/").add_decimal(static_cast<uint64_t>(fd));
    char target[64];
    const long got = sys::syscall4(SYS_readlinkat, AT_FDCWD, sys::word(link.c_str()),
                                   sys::word(target), sizeof(target));
    if (got <= 0 || got >= static_cast<long>(sizeof(target))) return false;
    const auto length = static_cast<size_t>(got);
    FixedText<64> own;
    own.add("/proc/").add_decimal(static_cast<uint64_t>(process.pid)).add("/");
    return length > own.size() && std::memcmp(target, own.c_str(), own.size()) == 0 &&
           lists_descriptors(target, length);
}

bool names_own_descriptor(const char* name) {
    uint64_t number = 0;
    return parse_decimal(name, INT32_MAX, &number) && is_own_descriptor(static_cast<int>(number));
}

bool is_hidden(Folder* folder, const char* name) {
    return names_own_descriptor(name) && is_own_folder(dirfd(folder));
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

// Takes the shim's out of what getdents64(2) has given. Returns the bytes that are left.
ssize_t remove_hidden(int fd, char* entries, ssize_t bytes) {
    bool is_asked = false;
    ssize_t kept = 0;
    for (ssize_t at = 0; at < bytes;) {
        auto* entry = reinterpret_cast<Entry*>(entries + at);
        const ssize_t length = entry->d_reclen;
        if (names_own_descriptor(entry->d_name)) {
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

// What a path that names this process's folder of descriptors looks like.
bool may_be_own_folder(const char* path) {
    constexpr const char* kBeginnings[] = {"/proc/self/", "/proc/thread-self/", "/dev/fd"};
    if (!has_own_descriptors()) return false;
    FixedText<64> own;
    own.add("/proc/").add_decimal(static_cast<uint64_t>(process.pid)).add("/");
    if (std::strncmp(path, own.c_str(), own.size()) == 0) {
        return lists_descriptors(path, std::strlen(path));
    }
    for (const char* beginning : kBeginnings) {
        if (std::strncmp(path, beginning, std::strlen(beginning)) == 0) {
            return lists_descriptors(path, std::strlen(path));
        }
    }
    return false;
}

// What scandir(3) gives to its filter is the entry and nothing else.
thread_local Filter* filter_of_host = nullptr;

int filter_visible(const Entry* entry) {
    if (names_own_descriptor(entry->d_name)) return 0;
    return filter_of_host == nullptr ? 1 : filter_of_host(entry);
}

// Calls scan(filter).
template <typename Scan>
int scan_visible(const char* path, Filter* filter, const Scan& scan) {
    if (path == nullptr || !may_be_own_folder(path)) return scan(filter);
    Filter* const before = filter_of_host;
    filter_of_host = filter;
    const int result = scan(filter_visible);
    filter_of_host = before;
    return result;
}

}  // namespace

void resolve_entry_functions(void* (*find)(const char*)) {
    const auto resolve = [find](auto& slot, const char* name) {
        slot = reinterpret_cast<std::remove_reference_t<decltype(slot)>>(find(name));
    };
    resolve(functions.read, "readdir");
    resolve(functions.read64, "readdir64");
    resolve(functions.read_into, "readdir_r");
    resolve(functions.read_into64, "readdir64_r");
    resolve(functions.get_entries, "getdents64");
    resolve(functions.scan, "scandir64");
    resolve(functions.scan_at, "scandirat64");
}

}  // namespace cowscope::process

using namespace cowscope::process;

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
        const ssize_t got =
            write.wrote(next().get_entries != nullptr
                            ? next().get_entries(fd, to, bytes)
                            : static_cast<ssize_t>(plain_call(SYS_getdents64, fd, to, bytes)));
        if (got <= 0 || !has_own_descriptors()) return got;
        // Nothing is left for the end of the folder alone.
        const ssize_t left = remove_hidden(fd, static_cast<char*>(to), got);
        if (left != 0) return left;
    }
}

COWSCOPE_INTERPOSED int scandir64(const char* __restrict path,
                                  struct dirent64*** __restrict entries, Filter* filter,
                                  Order* order) {
    return scan_visible(
        path, filter, [&](Filter* visible) { return next().scan(path, entries, visible, order); });
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
    return scan_visible(path, filter, [&](Filter* visible) {
        return next().scan_at(at, path, entries, visible, order);
    });
}
COWSCOPE_INTERPOSED int scandirat(int at, const char* __restrict path,
                                  struct dirent*** __restrict entries,
                                  int (*filter)(const struct dirent*),
                                  int (*order)(const struct dirent**, const struct dirent**)) {
    return scandirat64(at, path, reinterpret_cast<struct dirent64***>(entries),
                       reinterpret_cast<Filter*>(filter), reinterpret_cast<Order*>(order));
}
