// The shim's search for symbols: what the dynamic linker finds, and only where it is asked to look.
#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <sys/auxv.h>

#include <cstring>
#include <string>

#include "runtime/cpython/module_name.h"
#include "support/symbol_lookup.h"
#include "tests/catch.h"

using namespace cowscope;

namespace {

struct Wanted {
    std::string part;  // of the module's name
    dl_phdr_info found = {};
};

int find_module(dl_phdr_info* module, size_t, void* argument) {
    auto& wanted = *static_cast<Wanted*>(argument);
    if (std::strstr(module->dlpi_name, wanted.part.c_str()) == nullptr) return 0;
    wanted.found = *module;
    return 1;
}

}  // namespace

TEST_CASE("symbols are found where the dynamic linker finds them") {
    Wanted libc = {"libc.so"};
    REQUIRE(dl_iterate_phdr(find_module, &libc) == 1);
    Symbol symbols[] = {{"qsort"}, {"environ"}, {"stdout"}, {"no_such_symbol"}};
    find_symbols_in(libc.found, symbols, 4);
    void* handle = dlopen("libc.so.6", RTLD_NOW | RTLD_NOLOAD);
    REQUIRE(handle != nullptr);
    for (size_t i = 0; i < 3; ++i) {
        CAPTURE(symbols[i].name);
        CHECK(symbols[i].address == reinterpret_cast<uint64_t>(dlsym(handle, symbols[i].name)));
        CHECK(symbols[i].address >= symbols[i].module_start);
        CHECK(symbols[i].address < symbols[i].module_end);
    }
    CHECK(symbols[1].bytes == sizeof(char**));
    CHECK(symbols[3].address == 0);
    dlclose(handle);
}

TEST_CASE("the vdso's clock is found in it") {
    const unsigned long vdso = getauxval(AT_SYSINFO_EHDR);
    REQUIRE(vdso != 0);
    Symbol clock = {"__vdso_clock_gettime"};
    find_symbols_of(reinterpret_cast<const void*>(vdso), &clock, 1);
    CHECK(clock.address > vdso);
    CHECK(clock.address < clock.module_end);
}

TEST_CASE("interpreters are looked for by the names of modules") {
    for (const char* name :
         {"", "/usr/lib/libpython3.11.so.1.0", "libpython3.6m.so", "/a/python3_plugin.so",
          "/usr/lib/apache2/modules/mod_wsgi.so-3.11", "/proc/self/fd/5", "./a.out"}) {
        CAPTURE(name);
        CHECK(cpython::may_hold_interpreter(name));
    }
    for (const char* name : {"/lib/x86_64-linux-gnu/libc.so.6", "/usr/lib/python3/libz.so.1",
                             "/usr/lib/python3/_x.cpython-311-x86_64-linux-gnu.so"}) {
        CAPTURE(name);
        CHECK_FALSE(cpython::may_hold_interpreter(name));
    }
}
