#include "record/record.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <optional>

#include <fmt/format.h>

#include "base/clock.h"
#include "base/error.h"
#include "observe/outside_scan.h"
#include "observe/owner_watch.h"
#include "record/capabilities.h"
#include "record/machine.h"
#include "record/recording.h"
#include "record/shim.h"

namespace cowscope::record {

namespace {

// What a choice comes to on this machine: throws for what was asked for by name and is not to be
// had, and adds a note where `auto` finds nothing that can be used.
void check_choice(const Choice& choice, std::string_view option, const std::vector<Probed>& probed,
                  std::string_view without, std::vector<std::string>* notes) {
    for (const auto& [instrument, capability] : probed) {
        if (instrument != choice.instrument() || capability.ok) continue;
        throw Error(fmt::format("{} {} is not possible here: {}; to allow it: {}", option,
                                choice.name(), capability.reason, capability.remedy));
    }
    if (!choice.is_automatic() || !best_of(probed).is_off()) return;
    const Capability& best = probed.front().capability;
    notes->push_back(fmt::format("{}: {}; to allow it: {}", without, best.reason, best.remedy));
}

std::vector<std::string> check_choices(const RecordOptions& options) {
    if (options.tracker.is_off() && options.witness.is_off()) return {};
    const Capabilities capabilities = probe_capabilities(read_machine());
    std::vector<std::string> notes;
    check_choice(options.tracker, "--tracker", capabilities.trackers, "no tracker, so no census",
                 &notes);
    check_choice(options.witness, "--witness", capabilities.witnesses, "no witness, so no causes",
                 &notes);
    return notes;
}

std::vector<std::string> own_environment() {
    std::vector<std::string> entries;
    for (char** entry = environ; entry && *entry; ++entry) entries.emplace_back(*entry);
    return entries;
}

std::optional<struct stat> file_of(const std::string& path) {
    struct stat status {};
    if (stat(path.c_str(), &status) != 0) return std::nullopt;
    return status;
}

bool is_same_file(const std::optional<struct stat>& a, const std::optional<struct stat>& b) {
    return a && b && a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

std::string nothing_recorded(const std::string& program) {
    const std::string reason = why_not_preloaded(program);
    if (!reason.empty()) {
        return fmt::format("nothing was recorded: '{}' did not load the shim, because {}", program,
                           reason);
    }
    return fmt::format(
        "nothing was recorded: '{}' did not load the shim; it may have ended too early, or changed "
        "LD_PRELOAD",
        program);
}

}  // namespace

RecordResult record_program(const RecordOptions& options, const std::vector<std::string>& command,
                            const Say& say, const Watch& watch) {
    const std::string shim = require_shim();
    std::vector<std::string> notes = check_choices(options);
    // Fails early where LD_PRELOAD cannot name the shim.
    compose_environment({}, options, shim, {});

    RecordResult result;
    if (options.output) {
        result.folder = open_trace_folder(*options.output);
    } else {
        require_writable_current_directory();
    }

    std::optional<struct stat> made;  // the folder
    // Before the program runs: some fork at once. Only addresses that were seen written have
    // owners.
    auto share = std::make_unique<observe::ShareOfBound>(options.max_trace);
    std::unique_ptr<observe::OwnerWatch> owners;
    const auto prepare = [&](pid_t pid) {
        if (!options.output) {
            result.folder = open_trace_folder(default_folder_name(command[0], pid));
        }
        made = file_of(result.folder.own_path());
        if (!options.witness.is_off()) {
            owners = std::make_unique<observe::OwnerWatch>(result.folder.own_path(),
                                                           observe::OwnerPace{}, share.get());
        }
        return compose_environment(own_environment(), options, shim, result.folder.path);
    };
    // Not before the program runs: what it cannot be started for is then the only line.
    const auto say_notes = [&] {
        if (options.quiet) return;
        for (const std::string& note : notes) say("note: " + note);
    };
    // Its folder is not known before the program runs.
    std::optional<observe::OutsideScan> scan;
    const auto look_from_outside = [&]() -> uint64_t {
        if (!scan) scan.emplace(result.folder.own_path(), observe::ScanPace{}, share.get());
        const uint64_t rest_ns = scan->tick();
        return watch ? std::min(rest_ns, watch(scan->seen_so_far())) : rest_ns;
    };
    try {
        result.gate = std::make_unique<SignalGate>();
        result.launch = launch(result.gate.get(), command, prepare, say_notes, look_from_outside);
    } catch (...) {
        owners.reset();
        remove_unused(&result.folder);
        if (result.folder.created) rmdir(result.folder.path.c_str());
        throw;
    }
    observe::ShareOfBound* const share_here = share.get();
    if (owners && owners->finish()) {
        notes.insert(notes.end(), owners->notes().begin(), owners->notes().end());
    } else if (owners) {
        notes.emplace_back("owners: the last look did not end with the program, and was given up");
        static_cast<void>(owners.release());
        static_cast<void>(share.release());
    }
    if (scan) {
        scan->finish();
        notes.insert(notes.end(), scan->notes().begin(), scan->notes().end());
    }

    // Who lives on may still be about to.
    const bool lives_on = scan && scan->seen_so_far().running != 0;
    if (!lives_on) remove_unused(&result.folder);
    result.has_segments = has_segments(result.folder.path);
    if (!is_same_file(made, file_of(result.folder.path))) {
        say(fmt::format("{} was deleted while the program ran; what it held is lost",
                        result.folder.shown));
        return result;
    }
    if (!result.has_segments) say(nothing_recorded(command[0]));
    try {
        const uint64_t since_start_ns = monotonic_ns() - result.launch.start_ns;
        write_recording(result.folder.own_path(),
                        {host_name(), read_clock_ns(CLOCK_REALTIME) - since_start_ns, command,
                         result.launch, options.tracker, options.witness, notes},
                        result.folder.path, share_here);
    } catch (const Error& error) {
        // The segments stand on their own, and the program's exit status must not be lost.
        say(error.what());
    }
    return result;
}

}  // namespace cowscope::record
