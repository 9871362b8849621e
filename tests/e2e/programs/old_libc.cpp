// Preloaded before another library: that finds a C library without what glibc has since 2.34.
#include <dlfcn.h>

#include <cstring>
#include <initializer_list>

extern "C" __attribute__((visibility("default"))) void* dlsym(void*, const char* name) noexcept {
    // RTLD_NEXT would be what comes behind this library.
    static void* const libc = dlopen("libc.so.6", RTLD_LAZY);
    using Find = void* (*)(void*, const char*);
    static const auto find = reinterpret_cast<Find>(dlvsym(libc, "dlsym", "GLIBC_2.2.5"));
    for (const char* missing : {"_Fork", "close_range", "closefrom", "execveat", "fstat", "fstat64",
                                "fstatat", "fstatat64", "statx", "getdents64"}) {
        if (std::strcmp(name, missing) == 0) return nullptr;
    }
    return find(libc, name);
}
