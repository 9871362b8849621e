#include "attribute/build_report.h"

#include <cmath>

#include <fmt/format.h>

#include "attribute/advice.h"
#include "attribute/after_bound.h"
#include "attribute/attribution.h"
#include "attribute/details.h"
#include "attribute/notes.h"
#include "attribute/process_summary.h"
#include "attribute/reconcile.h"
#include "attribute/report_sums.h"
#include "attribute/timeline.h"
#include "base/error.h"

namespace cowscope::attribute {
namespace {

class Builder {
  public:
    Builder(const trace::Trace& trace, std::optional<int> only, Details* details)
        : trace_(trace), attribution_(trace), only_(only), details_(details) {}

    Report build() {
        const RunFacts& run = attribution_.run();
        report_.trace = trace_.folder;
        report_.command = run.command;
        report_.duration_ns = run.duration_ns;
        report_.notes = run.recording.notes;
        report_.frames = attribution_.frames();

        attribution_.for_each_process(
            details_ == nullptr ? WitnessedPages::leave_out : WitnessedPages::list,
            [this](const ProcessCopies& process) { add_process(process); });
        if (only_ && !found_) {
            throw Error(fmt::format("{}: no process {} in it", trace_.folder, *only_));
        }
        describe_instruments();
        finish_totals();
        finish_advice();
        report_.after_bound = find_after_bound(trace_, run.start_ns, &attribution_.symbolizer(),
                                               attribution_.frames().get());
        for (std::string& note : attribution_.notes()) report_.notes.push_back(std::move(note));
        if (sites_.cut_sites() != 0) {
            report_.notes.push_back(
                fmt::format("stacks are cut to their innermost frame for {} sites: all of them "
                            "would take more than {} MiB",
                            sites_.cut_sites(), SiteSums::kMostStackBytes >> 20));
        }
        add_notes(trace_, &report_);
        add_memory_notes(trace_, report_, &report_.notes);
        return std::move(report_);
    }

  private:
    void add_process(const ProcessCopies& process) {
        const Copies& copies = process.copies;
        report_.processes.push_back(summary_of(trace_, attribution_.run(), process.index, copies));
        if (only_ && *only_ != static_cast<int>(process.process.pid())) return;
        found_ = true;
        add_to_totals(report_.processes.back());
        copied_variance_ += copies.copied_variance;

        // As copies.classes; of those without pages 0.
        std::vector<uint32_t> site_ids(copies.classes.size(), 0);
        for (size_t i = 0; i < copies.classes.size(); ++i) {
            const CopyClass& each = copies.classes[i];
            if (each.pages == 0) continue;
            add_class(each);
            site_ids[i] = sites_.add(process, each);
        }
        add_margins(copies, site_ids);
        for (const auto& [owner, pages] : copies.pages_with) owners_.add_pages_with(owner, pages);
        for (const Unwitnessed& each : process.unwitnessed) {
            causes_.add(each.cause, {}, each.pages);
            runtime_causes_[{each.cause}] += each.pages;
            sites_.add(each);
        }
        const uint64_t start_ns = attribution_.run().start_ns;
        if (details_ != nullptr) {
            details_->add_process(process, report_.processes.size() - 1, start_ns, site_ids,
                                  &attribution_);
        }
        const auto points = timeline_of(process.process, copies, start_ns);
        report_.timeline.insert(report_.timeline.end(), points.begin(), points.end());
    }

    void add_to_totals(const ProcessSummary& summary) {
        Totals& totals = report_.totals;
        totals.inherited_pages += summary.inherited_pages;
        totals.inherited_at_least = totals.inherited_at_least || summary.inherited_at_least;
        totals.copied_at_least = totals.copied_at_least || summary.copied_at_least;
        totals.copied_pages += summary.copied_pages;
        totals.fresh_pages += summary.fresh_pages;
        totals.held_alone_pages += summary.held_alone_pages;
        totals.witnessed_pages += summary.witnessed_pages;
        totals.represented_pages += summary.represented_pages;
        totals.lost_events += summary.lost_events;
    }

    void add_class(const CopyClass& copies) {
        const Cause cause = copies.verdict.cause;
        if (cause != Cause::unknown) explained_pages_ += copies.pages;
        causes_.add(cause, copies.type, copies.pages);
        owners_.add(copies);
        const runtime::RuntimeCause of_runtime{cause, copies.verdict.runtime};
        runtime_causes_[of_runtime] += copies.pages;
        if (!copies.is_finalizing) return;
        report_.totals.finalization_pages += copies.pages;
        ended_causes_[of_runtime] += copies.pages;
    }

    void add_margins(const Copies& copies, const std::vector<uint32_t>& site_ids) {
        for (const SampleGroup& group : copies.groups) {
            report_.totals.sampled_events += group.events;
            std::map<RowKey, double> others_of;
            for (const auto& [index, others] : group.others_of_class) {
                const CopyClass& each = copies.classes[index];
                if (each.pages == 0) continue;
                const Cause cause = each.verdict.cause;
                others_of[RowKey::of(cause)] += others;
                if (!each.type.empty()) others_of[RowKey::of(cause, each.type)] += others;
                others_of[RowKey::of_site(site_ids[index])] += others;
                others_of[RowKey::of_owner(each.owner)] += others;
            }
            margins_.add(group, others_of);
        }
    }

    void describe_instruments() {
        report_.tracker = "off";
        report_.witness = "off";
        for (const auto& process : trace_.processes) {
            for (const auto& epoch : process.epochs) {
                if (epoch.tracker == trace::Tracker::userfaultfd) {
                    report_.tracker = "userfaultfd";
                }
                if (epoch.tracker == trace::Tracker::soft_dirty) {
                    report_.tracker = "soft-dirty";
                }
                if (epoch.witness == trace::Witness::trap) report_.witness = "trap";
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
        report_.causes = causes_.shares(totals.copied_pages, margins_);
        report_.sites = sites_.take(margins_);
        if (attribution_.owners().is_empty() || totals.copied_pages == 0) return;
        report_.owners = owners_.shares(totals.copied_pages, attribution_.owners(), margins_);
    }

    void finish_advice() {
        AdviceInput input;
        input.copied_pages = report_.totals.copied_pages;
        input.causes = runtime_causes_;
        input.ended_causes = ended_causes_;
        input.owners = owners_.for_advice(attribution_.owners());
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

    const trace::Trace& trace_;
    Attribution attribution_;
    std::optional<int> only_;
    Details* details_;
    bool found_ = false;
    Report report_;
    uint64_t explained_pages_ = 0;
    double copied_variance_ = 0;
    CauseSums causes_;
    SiteSums sites_;
    OwnerSums owners_;
    RowMargins margins_;
    std::map<runtime::RuntimeCause, uint64_t> runtime_causes_;
    std::map<runtime::RuntimeCause, uint64_t> ended_causes_;
};

}  // namespace

Report build_report(const std::string& folder, std::optional<int> process, Details* details) {
    const trace::Trace trace = trace::load(folder);
    return Builder(trace, process, details).build();
}

}  // namespace cowscope::attribute
