// Finds exported symbols in the modules of this process, those of dlopen(RTLD_LOCAL) included,
// without dlsym, which takes the lock that another thread's dlopen holds while constructors run.
//
// Looks only where the caller says by a module's name: every other module is none of the shim's
// business, and may be anything: made by hand, or mapped from a file that was truncated since. In
// those that are looked into, nothing is taken on trust: the kernel copies what is read
// (support/guarded_read.h), tables lie within the module's segments, and chains end. A table that
// cannot be read holds no symbols.
//
// Not async-signal-safe: dl_iterate_phdr takes a lock of the loader's, for a moment.
#pragma once

#include <link.h>

#include <cstddef>
#include <cstdint>

namespace cowscope {

struct Symbol {
    const char* name;
    uint64_t address = 0;  // within a segment of the module; 0: not found
    uint64_t bytes = 0;
    uint64_t module_start = 0;  // of the module's first segment
    uint64_t module_end = 0;    // of its last
};

// How many modules were ever loaded: what was not found is not there as long as this stays.
uint64_t modules_ever_loaded();

// In one module whose first segment is linked at address 0, such as the vdso: takes no lock.
void find_symbols_of(const void* elf_header, Symbol* symbols, size_t count);

// In one module, whatever its name: those that were not found before.
void find_symbols_in(const dl_phdr_info& module, Symbol* symbols, size_t count);

// By the path of a module's file; "" is the main program.
using IsWanted = bool(const char* path);
// In all that are wanted. The definition in the module that was loaded first counts, as it does for
// the linker.
void find_symbols(Symbol* symbols, size_t count, IsWanted* is_wanted);

}  // namespace cowscope
