// Functions of libc that walk through folders by themselves: what they meet of the shim's
// descriptors is left out.
#include <fcntl.h>
#include <fts.h>
#include <ftw.h>
#include <glob.h>

#include <cstring>

#include "hooks/define_hooks.h"
#include "hooks/descriptors/descriptor_folders.h"
#include "hooks/descriptors/path_arguments.h"

// By macros, because the shim itself must not call them.
#define COWSCOPE_OPEN_FOLDER opendir
#define COWSCOPE_READ_FOLDER readdir

#include "support/poison.h"

namespace cowscope::hooks {
namespace {

// What they give to the host's function is no more than what they have found.
struct Walk {
    FtwVisit* visit;
    NftwVisit* visit_with_place;
    // Then each is met in the folder where it is, and its path may begin elsewhere.
    bool changes_folder;
};
thread_local const Walk* walking = nullptr;

int visit_visible(const char* path, const struct stat* status, int kind) {
    const Walk* const now = walking;
    return leads_to_own_descriptor(AT_FDCWD, path) ? 0 : now->visit(path, status, kind);
}
int visit_visible_with_place(const char* path, const struct stat* status, int kind,
                             struct FTW* place) {
    const Walk* const now = walking;
    const char* const here = now->changes_folder ? path + place->base : path;
    if (leads_to_own_descriptor(AT_FDCWD, here)) return 0;
    return now->visit_with_place(path, status, kind, place);
}

// Calls walk() meanwhile.
template <typename Call>
int walk_visible(const Walk& now, const Call& walk) {
    const Walk* const before = walking;
    walking = &now;
    const int result = walk();
    walking = before;
    return result;
}

}  // namespace
}  // namespace cowscope::hooks

using namespace cowscope;
using namespace cowscope::hooks;

COWSCOPE_TREE_WALK_HOOKS(COWSCOPE_DEFINE)

COWSCOPE_INTERPOSED int ftw(const char* path, FtwVisit* visit, int descriptors) {
    if (!may_have_own_descriptors()) return real::ftw(path, visit, descriptors);
    return walk_visible({visit, nullptr, false},
                        [&] { return real::ftw(visible_path(path), visit_visible, descriptors); });
}
COWSCOPE_INTERPOSED int nftw(const char* path, NftwVisit* visit, int descriptors, int flags) {
    if (!may_have_own_descriptors()) return real::nftw(path, visit, descriptors, flags);
    return walk_visible({nullptr, visit, (flags & FTW_CHDIR) != 0}, [&] {
        return real::nftw(visible_path(path), visit_visible_with_place, descriptors, flags);
    });
}

COWSCOPE_INTERPOSED FTSENT* fts_read(FTS* walk) {
    for (;;) {
        FTSENT* const found = real::fts_read(walk);
        if (found == nullptr || !may_have_own_descriptors()) return found;
        if (!leads_to_own_descriptor(AT_FDCWD, found->fts_accpath)) return found;
    }
}
