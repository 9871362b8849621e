// What a family's file defines: a hook by hand behind COWSCOPE_INTERPOSED, and what stands in the
// list as a whole (list.h) by COWSCOPE_<FAMILY>_HOOKS(COWSCOPE_DEFINE), at global scope, behind
// what the arguments of the lines use.
#pragma once

#include "hooks/real.h"

// The shim exports nothing else.
#define COWSCOPE_INTERPOSED extern "C" __attribute__((visibility("default")))

#define COWSCOPE_DEFINE(kind, ...) COWSCOPE_DEFINE_##kind(__VA_ARGS__)
#define COWSCOPE_DEFINE_HOOK(Result, name, parameters, otherwise)
#define COWSCOPE_DEFINE_LATE_HOOK(Result, name, parameters, otherwise)
#define COWSCOPE_DEFINE_VARIADIC(Result, name, parameters, otherwise)
#define COWSCOPE_DEFINE_PASS(Result, name, specifier, parameters, otherwise, arguments) \
    COWSCOPE_INTERPOSED Result name parameters specifier {                              \
        using namespace cowscope::hooks;                                                \
        auto* const next = real::name.find();                                           \
        return next arguments;                                                          \
    }
#define COWSCOPE_DEFINE_LATE_PASS COWSCOPE_DEFINE_PASS
// An alias: the two have one address.
#define COWSCOPE_DEFINE_SAME(name, other) \
    __asm__(".globl " #name "\n.type " #name ", @function\n.set " #name ", " #other);
#define COWSCOPE_DEFINE_OWN(name)
