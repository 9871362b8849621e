// A library for LD_AUDIT (rtld-audit(7)) that sees every binding and every call between modules,
// and counts them in memory that children inherit.
#include <link.h>

#include <cstdint>

namespace {

unsigned long bindings;
unsigned long calls;

}  // namespace

extern "C" {

unsigned la_version(unsigned) {
    return LAV_CURRENT;
}
unsigned la_objopen(link_map*, Lmid_t, uintptr_t*) {
    return LA_FLG_BINDTO | LA_FLG_BINDFROM;
}
uintptr_t la_symbind64(Elf64_Sym* symbol, unsigned, uintptr_t*, uintptr_t*, unsigned*,
                       const char*) {
    ++bindings;
    return symbol->st_value;
}
Elf64_Addr la_x86_64_gnu_pltenter(Elf64_Sym* symbol, unsigned, uintptr_t*, uintptr_t*,
                                  La_x86_64_regs*, unsigned*, const char*, long*) {
    ++calls;
    return symbol->st_value;
}
}
