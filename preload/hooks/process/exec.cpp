// exec: the process becomes another program, so this is the last moment for its census. Every
// function of the family is interposed, because libc's own calls between them do not pass through
// interposed symbols.

#include "hooks/process/exec.h"

#include <stdarg.h>
#include <unistd.h>

#include "hooks/define_hooks.h"
#include "hooks/descriptors/path_arguments.h"

#include "support/poison.h"

using namespace cowscope;
using namespace cowscope::hooks;

namespace {

using namespace cowscope;

using Arguments = char* const*;

// The variadic forms' arguments as an array on the caller's stack, as glibc's own do it.
size_t count_arguments(va_list arguments) {
    size_t count = 1;
    while (va_arg(arguments, char*) != nullptr) ++count;
    return count;
}

}  // namespace

COWSCOPE_INTERPOSED int execve(const char* path, Arguments arguments,
                               Arguments environment) noexcept {
    const BecomingAnotherProgram becoming;
    return real::execve(visible_path(path), arguments, environment);
}
COWSCOPE_INTERPOSED int execv(const char* path, Arguments arguments) noexcept {
    const BecomingAnotherProgram becoming;
    return real::execve(visible_path(path), arguments, environ);
}
COWSCOPE_INTERPOSED int execvpe(const char* file, Arguments arguments,
                                Arguments environment) noexcept {
    const BecomingAnotherProgram becoming;
    return real::execvpe(visible_path(file), arguments, environment);
}
COWSCOPE_INTERPOSED int execvp(const char* file, Arguments arguments) noexcept {
    const BecomingAnotherProgram becoming;
    return real::execvpe(visible_path(file), arguments, environ);
}
COWSCOPE_INTERPOSED int execveat(int folder, const char* path, Arguments arguments,
                                 Arguments environment, int flags) noexcept {
    const BecomingAnotherProgram becoming;
    return real::execveat(visible(folder), visible_path(folder, path), arguments, environment,
                          flags);
}
COWSCOPE_INTERPOSED int fexecve(int fd, Arguments arguments, Arguments environment) noexcept {
    const BecomingAnotherProgram becoming;
    return real::fexecve(visible(fd), arguments, environment);
}

// Copies the variadic arguments behind `first` into `array`, which has room for the terminator.
#define COWSCOPE_TAKE_ARGUMENTS(array, last)           \
    va_list counted;                                   \
    va_start(counted, first);                          \
    const size_t count = 1 + count_arguments(counted); \
    va_end(counted);                                   \
    char* array[count];                                \
    va_list last;                                      \
    va_start(last, first);                             \
    array[0] = const_cast<char*>(first);               \
    for (size_t i = 1; i < count; ++i) array[i] = va_arg(last, char*)

COWSCOPE_INTERPOSED int execl(const char* path, const char* first, ...) noexcept {
    COWSCOPE_TAKE_ARGUMENTS(arguments, more);
    va_end(more);
    return execv(path, arguments);
}
COWSCOPE_INTERPOSED int execlp(const char* file, const char* first, ...) noexcept {
    COWSCOPE_TAKE_ARGUMENTS(arguments, more);
    va_end(more);
    return execvp(file, arguments);
}
COWSCOPE_INTERPOSED int execle(const char* path, const char* first, ...) noexcept {
    COWSCOPE_TAKE_ARGUMENTS(arguments, more);
    Arguments environment = va_arg(more, Arguments);
    va_end(more);
    return execve(path, arguments, environment);
}
