// 2,048 functions of a library of their own (many_functions.cpp), so that a program that calls them
// has four pages of addresses for the dynamic loader to fill.
#pragma once

#define MANY_4(make, n) make(n##0) make(n##1) make(n##2) make(n##3)
#define MANY_16(make, n) MANY_4(make, n##0) MANY_4(make, n##1) MANY_4(make, n##2) MANY_4(make, n##3)
#define MANY_64(make, n) \
    MANY_16(make, n##0) MANY_16(make, n##1) MANY_16(make, n##2) MANY_16(make, n##3)
#define MANY_256(make, n) \
    MANY_64(make, n##0) MANY_64(make, n##1) MANY_64(make, n##2) MANY_64(make, n##3)
#define MANY_2048(make)                                                                       \
    MANY_256(make, 0)                                                                         \
    MANY_256(make, 1) MANY_256(make, 2) MANY_256(make, 3) MANY_256(make, 4) MANY_256(make, 5) \
        MANY_256(make, 6) MANY_256(make, 7)

extern "C" {
#define MANY_DECLARE(n) int many_##n(void);
MANY_2048(MANY_DECLARE)
#undef MANY_DECLARE
}
