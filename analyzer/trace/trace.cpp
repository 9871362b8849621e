#include "trace/trace.h"

#include <algorithm>
#include <filesystem>

#include "error.h"

namespace cowscope::trace {

std::vector<std::string> find_segments(const std::string& folder) {
    namespace fs = std::filesystem;
    std::error_code error;
    const fs::file_status status = fs::status(folder, error);
    if (!fs::exists(status)) throw Error(folder + ": no such trace");
    if (!fs::is_directory(status)) throw Error(folder + ": a trace is a folder, and this is none");
    std::vector<std::string> paths;
    for (fs::directory_iterator entry(folder, error), end; !error && entry != end;
         entry.increment(error)) {
        if (entry->path().extension() == kSegmentSuffix) paths.push_back(entry->path().string());
    }
    if (error) throw Error(folder + ": cannot read: " + error.message());
    if (paths.empty()) throw Error(folder + ": not a trace (no *.cowseg file in it)");
    std::sort(paths.begin(), paths.end());
    return paths;
}

namespace {

// A forked child that lived too short to say where its modules lie has them where its parent has
// them.
void add_parents_mappings(Trace* trace) {
    for (size_t i = 0; i < trace->processes.size(); ++i) {
        ProcessTrace& process = trace->processes[i];
        if (process.process.role != Role::fork || !process.mappings.empty()) continue;
        if (const auto parent = find_parent(*trace, i)) {
            process.mappings = trace->processes[*parent].mappings;
        }
    }
}

}  // namespace

std::optional<size_t> find_parent(const Trace& trace, size_t child) {
    const ProcessTrace& fork = trace.processes[child];
    if (fork.process.role != Role::fork) return std::nullopt;
    for (size_t i = child; i-- > 0;) {
        if (trace.processes[i].pid() == fork.process.parent_pid) return i;
    }
    return std::nullopt;
}

Trace load(const std::string& folder) {
    Trace trace;
    trace.folder = folder;
    for (const std::string& path : find_segments(folder)) {
        try {
            trace.processes.push_back(load_process(path));
            ProcessTrace& process = trace.processes.back();
            if (process.damage) trace.damage.push_back(*process.damage);
            add_outside(&process);
            if (process.outside && process.outside->damage) {
                trace.damage.push_back(*process.outside->damage);
            }
        } catch (const Error& error) {
            trace.damage.emplace_back(error.what());
        }
    }
    if (trace.processes.empty()) throw Error(trace.damage.front());
    std::stable_sort(trace.processes.begin(), trace.processes.end(),
                     [](const ProcessTrace& a, const ProcessTrace& b) {
                         return a.process.start_ns < b.process.start_ns;
                     });
    add_parents_mappings(&trace);
    trace.owners = load_owners(folder, &trace.damage);
    trace.bound = read_bound(folder, &trace.damage);
    return trace;
}

}  // namespace cowscope::trace
