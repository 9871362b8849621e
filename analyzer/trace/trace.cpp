#include "trace/trace.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>
#include <utility>

#include "base/error.h"

namespace cowscope::trace {

namespace fs = std::filesystem;

namespace {

bool is_segment(const std::string& name) {
    return fs::path(name).extension() == kSegmentSuffix;
}

// What is in a folder, as far as it can be read; sorted.
std::vector<std::string> entries_of(const std::string& folder, std::error_code* error) {
    std::vector<std::string> names;
    for (fs::directory_iterator entry(folder, *error), end; !*error && entry != end;
         entry.increment(*error)) {
        std::string name = entry->path().filename().string();
        if (is_segment(name)) names.push_back(std::move(name));
    }
    std::sort(names.begin(), names.end());
    return names;
}

std::vector<std::string> list(const std::string& folder, std::error_code* error) {
    std::vector<std::string> names = entries_of(folder, error);
    const std::string others = folder + "/" + kOthersFolder;
    std::error_code ignored;
    // Not what a link leads to.
    if (!fs::is_directory(fs::symlink_status(others, ignored))) return names;
    const auto own_count = static_cast<std::ptrdiff_t>(names.size());
    for (const std::string& name : entries_of(others, &ignored)) {
        // Anything may be in there. A name that the trace itself has is not theirs to have.
        const auto own_end = names.begin() + own_count;
        if (!name.starts_with("process-") || std::binary_search(names.begin(), own_end, name)) {
            continue;
        }
        names.push_back(std::string(kOthersFolder) + "/" + name);
    }
    return names;
}

bool is_of_others(const std::string& path) {
    return fs::path(path).parent_path().filename() == kOthersFolder;
}

}  // namespace

std::vector<std::string> list_segments(const std::string& folder) {
    std::error_code ignored;
    return list(folder, &ignored);
}

std::vector<std::string> find_segments(const std::string& folder) {
    std::error_code error;
    const fs::file_status status = fs::status(folder, error);
    if (!fs::exists(status)) throw Error(folder + ": no such trace");
    if (!fs::is_directory(status)) throw Error(folder + ": a trace is a folder, and this is none");
    std::vector<std::string> paths = list(folder, &error);
    if (error) throw Error(folder + ": cannot read: " + error.message());
    if (paths.empty()) throw Error(folder + ": not a trace (no *.cowseg file in it)");
    for (std::string& path : paths) path = (fs::path(folder) / path).string();
    return paths;
}

namespace {

// A forked child does not say again where its modules lie if that is as its parent has said.
void add_parents_mappings(Trace* trace) {
    for (size_t i = 0; i < trace->processes.size(); ++i) {
        ProcessTrace& process = trace->processes[i];
        if (!process.parent) continue;
        const auto& theirs = trace->processes[*process.parent].mappings;
        const auto behind = std::partition_point(
            theirs.begin(), theirs.end(), [&](const std::shared_ptr<const Mappings>& each) {
                return each->time_ns() <= process.process.start_ns;
            });
        const auto last = behind != theirs.begin() ? std::prev(behind) : theirs.begin();
        if (last != theirs.end()) process.mappings.insert(process.mappings.begin(), *last);
    }
}

}  // namespace

void find_parents(Trace* trace) {
    std::map<std::pair<uint32_t, uint64_t>, size_t> known;
    for (size_t i = 0; i < trace->processes.size(); ++i) {
        ProcessTrace& process = trace->processes[i];
        process.parent.reset();
        const ProcessRecord& record = process.process;
        if (record.role == Role::fork && record.parent_created_ns != 0) {
            const auto found = known.find({record.parent_pid, record.parent_created_ns});
            if (found != known.end()) process.parent = found->second;
        }
        known.try_emplace({process.pid(), process.header.created_ns}, i);
    }
}

Trace load(const std::string& folder) {
    Trace trace;
    trace.folder = folder;
    std::set<std::pair<uint32_t, uint64_t>> known;
    for (const std::string& path : find_segments(folder)) {
        try {
            ProcessTrace loaded = load_process(path);
            // Those of the trace's own folder come first.
            const bool is_new = known.emplace(loaded.pid(), loaded.header.created_ns).second;
            if (!is_new && is_of_others(path)) {
                throw Error(path + ": says that it is a process that has a segment already");
            }
            trace.processes.push_back(std::move(loaded));
            ProcessTrace& process = trace.processes.back();
            if (process.damage) trace.damage.push_back(*process.damage);
            if (process.left_out.records != 0) trace.left_out.push_back(text_of(process.left_out));
            add_outside(folder, &process);
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
    find_parents(&trace);
    add_parents_mappings(&trace);
    trace.owners = load_owners(folder, &trace.damage);
    trace.bound = read_bound(folder, &trace.damage);
    return trace;
}

}  // namespace cowscope::trace
