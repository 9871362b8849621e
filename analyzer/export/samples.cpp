#include "export/samples.h"

#include <algorithm>
#include <filesystem>

#include <fmt/format.h>

#include "attribute/process_names.h"
#include "attribute/recording.h"
#include "attribute/unwitnessed.h"
#include "base/error.h"

namespace cowscope::exports {
namespace {

// Of the stacks of one process.
constexpr size_t kMostStackBytes = size_t{256} << 20;
// Of one process without an event: 256 GiB. A damaged census may name more than fit in memory.
constexpr uint64_t kMostListed = uint64_t{1} << 26;

const trace::Mapping* program_of(const trace::ProcessTrace& process) {
    for (const auto& mappings : process.mappings) {
        for (const trace::Mapping& each : mappings->all()) {
            if (each.executable && each.path == process.executable) return &each;
        }
    }
    return nullptr;
}

class Exporter {
  public:
    Exporter(const trace::Trace& trace, Writer* writer)
        : trace_(trace), family_(trace), owners_(trace), writer_(*writer) {}

    TraceFacts run() {
        TraceFacts facts = find_facts();
        writer_.begin(facts);
        for (size_t i = 0; i < trace_.processes.size(); ++i) add_process(i);
        writer_.finish([this](const std::string& path) { return symbolizer_.build_id(path); });
        facts.left_out = symbolizer_.notes();
        if (cut_stacks_ != 0) {
            facts.left_out.push_back(
                fmt::format("{} stacks are cut to their innermost frame: all of a process's would "
                            "take more than {} MiB",
                            cut_stacks_, kMostStackBytes >> 20));
        }
        return facts;
    }

  private:
    TraceFacts find_facts() {
        const attribute::Recording recording = attribute::read_recording(trace_.folder);
        start_ns_ = trace_.processes.front().process.start_ns;
        uint64_t end_ns = start_ns_;
        for (const auto& process : trace_.processes) {
            end_ns = std::max(end_ns, process.last_time_ns);
        }
        TraceFacts facts;
        const auto folder = std::filesystem::absolute(trace_.folder).lexically_normal();
        facts.trace =
            (folder.has_filename() ? folder.filename() : folder.parent_path().filename()).string();
        facts.host = recording.host;
        facts.command =
            recording.command.empty() ? trace_.processes.front().command : recording.command;
        facts.start_unix_ns = recording.start_unix_ns;
        facts.duration_ns = recording.duration_ns.value_or(end_ns - start_ns_);
        facts.page_bytes = trace::kPageBytes;
        facts.notes = recording.notes;
        facts.damage = trace_.damage;
        facts.torn = trace_.left_out;
        return facts;
    }

    void add_process(size_t index) {
        const trace::ProcessTrace& process = trace_.processes[index];
        attribute::AddressSpace space(process, &symbolizer_);
        attribute::SiteResolver sites(process, &space, &decoder_);
        const auto pages = writer_.needs_pages() ? attribute::WitnessedPages::list
                                                 : attribute::WitnessedPages::leave_out;
        const attribute::Copies copies =
            attribute::find_copies(process, index, family_, &space, &sites, &owners_, pages);
        if (copies.copied_pages == 0) return;

        stack_bytes_ = 0;
        ProcessSamples found;
        found.pid = static_cast<int>(process.pid());
        found.parent = static_cast<int>(process.process.parent_pid);
        found.role = attribute::role_name(trace_, index);
        found.command = attribute::joined(process.command);
        found.program = program_of(process);
        std::vector<size_t> sample_of_class(copies.classes.size());
        for (size_t i = 0; i < copies.classes.size(); ++i) {
            if (copies.classes[i].pages == 0) continue;
            sample_of_class[i] = found.samples.size();
            found.samples.push_back(sample_of(copies.classes[i], &sites));
        }
        for (size_t i = 0; writer_.needs_pages() && i < copies.classes.size(); ++i) {
            require_listable(process, copies.classes[i].represented_pages);
            found.pages.insert(found.pages.end(), copies.classes[i].represented_pages,
                               {{}, {}, {}, sample_of_class[i]});
        }
        for (const attribute::PageCopy& page : copies.witnessed) {
            found.pages.push_back({page.page, page.time_ns - start_ns_,
                                   process.generations[page.generation].number,
                                   sample_of_class[page.write_class]});
        }
        add_unwitnessed(process, copies, &found);
        writer_.add(found);
    }

    Sample sample_of(const attribute::WriteClass& write, attribute::SiteResolver* sites) {
        Sample sample;
        sample.cause = attribute::cause_name(write.verdict.cause);
        sample.type = write.type;
        if (write.owner != 0) sample.owner = owners_.owner(write.owner).name;
        sample.stack = sites->stack(write.site, write.python_stack);
        cut_beyond_bound(&sample);
        sample.is_witnessed = true;
        sample.is_truncated = sites->is_truncated(write.site, write.python_stack);
        const attribute::ResolvedSite& site = sites->resolve(write.site);
        sample.module = site.module;
        if (!site.frames.empty()) {
            sample.function = site.frames.back().function;
            sample.file = site.frames.back().file;
            sample.line = site.frames.back().line;
            sample.inlined = site.inlined;
        }
        if (site.instruction) sample.instruction = site.instruction->text;
        sample.python = sites->runtimes().stacks().innermost(write.python_stack);
        sample.pages = write.pages;
        return sample;
    }

    // All stacks of a process are held at once, any number of them with many and long names.
    void cut_beyond_bound(Sample* sample) {
        size_t bytes = 0;
        for (const attribute::StackFrame& frame : sample->stack) {
            bytes += sizeof(frame) + frame.function.size() + frame.file.size() +
                     frame.symbol.size() + frame.module.size();
        }
        stack_bytes_ += bytes;
        if (stack_bytes_ <= kMostStackBytes || sample->stack.size() < 2) return;
        sample->stack.erase(sample->stack.begin() + 1, sample->stack.end());
        sample->stack.shrink_to_fit();
        sample->is_truncated = true;
        stack_bytes_ -= bytes;
        ++cut_stacks_;
    }

    static void require_listable(const trace::ProcessTrace& process, uint64_t pages) {
        if (pages <= kMostListed) return;
        throw Error(process.path, std::nullopt, "census",
                    fmt::format("{} pages are more than can be listed one by one", pages));
    }

    void add_unwitnessed(const trace::ProcessTrace& process, const attribute::Copies& copies,
                         ProcessSamples* found) {
        for (const attribute::Unwitnessed& each : attribute::unwitnessed_of(process, copies)) {
            Sample sample;
            sample.cause = attribute::cause_name(each.cause);
            sample.pages = each.pages;
            const size_t index = found->samples.size();
            found->samples.push_back(std::move(sample));
            if (!writer_.needs_pages()) continue;

            require_listable(process, each.pages);
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
                const uint32_t generation = process.generations[run.generation].number;
                for (uint64_t i = 0; i < run.run.pages; ++i) {
                    found->pages.push_back(
                        {run.run.start + i * trace::kPageBytes, std::nullopt, generation, index});
                }
            }
        }
    }

    const trace::Trace& trace_;
    attribute::Family family_;
    attribute::OwnerIndex owners_;
    symbolize::Symbolizer symbolizer_;
    decode::Decoder decoder_;
    Writer& writer_;
    uint64_t start_ns_ = 0;
    size_t stack_bytes_ = 0;  // of this process
    size_t cut_stacks_ = 0;
};

}  // namespace

TraceFacts export_trace(const std::string& folder, Writer* writer) {
    const trace::Trace trace = trace::load(folder);
    return Exporter(trace, writer).run();
}

}  // namespace cowscope::exports
