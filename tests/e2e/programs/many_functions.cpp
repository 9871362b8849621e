#include "many_functions.h"

#define MANY_DEFINE(n)   \
    int many_##n(void) { \
        return 1;        \
    }
MANY_2048(MANY_DEFINE)
