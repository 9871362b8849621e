#include "export/exported_copies.h"

#include <algorithm>
#include <filesystem>

#include <fmt/format.h>

#include "attribute/attribution.h"
#include "attribute/process_names.h"
#include "base/error.h"

namespace cowscope::exports {
namespace {

using attribute::CopyClass;
using attribute::ProcessCopies;
using attribute::WitnessedPages;

// Of one process without an event: 256 GiB. A damaged census may name more than fit in memory.
constexpr uint64_t kMostListed = uint64_t{1} << 26;

attribute::CodeMapping program_of(const trace::ProcessTrace& process) {
    for (const auto& mappings : process.mappings) {
        for (const trace::Mapping& each : mappings->all()) {
            if (!each.executable || each.path != process.executable) continue;
            return {each.start, each.end, each.file_offset, each.path};
        }
    }
    return {};
}

class Exporter {
  public:
    Exporter(const trace::Trace& trace, Writer* writer)
        : trace_(trace), attribution_(trace), writer_(*writer) {}

    TraceFacts run() {
        TraceFacts facts = find_facts();
        writer_.begin(facts);
        attribution_.for_each_process(
            writer_.needs_pages() ? WitnessedPages::list : WitnessedPages::leave_out,
            [this](const ProcessCopies& process) { add_process(process); });
        writer_.finish(
            [this](const std::string& path) { return attribution_.symbolizer().build_id(path); });
        facts.left_out = attribution_.notes();
        return facts;
    }

  private:
    TraceFacts find_facts() {
        const attribute::RunFacts& run = attribution_.run();
        TraceFacts facts;
        const auto folder = std::filesystem::absolute(trace_.folder).lexically_normal();
        facts.trace =
            (folder.has_filename() ? folder.filename() : folder.parent_path().filename()).string();
        facts.host = run.recording.host;
        facts.command = run.command;
        facts.start_unix_ns = run.recording.start_unix_ns;
        facts.duration_ns = run.duration_ns;
        facts.page_bytes = trace::kPageBytes;
        facts.notes = run.recording.notes;
        facts.damage = trace_.damage;
        facts.torn = trace_.left_out;
        return facts;
    }

    void add_process(const ProcessCopies& of) {
        if (of.copies.copied_pages == 0) return;
        ProcessSamples found;
        found.pid = static_cast<int>(of.process.pid());
        found.parent = static_cast<int>(of.process.process.parent_pid);
        found.role = attribute::role_name(trace_, of.index);
        found.command = attribute::joined(of.process.command);
        found.program = program_of(of.process);
        std::vector<size_t> sample_of_class(of.copies.classes.size());
        for (size_t i = 0; i < of.copies.classes.size(); ++i) {
            const CopyClass& copies = of.copies.classes[i];
            if (copies.pages == 0) continue;
            sample_of_class[i] = found.samples.size();
            found.samples.push_back({copies.verdict.cause, copies.type,
                                     attribution_.owner_name(copies.owner), of.stack(copies),
                                     copies.code, copies.line, copies.pages});
        }
        if (writer_.needs_pages()) list_pages(of, sample_of_class, &found);
        add_unwitnessed(of, &found);
        writer_.add(found);
    }

    void list_pages(const ProcessCopies& of, const std::vector<size_t>& sample_of_class,
                    ProcessSamples* found) {
        for (size_t i = 0; i < of.copies.classes.size(); ++i) {
            const uint64_t represented = of.copies.classes[i].represented_pages;
            require_listable(of.process, represented);
            found->pages.insert(found->pages.end(), represented, {{}, {}, {}, sample_of_class[i]});
        }
        for (const attribute::PageCopy& page : of.copies.witnessed) {
            found->pages.push_back({page.page, page.time_ns - attribution_.run().start_ns,
                                    of.process.epochs[page.epoch].number,
                                    sample_of_class[page.copy_class]});
        }
    }

    static void require_listable(const trace::ProcessTrace& process, uint64_t pages) {
        if (pages <= kMostListed) return;
        throw Error(process.path, std::nullopt, "census",
                    fmt::format("{} pages are more than can be listed one by one", pages));
    }

    void add_unwitnessed(const ProcessCopies& of, ProcessSamples* found) {
        const attribute::Copies& copies = of.copies;
        for (const attribute::Unwitnessed& each : of.unwitnessed) {
            const size_t index = found->samples.size();
            Sample& sample = found->samples.emplace_back();
            sample.cause = each.cause;
            sample.pages = each.pages;
            if (!writer_.needs_pages()) continue;

            require_listable(of.process, each.pages);
            const uint64_t alike =
                each.was_watched ? copies.unwitnessed_while_watching : copies.unwitnessed_unwatched;
            const bool is_sampled =
                each.was_watched && (copies.represented_pages != 0 || copies.unsampled != 0);
            if (each.pages != alike || is_sampled) {
                found->pages.insert(found->pages.end(), each.pages, {{}, {}, {}, index});
                continue;
            }
            for (const attribute::UnwitnessedRun& run : copies.unwitnessed) {
                if (run.was_watched != each.was_watched) continue;
                const uint32_t epoch = of.process.epochs[run.epoch].number;
                for (uint64_t i = 0; i < run.run.pages; ++i) {
                    found->pages.push_back(
                        {run.run.start + i * trace::kPageBytes, std::nullopt, epoch, index});
                }
            }
        }
    }

    const trace::Trace& trace_;
    attribute::Attribution attribution_;
    Writer& writer_;
};

}  // namespace

TraceFacts export_trace(const std::string& folder, Writer* writer) {
    const trace::Trace trace = trace::load(folder);
    return Exporter(trace, writer).run();
}

}  // namespace cowscope::exports
