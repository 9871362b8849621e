#include "record/machine.h"

#include <sys/utsname.h>
#include <unistd.h>

#include <fstream>
#include <string_view>

namespace cowscope::record {

namespace {

constexpr int kSeccompFilter = 2;  // linux/seccomp.h: SECCOMP_MODE_FILTER

std::optional<int> read_number(const char* path) {
    std::ifstream file(path);
    int value = 0;
    if (!(file >> value)) return std::nullopt;
    return value;
}

void read_status(Machine& machine) {
    std::ifstream status("/proc/self/status");
    std::string key;
    while (status >> key) {
        if (key == "CapEff:") {
            status >> std::hex >> machine.capabilities >> std::dec;
        } else if (key == "Seccomp:") {
            int mode = 0;
            if (status >> mode) machine.seccomp = mode;
            machine.seccomp_filters = mode == kSeccompFilter ? 1 : 0;
        } else if (key == "Seccomp_filters:") {
            status >> machine.seccomp_filters;
        }
        std::string rest;
        std::getline(status, rest);
    }
}

// Docker, Podman and systemd-nspawn leave these in every container; process 1's environment, which
// says the same, needs root to read.
std::string container_sign() {
    for (const char* path : {"/.dockerenv", "/run/.containerenv", "/run/systemd/container"}) {
        if (access(path, F_OK) == 0) return path;
    }
    return {};
}

}  // namespace

Machine read_machine() {
    Machine machine;
    utsname name{};
    if (uname(&name) == 0) {
        machine.kernel = std::string(name.sysname) + ' ' + name.release + ' ' + name.machine;
    }
    machine.user_id = geteuid();
    read_status(machine);
    machine.container = container_sign();
    machine.perf_event_paranoid = read_number("/proc/sys/kernel/perf_event_paranoid");
    machine.unprivileged_userfaultfd = read_number("/proc/sys/vm/unprivileged_userfaultfd");
    return machine;
}

std::string host_name() {
    utsname name{};
    return uname(&name) == 0 ? name.nodename : "";
}

}  // namespace cowscope::record
