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
using record::Choice;
using record::Machine;
using record::Probed;

constexpr const char* kSchema = "cowscope.doctor/1";

struct Examination {
    Machine machine;
    Capabilities capabilities;
    record::ShimSearch shim;
    Choice tracker;  // what `auto` would take
    Choice witness;

    bool complete() const { return !shim.path.empty() && !tracker.is_off() && !witness.is_off(); }
};

Examination examine() {
    Examination found;
    found.machine = record::read_machine();
    found.capabilities = record::probe_capabilities(found.machine);
    found.shim = record::search_shim();
    found.tracker = record::best_of(found.capabilities.trackers);
    found.witness = record::best_of(found.capabilities.witnesses);
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
                           found.tracker.name(), found.witness.name());
    }
    if (found.tracker.is_off() && found.witness.is_off()) {
        return "auto can use neither a tracker nor a witness: only the processes are recorded";
    }
    if (found.witness.is_off()) {
        return fmt::format(
            "auto uses the tracker {} and no witness: reports say which pages were copied, not why",
            found.tracker.name());
    }
    return fmt::format(
        "auto uses no tracker and the witness {}: reports have no census to hold causes against",
        found.witness.name());
}

constexpr const char* kRow = "{:<22}{}\n";

void append_row(std::string& text, const std::string& label, const std::string& value) {
    text += fmt::format(fmt::runtime(kRow), label, printable(value));
}

// One is needed; those behind the first that can be used are not.
void append_capabilities(std::string& text, std::string_view kind,
                         const std::vector<Probed>& probed) {
    bool needed = true;
    for (const auto& [instrument, capability] : probed) {
        std::string value = capability.ok ? "ok"
                            : needed      ? "missing"
                                          : "missing, but not needed here";
        if (!capability.reason.empty()) value += ": " + capability.reason;
        append_row(text, fmt::format("{} {}", kind, instrument->name), value);
        if (!capability.ok && needed) append_row(text, "", "to allow it: " + capability.remedy);
        if (capability.ok) needed = false;
    }
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
    append_capabilities(text, "tracker", found.capabilities.trackers);
    append_capabilities(text, "witness", found.capabilities.witnesses);
    append_row(text, "verdict", verdict(found));
    return text;
}

nlohmann::ordered_json to_json(const std::vector<Probed>& probed) {
    nlohmann::ordered_json json;
    for (const auto& [instrument, capability] : probed) {
        json[std::string(instrument->name)] = {{"ok", capability.ok},
                                               {"errno", capability.error},
                                               {"reason", capability.reason},
                                               {"remedy", capability.remedy}};
    }
    return json;
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
    json["auto"] = {{"tracker", found.tracker.name()}, {"witness", found.witness.name()}};
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
    json["trackers"] = to_json(found.capabilities.trackers);
    json["witnesses"] = to_json(found.capabilities.witnesses);
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
    kTextOrJson.add_to(app, format);

    if (const auto status = parse(app, arguments)) return *status;
    kTextOrJson.check(format);

    const Examination found = examine();
    print(format == "json" ? to_json(found) : to_text(found));
    return found.complete() ? kSuccess : kCheckFailed;
}

}  // namespace cowscope::cli
