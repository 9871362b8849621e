#include "attribute/build_report.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <tuple>

#include <fmt/format.h>

#include "attribute/advice.h"
#include "attribute/after_bound.h"
#include "attribute/copies.h"
#include "attribute/details.h"
#include "attribute/family.h"
#include "attribute/notes.h"
#include "attribute/owners.h"
#include "attribute/process_end.h"
#include "attribute/process_names.h"
#include "attribute/reconcile.h"
#include "attribute/recording.h"
#include "attribute/timeline.h"
#include "attribute/unwitnessed.h"
#include "base/error.h"

namespace cowscope::attribute {
namespace {

class Builder {
  public:
    Builder(const trace::Trace& trace, std::optional<int> only, Details* details)
        : trace_(trace), family_(trace), owner_index_(trace), only_(only), details_(details) {}

    Report build() {
        const Recording recording = read_recording(trace_.folder);
        start_ns_ = trace_.processes.front().process.start_ns;
        uint64_t end_ns = start_ns_;
        for (const auto& process : trace_.processes) {
            end_ns = std::max(end_ns, process.last_time_ns);
        }
        report_.trace = trace_.folder;
        report_.command =
            recording.command.empty() ? trace_.processes.front().command : recording.command;
        report_.duration_ns = recording.duration_ns.value_or(end_ns - start_ns_);
        report_.notes = recording.notes;

        for (size_t i = 0; i < trace_.processes.size(); ++i) add_process(i, recording);
        if (only_ && !found_) {
            throw Error(fmt::format("{}: no process {} in it", trace_.folder, *only_));
        }
        describe_instruments();
        finish_totals();
        finish_owners();
        finish_advice();
        report_.after_bound = find_after_bound(trace_, start_ns_, &symbolizer_);
        for (const std::string& note : symbolizer_.notes()) report_.notes.push_back(note);
        if (cut_stacks_ != 0) {
            report_.notes.push_back(
                fmt::format("stacks are cut to their innermost frame for {} sites: all of them "
                            "would take more than {} MiB",
                            cut_stacks_, kMostStackBytes >> 20));
        }
        add_notes(trace_, &report_);
        add_memory_notes(trace_, report_, &report_.notes);
        return std::move(report_);
    }

  private:
    // Of all sites' stacks.
    static constexpr size_t kMostStackBytes = size_t{96} << 20;

    // Cause, module, function, inlined function, file, line and instruction; then the Python
    // function, file and line.
    using SiteKey = std::tuple<std::string, std::string, std::string, std::string, std::string,
                               unsigned, std::string, std::string, std::string, unsigned, bool>;

    void add_process(size_t index, const Recording& recording) {
        const trace::ProcessTrace& process = trace_.processes[index];
        AddressSpace space(process, &symbolizer_);
        SiteResolver sites(process, &space, &decoder_);
        const Copies copies =
            find_copies(process, index, family_, &space, &sites, &owner_index_,
                        details_ == nullptr ? WitnessedPages::leave_out : WitnessedPages::list);
        report_.processes.push_back(summary_of(index, copies, recording));
        if (only_ && *only_ != static_cast<int>(process.pid())) return;
        found_ = true;

        const ProcessSummary& summary = report_.processes.back();
        Totals& totals = report_.totals;
        totals.inherited_pages += summary.inherited_pages;
        totals.inherited_at_least = totals.inherited_at_least || summary.inherited_at_least;
        totals.copied_at_least = totals.copied_at_least || summary.copied_at_least;
        totals.copied_pages += summary.copied_pages;
        totals.fresh_pages += summary.fresh_pages;
        totals.held_alone_pages += summary.held_alone_pages;
        totals.witnessed_pages += summary.witnessed_pages;
        totals.represented_pages += summary.represented_pages;
        copied_variance_ += copies.copied_variance;
        totals.lost_events += summary.lost_events;
        // As copies.classes; of those without pages 0.
        std::vector<uint32_t> site_ids(copies.classes.size(), 0);
        for (size_t i = 0; i < copies.classes.size(); ++i) {
            const WriteClass& write = copies.classes[i];
            if (write.pages != 0) site_ids[i] = add_class(write, &sites);
        }
        add_margins(copies, site_ids);
        for (const auto& [owner, pages] : copies.pages_with) owners_[owner].pages_with += pages;
        add_unwitnessed(process, copies);
        if (details_ != nullptr) {
            details_->add_process(process, report_.processes.size() - 1, start_ns_, copies,
                                  site_ids, owner_index_, &sites);
        }
        const auto points = timeline_of(process, copies, start_ns_);
        report_.timeline.insert(report_.timeline.end(), points.begin(), points.end());
    }

    // Whether a process that shares pages had a tracker once it was needed.
    static bool lacks_tracker(const trace::ProcessTrace& process) {
        return std::any_of(process.notes.begin(), process.notes.end(),
                           [](const trace::NoteRecord& note) {
                               return note.code == trace::NoteCode::tracker_unavailable ||
                                      note.code == trace::NoteCode::not_dumpable;
                           });
    }

    ProcessSummary summary_of(size_t index, const Copies& copies,
                              const Recording& recording) const {
        const trace::ProcessTrace& process = trace_.processes[index];
        ProcessSummary summary;
        summary.pid = static_cast<int>(process.pid());
        summary.parent = static_cast<int>(process.process.parent_pid);
        summary.role = role_name(trace_, index);
        summary.command = joined(process.command);
        summary.start_ns = process.process.start_ns - start_ns_;
        summary.end_ns = process.last_time_ns - start_ns_;
        if (process.bound_ns) {
            summary.bound_ns = *process.bound_ns - std::min(start_ns_, *process.bound_ns);
        }
        set_end(process, index == 0, recording, &summary);
        summary.census = "none";
        if (!process.generations.empty() && process.generations.back().census) {
            const bool final = trace::has_last_census(process);
            summary.census = final ? "final" : "last";
            const trace::Generation& last = process.generations.back();
            if (last.census == trace::CensusKind::alone)
                summary.alone_ns = last.census_ns - start_ns_;
            if (!final) summary.census_age_ns = census_age_ns(process);
        }
        summary.inherited_pages = copies.inherited_pages;
        summary.inherited_at_least = copies.inherited_more;
        summary.copied_at_least = lacks_tracker(process);
        summary.copied_pages = copies.copied_pages;
        const ProcessMemory memory = memory_of(process, copies);
        summary.fresh_pages = memory.most.fresh_pages;
        summary.held_alone_pages = memory.most.held_alone_pages;
        summary.fresh_at_end = memory.at_end.fresh_pages;
        summary.held_alone_at_end = memory.at_end.held_alone_pages;
        summary.witnessed_pages = copies.witnessed_pages;
        summary.represented_pages = copies.represented_pages;
        summary.copied_pages_margin =
            static_cast<uint64_t>(std::ceil(margin_of(copies.copied_variance)));
        summary.reused_pages = copies.reused_pages;
        summary.lost_events = process.loss.blocked_events + process.loss.unwritten_events;
        if (process.memory_at_fork) {
            summary.private_dirty_kb_at_fork = process.memory_at_fork->private_dirty_kb;
            summary.pss_kb_at_fork = process.memory_at_fork->pss_kb;
        }
        if (process.memory_at_end) {
            summary.private_dirty_kb_at_end = process.memory_at_end->private_dirty_kb;
            summary.pss_kb_at_end = process.memory_at_end->pss_kb;
        }
        return summary;
    }

    void add_cause(std::string_view cause, const std::string& type, uint64_t pages) {
        auto& [total, types] = causes_[std::string(cause)];
        total += pages;
        if (!type.empty()) types[type] += pages;
    }

    // Returns the site's id.
    uint32_t add_class(const WriteClass& write, SiteResolver* sites) {
        const std::string cause(cause_name(write.verdict.cause));
        if (write.verdict.cause != Cause::unknown) explained_pages_ += write.pages;
        add_cause(cause, write.type, write.pages);
        const runtime::RuntimeCause of_runtime{write.verdict.cause, write.verdict.runtime};
        runtime_causes_[of_runtime] += write.pages;
        OwnerPages& owner = owners_[write.owner];
        owner.causes[write.verdict.cause] += write.pages;
        const bool is_counted = write.verdict.cause == Cause::refcount && !write.type.empty();
        if (is_counted) owner.counted_types[write.type] += write.pages;
        if (write.is_finalizing) {
            report_.totals.finalization_pages += write.pages;
            ended_causes_[of_runtime] += write.pages;
            if (is_counted) owner.ended_types[write.type] += write.pages;
        }

        const ResolvedSite& resolved = sites->resolve(write.site);
        SiteShare share;
        share.cause = cause;
        share.module = resolved.module;
        if (!resolved.frames.empty()) {
            share.function = resolved.frames.back().function;
            share.file = resolved.frames.back().file;
            share.line = resolved.frames.back().line;
            share.inlined = resolved.inlined;
        }
        share.instruction = resolved.instruction ? resolved.instruction->text : "";
        share.finalizing = write.is_finalizing;
        const PythonFrame line = sites->runtimes().stacks().innermost(write.python_stack);
        const SiteKey key{cause,      share.module, share.function,    share.inlined,
                          share.file, share.line,   share.instruction, line.function,
                          line.file,  line.line,    share.finalizing};
        const auto [at, is_new] = site_index_.try_emplace(key, report_.sites.size());
        if (is_new) {
            share.id = static_cast<uint32_t>(at->second);
            report_.sites.push_back(std::move(share));
            heaviest_.push_back(0);
        }
        SiteShare& total = report_.sites[at->second];
        total.pages += write.pages;
        if (write.pages > heaviest_[at->second]) {
            heaviest_[at->second] = write.pages;
            total.evidence = write.verdict.evidence;
            set_stacks(write, sites, &total);
            total.type = write.type;
            total.examples = sites->runtimes().examples_of(write.site, write.type_address);
        }
        return total.id;
    }

    // Any number of sites can have stacks of many and long names.
    void set_stacks(const WriteClass& write, SiteResolver* sites, SiteShare* share) {
        stack_bytes_ -= bytes_of(*share);
        share->stack = sites->stack_text(write.site);
        share->python = sites->runtimes().stacks().frames(write.python_stack);
        share->mixed_stack = sites->mixed_stack_text(write.site, write.python_stack);
        if (stack_bytes_ + bytes_of(*share) > kMostStackBytes) {
            ++cut_stacks_;
            keep_innermost(&share->stack);
            keep_innermost(&share->python);
            keep_innermost(&share->mixed_stack);
        }
        stack_bytes_ += bytes_of(*share);
    }

    template <typename Frame>
    static void keep_innermost(std::vector<Frame>* stack) {
        if (!stack->empty()) stack->erase(stack->begin() + 1, stack->end());
        stack->shrink_to_fit();
    }

    static size_t bytes_of(const SiteShare& share) {
        size_t bytes = 0;
        for (const auto* stack : {&share.stack, &share.mixed_stack}) {
            for (const std::string& frame : *stack) bytes += sizeof(frame) + frame.size();
        }
        for (const PythonFrame& frame : share.python) {
            bytes += sizeof(frame) + frame.function.size() + frame.file.size();
        }
        return bytes;
    }

    // Names in margins_.
    static std::string of_cause(const std::string& cause) { return "cause " + cause; }
    static std::string of_type(const std::string& cause, const std::string& type) {
        return "type " + cause + " " + type;
    }
    static std::string of_site(uint32_t id) { return fmt::format("site {}", id); }
    static std::string of_owner(OwnerId id) { return fmt::format("owner {}", id); }

    void add_margins(const Copies& copies, const std::vector<uint32_t>& site_ids) {
        for (const SampleGroup& group : copies.groups) {
            report_.totals.sampled_events += group.events;
            std::map<std::string, double> others_of;
            for (const auto& [index, others] : group.others_of_class) {
                const WriteClass& write = copies.classes[index];
                if (write.pages == 0) continue;
                const std::string cause(cause_name(write.verdict.cause));
                others_of[of_cause(cause)] += others;
                if (!write.type.empty()) others_of[of_type(cause, write.type)] += others;
                others_of[of_site(site_ids[index])] += others;
                others_of[of_owner(write.owner)] += others;
            }
            margins_.add(group, others_of);
        }
    }

    void add_unwitnessed(const trace::ProcessTrace& process, const Copies& copies) {
        for (const Unwitnessed& each : unwitnessed_of(process, copies)) {
            add_cause(cause_name(each.cause), "", each.pages);
            runtime_causes_[{each.cause}] += each.pages;
            add_plain_site(each.cause, each.pages, each.evidence);
        }
    }

    void add_plain_site(Cause cause, uint64_t pages, const std::string& evidence) {
        const std::string name(cause_name(cause));
        const SiteKey key{name, "", "", "", evidence, 0, "", "", "", 0, false};
        const auto [at, is_new] = site_index_.try_emplace(key, report_.sites.size());
        if (is_new) {
            SiteShare share;
            share.id = static_cast<uint32_t>(at->second);
            share.cause = name;
            share.evidence = evidence;
            report_.sites.push_back(std::move(share));
            heaviest_.push_back(0);
        }
        report_.sites[at->second].pages += pages;
    }

    void describe_instruments() {
        report_.tracker = "off";
        report_.witness = "off";
        for (const auto& process : trace_.processes) {
            for (const auto& generation : process.generations) {
                if (generation.tracker == trace::Tracker::userfaultfd) {
                    report_.tracker = "userfaultfd";
                }
                if (generation.tracker == trace::Tracker::soft_dirty) {
                    report_.tracker = "soft-dirty";
                }
                if (generation.witness == trace::Witness::trap) report_.witness = "trap";
            }
        }
        const uint32_t sample = trace_.processes.front().process.sample;
        report_.sample = sample == 0 ? "auto" : std::to_string(sample);
    }

    void finish_totals() {
        Totals& totals = report_.totals;
        totals.processes = report_.processes.size();
        totals.copied_pages_margin = static_cast<uint64_t>(std::ceil(margin_of(copied_variance_)));
        const auto copied = static_cast<double>(totals.copied_pages);
        totals.explained =
            totals.copied_pages == 0 ? 1.0 : static_cast<double>(explained_pages_) / copied;
        for (const auto& [cause, sum] : causes_) {
            CauseShare share;
            share.cause = cause;
            share.pages = sum.first;
            share.share = static_cast<double>(sum.first) / copied;
            share.margin = margins_.pages_margin(of_cause(cause));
            for (const auto& [type, pages] : sum.second) {
                share.types.push_back({type, pages, margins_.pages_margin(of_type(cause, type))});
            }
            sort_by_pages(&share.types);
            report_.causes.push_back(std::move(share));
        }
        for (SiteShare& site : report_.sites) site.margin = margins_.pages_margin(of_site(site.id));
        sort_by_pages(&report_.causes);
        sort_by_pages(&report_.sites);
    }

    void finish_owners() {
        if (owner_index_.is_empty() || report_.totals.copied_pages == 0) return;
        const auto copied = static_cast<double>(report_.totals.copied_pages);
        uint64_t owned = 0;
        OwnerShare unowned;
        unowned.owner = kUnowned;
        for (const auto& [id, found] : owners_) {
            OwnerShare share;
            for (const auto& [cause, pages] : found.causes) {
                share.pages += pages;
                share.causes.push_back({std::string(cause_name(cause)), pages});
            }
            for (const auto& [type, pages] : found.counted_types) {
                share.types.push_back({type, pages, 0});
            }
            share.margin = margins_.pages_margin(of_owner(id));
            sort_by_pages(&share.causes);
            sort_by_pages(&share.types);
            if (id == 0) {
                unowned.margin = share.margin;
                unowned.causes = std::move(share.causes);
                unowned.types = std::move(share.types);
                continue;
            }
            owned += share.pages;
            share.pages_with = found.pages_with;
            share.owner = owner_index_.owner(id).name;
            share.share = static_cast<double>(share.pages) / copied;
            report_.owners.push_back(std::move(share));
        }
        std::stable_sort(report_.owners.begin(), report_.owners.end(),
                         [](const OwnerShare& a, const OwnerShare& b) {
                             return std::tie(a.pages, a.pages_with) >
                                    std::tie(b.pages, b.pages_with);
                         });
        unowned.pages = report_.totals.copied_pages - owned;
        unowned.share = static_cast<double>(unowned.pages) / copied;
        if (unowned.pages != 0) report_.owners.push_back(std::move(unowned));
    }

    void finish_advice() {
        AdviceInput input;
        input.copied_pages = report_.totals.copied_pages;
        input.causes = runtime_causes_;
        for (auto& [id, found] : owners_) {
            if (id == 0) continue;
            found.owner = owner_index_.owner(id);
            // Nobody can change the interpreter's own.
            if (found.owner.name == trace::kStaticObjects) continue;
            input.owners.push_back(found);
        }
        input.ended_causes = ended_causes_;
        for (const trace::ProcessTrace& process : trace_.processes) {
            for (const runtime::Runtime* member : runtime::all_members()) {
                const uint32_t version = member->version_in(process);
                if (version != 0) input.versions[member->id()] = version;
            }
        }
        for (Advice& advice : find_advice(input)) {
            report_.advice.push_back(
                {std::move(advice.kind), std::move(advice.owner), advice.pages,
                 static_cast<double>(advice.pages) / static_cast<double>(input.copied_pages),
                 std::move(advice.text)});
        }
    }

    template <typename Rows>
    static void sort_by_pages(Rows* rows) {
        std::stable_sort(rows->begin(), rows->end(),
                         [](const auto& a, const auto& b) { return a.pages > b.pages; });
    }

    const trace::Trace& trace_;
    Family family_;
    OwnerIndex owner_index_;
    std::optional<int> only_;
    Details* details_;
    bool found_ = false;
    uint64_t start_ns_ = 0;
    Report report_;
    symbolize::Symbolizer symbolizer_;
    decode::Decoder decoder_;
    uint64_t explained_pages_ = 0;
    double copied_variance_ = 0;
    Margins margins_;
    std::map<std::string, std::pair<uint64_t, std::map<std::string, uint64_t>>> causes_;
    std::map<OwnerId, OwnerPages> owners_;  // 0: nobody
    std::map<runtime::RuntimeCause, uint64_t> runtime_causes_;
    std::map<runtime::RuntimeCause, uint64_t> ended_causes_;
    std::map<SiteKey, size_t> site_index_;
    size_t stack_bytes_ = 0;
    size_t cut_stacks_ = 0;
    std::vector<uint64_t> heaviest_;  // pages of the class that gave each site its stack
};

}  // namespace

Report build_report(const std::string& folder, std::optional<int> process, Details* details) {
    const trace::Trace trace = trace::load(folder);
    return Builder(trace, process, details).build();
}

}  // namespace cowscope::attribute
