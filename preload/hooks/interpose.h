// The shim exports nothing but the functions that it interposes.
#pragma once

#define COWSCOPE_INTERPOSED extern "C" __attribute__((visibility("default")))
