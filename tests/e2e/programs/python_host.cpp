// python_host LIBPYTHON SCRIPT [again]: a program that starts Python long after its own start, from
// a library that it loads for itself alone (RTLD_LOCAL), and runs SCRIPT in it.
//
// again: then it forks, and the child calls the script's read_all(), ends the interpreter, gives
// its memory back, writes to memory that has nothing to do with Python, and starts another; four
// times.
//
// python_host LIBPYTHON --truncate: it never starts Python, forks, empties the library's file, and
// forks a child that writes to memory that has nothing to do with Python.
#include <dlfcn.h>
#include <malloc.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <vector>

namespace {

constexpr size_t kPageBytes = 4096;
constexpr size_t kPagesARound = 200;
constexpr int kRounds = 4;

template <typename Function>
Function function_of(void* library, const char* name) {
    return reinterpret_cast<Function>(dlsym(library, name));
}

[[gnu::noinline]] void write_after_end(unsigned char* pages) {
    for (size_t i = 0; i < kPagesARound; ++i) {
        *static_cast<volatile unsigned char*>(pages + i * kPageBytes) = 2;
    }
}

int status_of_child(void (*run)(unsigned char*), unsigned char* pages) {
    const pid_t child = fork();
    if (child == 0) {
        run(pages);
        _exit(0);
    }
    int status = 0;
    if (waitpid(child, &status, 0) != child) return 2;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int run_without_library(const char* path) {
    std::vector<unsigned char> memory((kPagesARound + 1) * kPageBytes, 1);
    if (status_of_child(write_after_end, memory.data()) != 0) return 3;
    if (truncate(path, 0) != 0) return 4;
    return status_of_child(write_after_end, memory.data());
}

}  // namespace

int main(int argument_count, char** arguments) {
    if (argument_count < 3) return 2;
    void* library = dlopen(arguments[1], RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) {
        std::fprintf(stderr, "%s\n", dlerror());
        return 2;
    }
    // The library is left alone at the end, too.
    if (std::strcmp(arguments[2], "--truncate") == 0) _exit(run_without_library(arguments[1]));
    const auto initialize = function_of<void (*)()>(library, "Py_Initialize");
    const auto finish = function_of<int (*)()>(library, "Py_FinalizeEx");
    // New in 3.7.
    const auto before_fork = function_of<void (*)()>(library, "PyOS_BeforeFork");
    const auto after_fork = function_of<void (*)()>(library, "PyOS_AfterFork_Child");
    const auto run = function_of<int (*)(const char*)>(library, "PyRun_SimpleString");
    if (initialize == nullptr || run == nullptr) return 2;
    initialize();
    if (run(arguments[2]) != 0) return 1;
    if (argument_count == 3) return 0;

    if (finish == nullptr) return 2;
    std::vector<unsigned char> memory((kRounds * kPagesARound + 1) * kPageBytes, 1);
    if (before_fork != nullptr) before_fork();
    const pid_t child = fork();
    if (child == 0) {
        if (after_fork != nullptr) after_fork();
        for (int round = 0; round < kRounds; ++round) {
            if (run("read_all()") != 0) _exit(3);
            finish();
            malloc_trim(0);
            write_after_end(memory.data() + round * kPagesARound * kPageBytes);
            initialize();
            if (run(arguments[2]) != 0) _exit(4);
        }
        _exit(0);
    }
    int status = 0;
    if (waitpid(child, &status, 0) != child) return 2;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 5;
}
