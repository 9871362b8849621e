#include "hooks/descriptors/descriptor_folders.h"

#include <fcntl.h>

#include <cstring>

#include "epoch/epoch.h"
#include "hooks/descriptors/own_descriptors.h"
#include "support/text.h"

#include "support/poison.h"

namespace cowscope::hooks {
namespace {

using Link = FixedText<64>;

bool begins_with(const char* text, size_t length, const char* beginning) {
    const size_t bytes = std::strlen(beginning);
    return length >= bytes && std::memcmp(text, beginning, bytes) == 0;
}

bool ends_with(const char* text, size_t length, const char* end) {
    const size_t bytes = std::strlen(end);
    return length >= bytes && std::memcmp(text + length - bytes, end, bytes) == 0;
}

// The folder's name behind the links: /proc/PID/fd, or a thread's.
bool lists_descriptors(const char* path, size_t length) {
    while (length > 1 && path[length - 1] == '/') --length;
    return ends_with(path, length, "/fd") || ends_with(path, length, "/fdinfo");
}

// Whether there is nothing but slashes.
bool is_last(const char* slash) {
    while (*slash == '/') ++slash;
    return *slash == '\0';
}

// What a link says: how many characters of `target`, or 0.
size_t read_link(const char* link, char* target, size_t bytes) {
    const long got = sys::syscall4(SYS_readlinkat, AT_FDCWD, sys::word(link), sys::word(target),
                                   static_cast<long>(bytes));
    return got > 0 && got < static_cast<long>(bytes) ? static_cast<size_t>(got) : 0;
}

// This process's folder, "/proc/PID/": by the number that it has where /proc was mounted.
Link own_processes_folder() {
    Link own;
    char number[16];
    const size_t length = read_link("/proc/self", number, sizeof(number));
    if (length != 0) own.add("/proc/").add(number, length).add("/");
    return own;
}

bool leads_to_own_folder(const char* link) {
    char target[64];
    const size_t length = read_link(link, target, sizeof(target));
    if (!lists_descriptors(target, length)) return false;
    const Link own = own_processes_folder();
    return !own.empty() && begins_with(target, length, own.c_str());
}

// Of one that is not open, alone, as a folder, and before more of a path.
constexpr const char* kNoFilePath = "/proc/self/fd/2147483647";
constexpr const char* kNoFolderPath = "/proc/self/fd/2147483647/";
constexpr const char* kPathBehindNone = "/proc/self/fd/2147483647/name";
static_assert(kNoFile == 2147483647);

}  // namespace

bool is_own_folder(int fd) {
    Link link;
    link.add("/proc/self/fd/").add_decimal(static_cast<uint64_t>(fd));
    return fd >= 0 && leads_to_own_folder(link.c_str());
}

bool is_called_own_folder(const char* path, size_t length) {
    constexpr const char* kBeginnings[] = {"/proc/self/", "/proc/thread-self/", "/dev/fd"};
    if (!lists_descriptors(path, length)) return false;
    for (const char* beginning : kBeginnings) {
        if (begins_with(path, length, beginning)) return true;
    }
    if (!begins_with(path, length, "/proc/")) return false;
    const Link own = own_processes_folder();
    return !own.empty() && begins_with(path, length, own.c_str());
}

bool is_own_folder(int folder, const char* path, size_t length) {
    if (length == 0) {
        return folder == AT_FDCWD ? leads_to_own_folder("/proc/self/cwd") : is_own_folder(folder);
    }
    if (is_called_own_folder(path, length)) return true;
    // By another way: from a folder on, by links, with dots in it.
    FixedText<512> copy;
    copy.add(path, length);
    if (copy.truncated()) return false;
    const int fd = sys::open_at(folder, copy.c_str(), O_PATH | O_DIRECTORY);
    if (fd < 0) return false;
    const bool is_own = is_own_folder(fd);
    sys::close(fd);
    return is_own;
}

bool names_own_descriptor(const char* name, size_t length) {
    uint64_t number = 0;
    if (length == 0 || length > 10) return false;
    for (size_t i = 0; i < length; ++i) {
        if (name[i] < '0' || name[i] > '9') return false;
        number = number * 10 + static_cast<uint64_t>(name[i] - '0');
    }
    return number <= INT_MAX && is_own_descriptor(static_cast<int>(number));
}

const char* without_own_descriptor(int folder, const char* path) {
    for (const char* part = path;;) {
        const char* const slash = std::strchr(part, '/');
        const size_t length =
            slash == nullptr ? std::strlen(part) : static_cast<size_t>(slash - part);
        if (names_own_descriptor(part, length) &&
            is_own_folder(folder, path, static_cast<size_t>(part - path))) {
            if (slash == nullptr) return kNoFilePath;
            return is_last(slash) ? kNoFolderPath : kPathBehindNone;
        }
        if (slash == nullptr) return path;
        part = slash + 1;
    }
}

}  // namespace cowscope::hooks
