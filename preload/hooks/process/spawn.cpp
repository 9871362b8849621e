// Programs that libc executes for the host by itself, in a child that shares its memory (vfork). It
// sees to the signals that have a handler, but cannot know which of ours the host ignores.
#include <errno.h>

#include "hooks/define_hooks.h"
#include "hooks/descriptors/path_arguments.h"
#include "hooks/signals/handled_signals.h"

#include "support/poison.h"

using namespace cowscope;
using namespace cowscope::hooks;

COWSCOPE_SPAWN_HOOKS(COWSCOPE_DEFINE)

using Strings = char* const*;

namespace {

int spawn(decltype(real::posix_spawn.find()) function, int* pid, const char* path,
          const posix_spawn_file_actions_t* actions, const posix_spawnattr_t* attributes,
          Strings arguments, Strings environment) {
    const IgnoredTrapIsKept kept;
    return function(pid, visible_path(path), actions, attributes, arguments, environment);
}

}  // namespace

COWSCOPE_INTERPOSED int posix_spawn(pid_t* pid, const char* path,
                                    const posix_spawn_file_actions_t* actions,
                                    const posix_spawnattr_t* attributes, Strings arguments,
                                    Strings environment) {
    return spawn(real::posix_spawn.find(), pid, path, actions, attributes, arguments, environment);
}
COWSCOPE_INTERPOSED int posix_spawnp(pid_t* pid, const char* file,
                                     const posix_spawn_file_actions_t* actions,
                                     const posix_spawnattr_t* attributes, Strings arguments,
                                     Strings environment) {
    return spawn(real::posix_spawnp.find(), pid, file, actions, attributes, arguments, environment);
}
// glibc 2.39.
COWSCOPE_INTERPOSED int pidfd_spawn(int* pidfd, const char* path,
                                    const posix_spawn_file_actions_t* actions,
                                    const posix_spawnattr_t* attributes, Strings arguments,
                                    Strings environment) {
    return spawn(real::pidfd_spawn.find(), pidfd, path, actions, attributes, arguments,
                 environment);
}
COWSCOPE_INTERPOSED int pidfd_spawnp(int* pidfd, const char* file,
                                     const posix_spawn_file_actions_t* actions,
                                     const posix_spawnattr_t* attributes, Strings arguments,
                                     Strings environment) {
    return spawn(real::pidfd_spawnp.find(), pidfd, file, actions, attributes, arguments,
                 environment);
}
COWSCOPE_INTERPOSED int system(const char* command) {
    const IgnoredTrapIsKept kept;
    return real::system(command);
}
COWSCOPE_INTERPOSED FILE* popen(const char* command, const char* mode) {
    const IgnoredTrapIsKept kept;
    return real::popen(command, mode);
}
COWSCOPE_INTERPOSED int wordexp(const char* words, wordexp_t* result, int flags) {
    const IgnoredTrapIsKept kept;
    return real::wordexp(words, result, flags);
}
