#include "attribute/details.h"

#include <algorithm>
#include <limits>

#include "attribute/unwitnessed.h"
#include "trace/mapping_index.h"

namespace cowscope::attribute {
namespace {

using Run = Details::Run;

void append(std::vector<Run>* runs, const Run& run) {
    if (run.start >= run.end) return;
    if (!runs->empty() && runs->back().end == run.start && runs->back().kind == run.kind) {
        runs->back().end = run.end;
    } else {
        runs->push_back(run);
    }
}

// Both are ascending and disjoint; where both are, the upper one shows.
std::vector<Run> overlaid(const std::vector<Run>& lower, const std::vector<Run>& upper) {
    std::vector<Run> both;
    both.reserve(lower.size() + upper.size());
    auto next = lower.begin();
    uint64_t done = 0;
    const auto add_lower_until = [&](uint64_t end) {
        for (; next != lower.end() && next->start < end; ++next) {
            append(&both, {std::max(next->start, done), std::min(next->end, end), next->kind});
            if (next->end > end) break;
        }
    };
    for (const Run& run : upper) {
        add_lower_until(run.start);
        append(&both, run);
        done = run.end;
    }
    add_lower_until(std::numeric_limits<uint64_t>::max());
    return both;
}

std::vector<Run> inherited_runs(const trace::ProcessTrace& process) {
    trace::PageSet inherited;
    for (const trace::Epoch& epoch : process.epochs) {
        inherited.merge(epoch.inherited);
    }
    std::vector<Run> runs;
    for (const trace::PageRun& run : inherited.runs()) {
        append(&runs, {run.start, run.start + run.pages * trace::kPageBytes, Details::kNotCopied});
    }
    return runs;
}

std::string region_name(const trace::Mapping& mapping, const trace::Mappings& mappings) {
    if (!mapping.path.empty()) return mapping.path;
    if (const trace::Mapping* file = mappings.file_before(mapping)) return file->path + " (.bss)";
    return "anonymous memory";
}

std::vector<Details::Region> regions_of(const trace::ProcessTrace& process,
                                        const std::vector<Run>& runs) {
    const trace::MappingIndex index(process.mappings);
    std::vector<Details::Region> regions;
    uint64_t mapping_end = 0;  // of the last region's
    for (const Run& run : runs) {
        for (uint64_t at = run.start; at < run.end;) {
            if (!regions.empty() && at < mapping_end) {
                regions.back().end = std::min(run.end, mapping_end);
                at = regions.back().end;
                continue;
            }
            const auto [mapping, list] = index.find(at);
            if (mapping == nullptr) {
                mapping_end = run.end;
                regions.push_back({at, run.end, "mapped for a while"});
            } else {
                mapping_end = mapping->end;
                regions.push_back({at, std::min(run.end, mapping_end),
                                   region_name(*mapping, *process.mappings[list])});
            }
            at = regions.back().end;
        }
    }
    return regions;
}

// Where only some faults were witnessed, a page is shown like the nearest one that was: programs
// write what lies together in one go.
void append_like_neighbours(std::vector<Run>* runs, uint64_t start, uint64_t end,
                            const Copies& copies, const std::vector<uint32_t>& kind_of_class) {
    const auto behind =
        std::partition_point(copies.witnessed.begin(), copies.witnessed.end(),
                             [&](const PageCopy& copy) { return copy.page < start; });
    const bool has_before = behind != copies.witnessed.begin();
    const PageCopy& before = has_before ? *std::prev(behind) : *behind;
    const PageCopy& after = behind != copies.witnessed.end() ? *behind : before;
    const uint64_t middle =
        before.page + (after.page - before.page) / trace::kPageBytes / 2 * trace::kPageBytes;
    const uint64_t border = std::clamp(middle, start, std::max(start, end));
    append(runs, {start, border, kind_of_class[before.copy_class]});
    append(runs, {border, end, kind_of_class[after.copy_class]});
}

}  // namespace

uint32_t Details::kind_id(const Kind& kind) {
    const auto [at, is_new] = kind_ids_.try_emplace(kind, static_cast<uint32_t>(kinds_.size() + 1));
    if (is_new) kinds_.push_back(kind);
    return at->second;
}

void Details::add_stacks(const ProcessCopies& process) {
    std::map<uint32_t, FrameStack> native_of_site;
    for (const CopyClass& copies : process.copies.classes) {
        if (copies.pages == 0) continue;
        const auto [native, is_new_site] = native_of_site.try_emplace(copies.site);
        if (is_new_site) native->second = process.native_stack(copies);
        const FrameStack mixed = process.mixed_stack(copies);
        const Cause cause = copies.verdict.cause;
        const auto [at, is_new] = stack_index_.try_emplace(
            {cause, native->second.goes_on, native->second.frames, mixed.frames}, stacks_.size());
        if (is_new) stacks_.push_back({cause, native->second, mixed, 0});
        stacks_[at->second].pages += copies.pages;
    }
}

std::vector<Run> Details::copied_runs(const trace::ProcessTrace& process, const Copies& copies,
                                      const std::vector<uint32_t>& kind_of_class) {
    const bool lost_any = events_not_told(process) != 0;
    std::vector<UnwitnessedRun> unwitnessed = copies.unwitnessed;
    std::sort(
        unwitnessed.begin(), unwitnessed.end(),
        [](const UnwitnessedRun& a, const UnwitnessedRun& b) { return a.run.start < b.run.start; });
    std::vector<Run> lower;
    for (const UnwitnessedRun& each : unwitnessed) {
        const uint64_t done = lower.empty() ? 0 : lower.back().end;
        const uint64_t start = std::max(each.run.start, done);
        const uint64_t end = each.run.start + each.run.pages * trace::kPageBytes;
        if (each.was_sampled && !copies.witnessed.empty()) {
            append_like_neighbours(&lower, start, end, copies, kind_of_class);
            continue;
        }
        const Cause cause = each.was_watched && !lost_any ? Cause::kernel : Cause::unknown;
        append(&lower, {start, end, kind_id({cause, kNoSite, {}, {}})});
    }
    std::vector<Run> upper;
    for (const PageCopy& copy : copies.witnessed) {
        const uint64_t done = upper.empty() ? 0 : upper.back().end;
        append(&upper, {std::max(copy.page, done), copy.page + trace::kPageBytes,
                        kind_of_class[copy.copy_class]});
    }
    return overlaid(lower, upper);
}

void Details::add_process(const ProcessCopies& of, size_t index, uint64_t trace_start_ns,
                          const std::vector<uint32_t>& site_ids, Attribution* attribution) {
    const trace::ProcessTrace& process = of.process;
    const Copies& copies = of.copies;
    std::vector<uint32_t> kind_of_class;
    for (size_t i = 0; i < copies.classes.size(); ++i) {
        const CopyClass& each = copies.classes[i];
        kind_of_class.push_back(each.pages == 0
                                    ? kNotCopied
                                    : kind_id({each.verdict.cause, site_ids[i], each.type,
                                               attribution->owner_name(each.owner)}));
    }
    add_stacks(of);

    Process& added = processes_.emplace_back();
    added.index = index;
    added.runs = overlaid(inherited_runs(process), copied_runs(process, copies, kind_of_class));
    added.regions = regions_of(process, added.runs);
    const auto since_start = [&](uint64_t time_ns) {
        return std::max(time_ns, trace_start_ns) - trace_start_ns;
    };
    if (process.outside) {
        for (const trace::OutsideSample& sample : process.outside->samples) {
            added.fresh.push_back({since_start(sample.time_ns), sample.fresh_pages});
        }
    }
    const uint64_t last_ns = added.fresh.empty() ? 0 : trace_start_ns + added.fresh.back().time_ns;
    added.fresh.push_back(
        {since_start(std::max(process.last_time_ns, last_ns)), copies.fresh_pages});
}

}  // namespace cowscope::attribute
