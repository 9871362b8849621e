// python_host LIBPYTHON SCRIPT: a program that starts Python long after its own start, from a
// library that it loads for itself alone (RTLD_LOCAL), and runs SCRIPT in it.
#include <dlfcn.h>

#include <cstdio>

int main(int argument_count, char** arguments) {
    if (argument_count != 3) return 2;
    void* library = dlopen(arguments[1], RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) {
        std::fprintf(stderr, "%s\n", dlerror());
        return 2;
    }
    const auto initialize = reinterpret_cast<void (*)()>(dlsym(library, "Py_Initialize"));
    const auto run = reinterpret_cast<int (*)(const char*)>(dlsym(library, "PyRun_SimpleString"));
    if (initialize == nullptr || run == nullptr) return 2;
    initialize();
    return run(arguments[2]) == 0 ? 0 : 1;
}
