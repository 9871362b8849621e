#include "hooks/real.h"

#include <dlfcn.h>
#include <errno.h>

#include <cstring>

#include "support/poison.h"

namespace cowscope::hooks {

constinit void* real_functions[static_cast<unsigned>(Hook::kCount)] = {};
constinit bool are_resolved = false;

namespace {

// Each name with its end, in the order of the list; behind a space what is looked up late.
#define COWSCOPE_NAME(kind, ...) COWSCOPE_NAME_##kind(__VA_ARGS__)
#define COWSCOPE_NAME_HOOK(Result, name, parameters, otherwise) #name "\0"
#define COWSCOPE_NAME_LATE_HOOK(Result, name, parameters, otherwise) " " #name "\0"
#define COWSCOPE_NAME_VARIADIC(Result, name, parameters, otherwise) #name "\0"
#define COWSCOPE_NAME_PASS(Result, name, specifier, parameters, otherwise, arguments) #name "\0"
#define COWSCOPE_NAME_LATE_PASS(Result, name, specifier, parameters, otherwise, arguments) \
    " " #name "\0"
#define COWSCOPE_NAME_SAME(name, other)
#define COWSCOPE_NAME_OWN(name)
constexpr char kNames[] = COWSCOPE_HOOKS(COWSCOPE_NAME);
constexpr char kLate = ' ';

const char* behind(const char* name) {
    return name + std::strlen(name) + 1;
}

bool is_call(void* otherwise) {
    return otherwise != reinterpret_cast<void*>(fail_as_missing) &&
           otherwise != reinterpret_cast<void*>(fail_as_missing_pointer) &&
           otherwise != reinterpret_cast<void*>(return_as_missing);
}

void keep(unsigned number, void* function) {
    __atomic_store_n(&real_functions[number], function, __ATOMIC_RELAXED);
}

}  // namespace

void resolve_real_functions() {
    const char* name = kNames;
    for (unsigned number = 0; number < static_cast<unsigned>(Hook::kCount); ++number) {
        if (*name != kLate) keep(number, dlsym(RTLD_NEXT, name));
        name = behind(name);
    }
    are_resolved = true;
}

void* find_real_function(Hook hook, void* otherwise) {
    // Nothing may be looked up yet, perhaps, and there is another way.
    if (!are_resolved && is_call(otherwise)) return otherwise;
    const char* name = kNames;
    for (unsigned number = 0; number < static_cast<unsigned>(hook); ++number) name = behind(name);
    const bool is_late = *name == kLate;
    // A library that has it may be loaded later: libc's own parts were libraries before glibc 2.34.
    if (are_resolved && !is_late) {
        keep(static_cast<unsigned>(hook), otherwise);
        return otherwise;
    }
    void* const found = dlsym(RTLD_NEXT, is_late ? name + 1 : name);
    if (found == nullptr) return otherwise;
    keep(static_cast<unsigned>(hook), found);
    return found;
}

long fail_as_missing() {
    errno = ENOSYS;
    return -1;
}
void* fail_as_missing_pointer() {
    errno = ENOSYS;
    return nullptr;
}
int return_as_missing() {
    return ENOSYS;
}

}  // namespace cowscope::hooks
