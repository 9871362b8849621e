// Programs beside whose functions other libraries stand: preloaded ones (other_preload.cpp) and
// auditors (auditor.cpp).
#include <dlfcn.h>

#include <csignal>
#include <cstdlib>
#include <ctime>
#include <string>
#include <vector>

#include "tree_cases.h"

using namespace tree;

namespace {

volatile sig_atomic_t handled = 0;

void set_handler(int signal) {
    struct sigaction action {};
    action.sa_handler = [](int) { handled = handled + 1; };
    require(sigaction(signal, &action, nullptr) == 0, "sigaction");
    struct sigaction now {};
    require(sigaction(signal, nullptr, &now) == 0 && now.sa_handler == action.sa_handler,
            "the action that was set");
}

// Writes, allocates, closes and handles signals in a process and its children.
void do_everything() {
    set_handler(SIGUSR1);
    set_handler(SIGTRAP);
    for (int i = 0; i < 3; ++i) {
        wait_for_child(start_child([] {
            account::store_to_shared(region, 40, 1);
            account::add_written(account::Kind::copied, region, 40, 1);
            require(raise(SIGUSR1) == 0 && raise(SIGTRAP) == 0, "raise");
            require(handled == 2, "signals");
            std::vector<std::string> strings;
            for (size_t j = 0; j < 100; ++j) strings.emplace_back(j, 'x');
            require(strings.back().size() == 99, "strings");
            const int fd = dup(0);
            require(fd >= 0 && close(fd) == 0, "close");
            require(close(fd) == -1 && errno == EBADF, "close of what is closed");
            wait_for_child(start_child([] {
                account::store_to_shared(at(40), 100, 1);
                account::add_written(account::Kind::copied, at(40), 100, 1);
            }));
        }));
    }
    set_handler(SIGUSR1);
}

void beside_preload() {
    auto* count =
        reinterpret_cast<long (*)(const char*)>(dlsym(RTLD_DEFAULT, "other_preload_count"));
    require(count != nullptr, "the other library");
    const long actions = count("actions");
    const long allocations = count("allocations");
    do_everything();
    note_figure("forks", count("forks"));
    note_figure("handlers before", count("handlers before"));
    note_figure("settings read", count("settings read"));
    timespec now{};
    require(clock_gettime(CLOCK_MONOTONIC, &now) == 0, "clock_gettime");
    note_figure("clock", count("clock"));
    note_figure("actions", count("actions") - actions);
    note_figure("allocates", count("allocations") > allocations || allocations > 0 ? 1 : 0);
}

void beside_auditor() {
    FILE* maps = std::fopen("/proc/self/maps", "r");
    require(maps != nullptr, "maps");
    char line[8192];
    bool is_there = false;
    while (std::fgets(line, sizeof(line), maps) != nullptr) {
        is_there = is_there || std::strstr(line, "libauditor.so") != nullptr;
    }
    std::fclose(maps);
    require(is_there, "the auditor");
    do_everything();
}

const Case kCases[] = {
    {"preload", beside_preload},
    {"auditor", beside_auditor},
};

}  // namespace

int main(int argc, char** argv) {
    return run_named(kCases, argc, argv);
}
