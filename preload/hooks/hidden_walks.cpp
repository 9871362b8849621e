// Functions of libc that walk through folders by themselves: what they meet of the shim's
// descriptors is left out.
#include <fcntl.h>
#include <fts.h>
#include <ftw.h>
#include <glob.h>

#include <cstring>

#include "hooks/hidden_paths.h"
#include "hooks/own_folders.h"
#include "hooks/real.h"
#include "hooks/stand_in.h"

// By macros, because the shim itself must not call them.
#define COWSCOPE_OPEN_FOLDER opendir
#define COWSCOPE_READ_FOLDER readdir

#include "support/poison.h"

namespace cowscope::hooks {
namespace {

using Visit = int(const char*, const struct stat*, int);
using VisitWithPlace = int(const char*, const struct stat*, int, struct FTW*);

struct Functions {
    int (*ftw)(const char*, Visit*, int);
    int (*nftw)(const char*, VisitWithPlace*, int, int);
    FTSENT* (*fts_read)(FTS*);
};
constinit Functions functions = {};

// What they give to the host's function is no more than what they have found.
struct Walk {
    Visit* visit;
    VisitWithPlace* visit_with_place;
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

COWSCOPE_INTERPOSED int ftw(const char* path, Visit* visit, int descriptors) {
    auto* const next = find_function(functions.ftw, "ftw", kNoCall);
    if (next == nullptr) return CallInstead<int, kNoCall>()();
    if (!may_have_own_descriptors()) return next(path, visit, descriptors);
    return walk_visible({visit, nullptr, false},
                        [&] { return next(visible_path(path), visit_visible, descriptors); });
}
COWSCOPE_INTERPOSED int ftw64(const char* path,
                              int (*visit)(const char*, const struct stat64*, int),
                              int descriptors) {
    return ftw(path, reinterpret_cast<Visit*>(visit), descriptors);
}
COWSCOPE_INTERPOSED int nftw(const char* path, VisitWithPlace* visit, int descriptors, int flags) {
    auto* const next = find_function(functions.nftw, "nftw", kNoCall);
    if (next == nullptr) return CallInstead<int, kNoCall>()();
    if (!may_have_own_descriptors()) return next(path, visit, descriptors, flags);
    return walk_visible({nullptr, visit, (flags & FTW_CHDIR) != 0}, [&] {
        return next(visible_path(path), visit_visible_with_place, descriptors, flags);
    });
}
COWSCOPE_INTERPOSED int nftw64(const char* path,
                               int (*visit)(const char*, const struct stat64*, int, struct FTW*),
                               int descriptors, int flags) {
    return nftw(path, reinterpret_cast<VisitWithPlace*>(visit), descriptors, flags);
}

COWSCOPE_INTERPOSED FTSENT* fts_read(FTS* walk) {
    auto* const next = find_function(functions.fts_read, "fts_read", kNoCall);
    for (;;) {
        FTSENT* const found = next == nullptr ? nullptr : next(walk);
        if (found == nullptr || !may_have_own_descriptors()) return found;
        if (!leads_to_own_descriptor(AT_FDCWD, found->fts_accpath)) return found;
    }
}
COWSCOPE_INTERPOSED FTSENT64* fts64_read(FTS64* walk) {
    return reinterpret_cast<FTSENT64*>(fts_read(reinterpret_cast<FTS*>(walk)));
}
