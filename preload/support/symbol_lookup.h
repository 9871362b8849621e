// Finds exported symbols in the modules of this process, those of dlopen(RTLD_LOCAL) included,
// without dlsym, which takes the lock that another thread's dlopen holds while constructors run.
//
// Not async-signal-safe: dl_iterate_phdr takes a lock of the loader's, for a moment.
#pragma once

#include <cstddef>
#include <cstdint>

namespace cowscope {

struct Symbol {
    const char* name;
    uint64_t address = 0;  // 0: not found
    uint64_t bytes = 0;
};

// How many modules were ever loaded: what was not found is not there as long as this stays.
uint64_t modules_ever_loaded();

// In one module whose first segment is linked at address 0, such as the vdso: takes no lock.
void find_symbols_of(const void* elf_header, Symbol* symbols, size_t count);

// The definition in the module that was loaded first counts, as it does for the linker.
void find_symbols(Symbol* symbols, size_t count);

}  // namespace cowscope
