// `cowscope doctor`: what this kernel, container and user allow, and what would allow more.
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/printable.h"
#include "cli/parse.h"
#include "preload/format/kernel_abi.h"
#include "record/capabilities.h"
#include "record/machine.h"
#include "record/shim.h"
#include "report/json_value.h"

namespace cowscope::cli {

namespace {

using record::Capabilities;
using record::Capability;
using record::Machine;
using record::TrackerChoice;
using record::WitnessChoice;

constexpr const char* kSchema = "cowscope.doctor/1";

struct Examination {
    Machine machine;
    Capabilities capabilities;
    record::ShimSearch shim;
    TrackerChoice tracker = TrackerChoice::off;  // what `auto` would take
    WitnessChoice witness = WitnessChoice::off;

    bool complete() const {
        return !shim.path.empty() && tracker != TrackerChoice::off && witness != WitnessChoice::off;
    }
};

Examination examine() {
    Examination found;
    found.machine = record::read_machine();
    found.capabilities = record::probe_capabilities(found.machine);
    found.shim = record::search_shim();
    found.tracker = record::best_tracker(found.capabilities);
    found.witness = record::best_witness(found.capabilities);
    return found;
}

std::vector<std::string> capability_names(const Machine& machine) {
    std::vector<std::string> names;
    if (machine.has_capability(kernel::kCapPerfmon)) names.push_back("CAP_PERFMON");
    if (machine.has_capability(kernel::kCapSysAdmin)) names.push_back("CAP_SYS_ADMIN");
    if (machine.has_capability(kernel::kCapSysPtrace)) names.push_back("CAP_SYS_PTRACE");
    return names;
}

std::string seccomp_name(const Machine& machine) {
    if (!machine.seccomp) return "unknown";
    switch (*machine.seccomp) {
        case 0:
            return "off";
        case 1:
            return "strict";
        default:
            return "filter";
    }
}

std::string setting(const std::optional<int>& value) {
    return value ? std::to_string(*value) : "not readable";
}

std::string verdict(const Examination& found) {
    if (found.shim.path.empty()) return "nothing can be recorded without libcowscope.so";
    if (found.complete()) {
        return fmt::format("auto uses the tracker {} and the witness {}: everything is there",
                           name_of(found.tracker), name_of(found.witness));
    }
    if (found.tracker == TrackerChoice::off && found.witness == WitnessChoice::off) {
        return "auto can use neither a tracker nor a witness: only the processes are recorded";
    }
    if (found.witness == WitnessChoice::off) {
        return fmt::format(
            "auto uses the tracker {} and no witness: reports say which pages were copied, not why",
            name_of(found.tracker));
    }
    return fmt::format(
        "auto uses no tracker and the witness {}: reports have no census to hold causes against",
        name_of(found.witness));
}

constexpr const char* kRow = "{:<22}{}\n";

void append_row(std::string& text, const std::string& label, const std::string& value) {
    text += fmt::format(fmt::runtime(kRow), label, printable(value));
}

void append_capability(std::string& text, const std::string& label, const Capability& capability,
                       bool needed = true) {
    std::string value = capability.ok ? "ok" : needed ? "missing" : "missing, but not needed here";
    if (!capability.reason.empty()) value += ": " + capability.reason;
    append_row(text, label, value);
    if (!capability.ok && needed) append_row(text, "", "to allow it: " + capability.remedy);
}

std::string to_text(const Examination& found) {
    const Machine& machine = found.machine;
    const std::vector<std::string> names = capability_names(machine);
    std::string text;
    append_row(text, "cowscope", COWSCOPE_VERSION);
    append_row(text, "kernel", machine.kernel);
    append_row(text, "user",
               fmt::format("uid {}, {}", machine.user_id,
                           names.empty() ? std::string("no capability that matters here")
                                         : fmt::format("{}", fmt::join(names, " "))));
    append_row(text, "container",
               machine.container.empty() ? std::string("no sign of one") : machine.container);
    append_row(text, "seccomp", seccomp_name(machine));
    append_row(text, "settings",
               fmt::format("kernel.perf_event_paranoid = {}, vm.unprivileged_userfaultfd = {}",
                           setting(machine.perf_event_paranoid),
                           setting(machine.unprivileged_userfaultfd)));
    if (found.shim.path.empty()) {
        append_row(text, "libcowscope.so",
                   fmt::format("missing: not in {}", fmt::join(found.shim.searched, ", ")));
        append_row(text, "", "to allow it: build it, or name it in COWSCOPE_SHIM");
    } else {
        append_row(text, "libcowscope.so", found.shim.path);
    }
    append_capability(text, "tracker userfaultfd", found.capabilities.userfaultfd);
    append_capability(text, "tracker soft-dirty", found.capabilities.soft_dirty,
                      !found.capabilities.userfaultfd.ok);
    append_capability(text, "witness trap", found.capabilities.trap);
    append_row(text, "verdict", verdict(found));
    return text;
}

nlohmann::ordered_json to_json(const Capability& capability) {
    return {{"ok", capability.ok},
            {"errno", capability.error},
            {"reason", capability.reason},
            {"remedy", capability.remedy}};
}

nlohmann::ordered_json to_json(const std::optional<int>& value) {
    return value ? nlohmann::ordered_json(*value) : nlohmann::ordered_json(nullptr);
}

std::string to_json(const Examination& found) {
    const Machine& machine = found.machine;
    nlohmann::ordered_json json;
    json["schema"] = kSchema;
    json["version"] = COWSCOPE_VERSION;
    json["ok"] = found.complete();
    json["verdict"] = verdict(found);
    json["auto"] = {{"tracker", name_of(found.tracker)}, {"witness", name_of(found.witness)}};
    json["kernel"] = machine.kernel;
    json["user_id"] = machine.user_id;
    json["capabilities"] = capability_names(machine);
    json["container"] = machine.container;
    json["seccomp"] = seccomp_name(machine);
    json["settings"] = {{"kernel.perf_event_paranoid", to_json(machine.perf_event_paranoid)},
                        {"vm.unprivileged_userfaultfd", to_json(machine.unprivileged_userfaultfd)}};
    json["shim"] = {{"ok", !found.shim.path.empty()},
                    {"path", found.shim.path},
                    {"searched", found.shim.searched}};
    json["trackers"] = {{"userfaultfd", to_json(found.capabilities.userfaultfd)},
                        {"soft-dirty", to_json(found.capabilities.soft_dirty)}};
    json["witnesses"] = {{"trap", to_json(found.capabilities.trap)}};
    constexpr int kIndent = 2;
    return report::json_text(json, kIndent) + '\n';
}

}  // namespace

int doctor_command(const Arguments& arguments) {
    CLI::App app("Tests what this kernel, container and user allow, and what would allow more.",
                 "cowscope doctor");
    set_usage(app, "cowscope doctor [options]");
    app.footer(
        "Exit status: 0 if recordings are complete here, 1 if something is missing.\n\n"
        "Examples:\n"
        "  cowscope doctor\n"
        "  cowscope doctor --format json | jq .verdict");
    std::string format = "text";
    app.add_option("--format", format, "text or json (text)")->type_name("FORMAT");

    if (const auto status = parse(app, arguments)) return *status;
    require_one_of("--format", format, {"text", "json"});

    const Examination found = examine();
    print(format == "json" ? to_json(found) : to_text(found));
    return found.complete() ? kSuccess : kCheckFailed;
}

}  // namespace cowscope::cli
