#include "trace/dump.h"

#include <algorithm>
#include <array>
#include <filesystem>

#include <fmt/format.h>

#include "base/error.h"
#include "base/printable.h"
#include "preload/format/runtime_format.h"
#include "trace/heap_owners.h"
#include "trace/outside.h"
#include "trace/segment_reader.h"
#include "trace/trace.h"

namespace cowscope::trace {
namespace {

// One line, whatever its names hold.
template <typename... Values>
void print_line(std::FILE* out, fmt::format_string<Values...> form, Values&&... values) {
    const std::string line = printable(fmt::format(form, std::forward<Values>(values)...)) + '\n';
    std::fwrite(line.data(), 1, line.size(), out);
}

std::string text_behind(std::span<const std::byte> bytes, size_t length) {
    return {reinterpret_cast<const char*>(bytes.data()), length};
}

std::string runs_behind(std::span<const std::byte> bytes, uint32_t count) {
    std::string text;
    for (uint32_t i = 0; i < count; ++i) {
        PageRun run;
        std::memcpy(&run, bytes.data() + i * sizeof(run), sizeof(run));
        text += fmt::format(" {:#x}+{}", run.start, run.pages);
    }
    return text;
}

template <typename Word>
std::string words_behind(std::span<const std::byte> bytes, size_t count) {
    std::string text;
    for (size_t i = 0; i < count; ++i) {
        Word word;
        std::memcpy(&word, bytes.data() + i * sizeof(word), sizeof(word));
        text += fmt::format(" {:#x}", word);
    }
    return text;
}

std::string id_text(uint32_t runtime_stack) {
    return runtime_stack == kNoRuntimeStack ? "-" : std::to_string(runtime_stack);
}

std::string frames_behind(std::span<const std::byte> bytes, uint32_t count) {
    std::string text;
    for (uint32_t i = 0; i < count; ++i) {
        RuntimeFrame frame;
        std::memcpy(&frame, bytes.data() + i * sizeof(frame), sizeof(frame));
        text += fmt::format(" {}@{}{}", frame.code & ~kEnteredFromC, frame.instruction_offset,
                            (frame.code & kEnteredFromC) != 0 ? "!" : "");
    }
    return text;
}

const char* name_of(EndKind kind) {
    constexpr std::array kNames = {"?", "exit", "signal", "exec", "bound"};
    const auto index = static_cast<size_t>(kind);
    return kNames[index < kNames.size() ? index : 0];
}

// Records that only the recorder writes; the reader does not check them.
std::string describe_outside(const RecordView& view) {
    if (view.type == kSamplesRecord && view.bytes.size() >= sizeof(SamplesRecord)) {
        const auto bytes = view.behind<SamplesRecord>();
        std::string text = fmt::format("count={}", view.as<SamplesRecord>().count);
        for (size_t at = 0; at + sizeof(OutsideSample) <= bytes.size();
             at += sizeof(OutsideSample)) {
            OutsideSample sample;
            std::memcpy(&sample, bytes.data() + at, sizeof(sample));
            text +=
                fmt::format(" {}:{}+{}", sample.time_ns, sample.copied_pages, sample.fresh_pages);
        }
        return text;
    }
    if (view.type == kLookRecord && view.bytes.size() >= sizeof(LookRecord)) {
        const auto r = view.as<LookRecord>();
        return fmt::format(
            "start_ns={} end_ns={} cpu_ns={} edges={} objects={} python=3.{} cut={:#x}", r.start_ns,
            r.end_ns, r.cpu_ns, r.edges, r.objects, r.python_minor, r.cut);
    }
    if (view.type == kOwnerRecord && view.bytes.size() >= sizeof(OwnerRecord)) {
        const auto r = view.as<OwnerRecord>();
        const auto name = view.behind<OwnerRecord>();
        return fmt::format("id={} objects={} strs={} sampled={} distinct={} name={}", r.id,
                           r.objects, r.strs, r.sampled, r.distinct,
                           text_behind(name, std::min<size_t>(r.name_bytes, name.size())));
    }
    if (view.type == kRangesRecord && view.bytes.size() >= sizeof(RangesRecord)) {
        const auto r = view.as<RangesRecord>();
        return fmt::format("start={:#x} count={} packed_bytes={}", r.start, r.count,
                           r.packed_bytes);
    }
    if (view.type == kFateRecord && view.bytes.size() >= sizeof(FateRecord)) {
        const auto r = view.as<FateRecord>();
        return fmt::format("gone_ns={} kind={} value={}", r.gone_ns, name_of(r.kind), r.value);
    }
    return "";
}

std::string describe(const RecordView& view) {
    switch (view.type) {
        case RecordType::process: {
            const auto r = view.as<ProcessRecord>();
            const char* role = r.role == Role::image ? "image" : "fork";
            return fmt::format(
                "start_ns={} fork_ns={} pid={} parent={} parent_created_ns={} role={} sample={} "
                "command={} executable={}",
                r.start_ns, r.fork_ns, r.pid, r.parent_pid, r.parent_created_ns, role, r.sample,
                text_behind(view.behind<ProcessRecord>(), r.command_bytes),
                text_behind(view.behind<ProcessRecord>().subspan(r.command_bytes),
                            r.executable_bytes));
        }
        case RecordType::loss: {
            const auto r = view.as<LossRecord>();
            return fmt::format(
                "blocked_events={} unwritten_events={} unwritten_bytes={} fresh_faults={}",
                r.blocked_events, r.unwritten_events, r.unwritten_bytes, r.fresh_faults);
        }
        case RecordType::mappings: {
            const auto r = view.as<MappingsRecord>();
            return fmt::format("time_ns={} text_bytes={}", r.time_ns, r.text_bytes);
        }
        case RecordType::inherited: {
            const auto r = view.as<InheritedRecord>();
            return fmt::format("time_ns={} generation={} tracker={} witness={} runs={}{}",
                               r.time_ns, r.epoch, static_cast<int>(r.tracker),
                               static_cast<int>(r.witness), r.run_count,
                               runs_behind(view.behind<InheritedRecord>(), r.run_count));
        }
        case RecordType::stack: {
            const auto r = view.as<StackRecord>();
            return fmt::format("id={} depth={} truncated={} ips={}", r.id, r.depth,
                               (view.flags & kStackTruncated) != 0,
                               words_behind<uint64_t>(view.behind<StackRecord>(), r.depth));
        }
        case RecordType::site: {
            const auto r = view.as<SiteRecord>();
            return fmt::format("id={} stack={} ip={:#x} code={:02x}", r.id, r.stack,
                               r.instruction_pointer, fmt::join(r.code, ""));
        }
        case RecordType::exemplar: {
            const auto r = view.as<ExemplarRecord>();
            return fmt::format("site={} registers={:#x}", r.site, fmt::join(r.registers, " "));
        }
        case RecordType::type: {
            const auto r = view.as<TypeRecord>();
            return fmt::format("address={:#x} name={}", r.address,
                               text_behind(view.behind<TypeRecord>(), r.name_bytes));
        }
        case RecordType::event: {
            const auto r = event_of(view);
            return fmt::format(
                "time_ns={} address={:#x} word={:#x} neighbour={:#x} type={:#x} offset={} site={} "
                "python={} tid={}{}{}{}{}{}{}{}{}{}{}",
                r.time_ns, r.address, r.word, r.next_word, r.type, r.object_offset, r.site,
                id_text(r.runtime_stack), r.tid,
                (view.flags & kPoolHeader) != 0 ? " pool-header" : "",
                (view.flags & kPoolBlock) != 0 ? " pool-block" : "",
                (view.flags & kPoolBlockStart) != 0 ? " block-start" : "",
                (view.flags & kRuntimeFrame) != 0 ? " frame" : "",
                (view.flags & kContainerItems) != 0 ? " items" : "",
                (view.flags & kNoWord) != 0 ? " no-word" : "",
                (view.flags & kNoNextWord) != 0 ? " no-neighbour" : "",
                (view.flags & kZeroPage) != 0 ? " zero-page" : "",
                (view.flags & kMovedPage) != 0 ? " moved-page" : "",
                (view.flags & kBeforeList) != 0 ? " unlisted" : "");
        }
        case RecordType::census: {
            const auto r = view.as<CensusRecord>();
            return fmt::format("time_ns={} generation={} kind={} fresh_pages={} runs={}{}",
                               r.time_ns, r.epoch, static_cast<int>(r.kind), r.fresh_pages,
                               r.run_count, runs_behind(view.behind<CensusRecord>(), r.run_count));
        }
        case RecordType::memory: {
            const auto r = view.as<MemoryRecord>();
            return fmt::format(
                "time_ns={} moment={} rss_kb={} pss_kb={} private_dirty_kb={} swap_kb={} "
                "shared_memory_kb={}",
                r.time_ns, r.moment == MemoryMoment::fork ? "fork" : "end", r.rss_kb, r.pss_kb,
                r.private_dirty_kb, r.swap_kb, r.shared_memory_kb);
        }
        case RecordType::fork: {
            const auto r = view.as<ForkRecord>();
            return fmt::format("time_ns={} ordinal={}", r.time_ns, r.ordinal);
        }
        case RecordType::end: {
            const auto r = view.as<EndRecord>();
            return fmt::format("time_ns={} kind={} value={}", r.time_ns, name_of(r.kind), r.value);
        }
        case RecordType::runtime: {
            const auto r = view.as<RuntimeRecord>();
            return fmt::format("version={:#x} pool_bytes={} runtime={:#x}+{} interpreter={:#x}+{}",
                               r.version, r.pool_bytes, r.runtime_start, r.runtime_bytes,
                               r.interpreter_start, r.interpreter_bytes);
        }
        case RecordType::runtime_thread: {
            const auto r = view.as<RuntimeThreadRecord>();
            return fmt::format("address={:#x} bytes={} tid={}", r.address, r.bytes, r.tid);
        }
        case RecordType::runtime_code: {
            const auto r = view.as<RuntimeCodeRecord>();
            const auto behind = view.behind<RuntimeCodeRecord>();
            return fmt::format(
                "id={} address={:#x}+{} instructions={} first_line={} line_table={} name={} "
                "file={}",
                r.id, r.address, r.bytes, r.instruction_start, r.first_line, r.line_table_bytes,
                text_behind(behind, r.name_bytes),
                text_behind(behind.subspan(r.name_bytes), r.file_bytes));
        }
        case RecordType::runtime_stack: {
            const auto r = view.as<RuntimeStackRecord>();
            return fmt::format("id={} depth={} truncated={} frames={}", r.id, r.depth,
                               (view.flags & kStackTruncated) != 0,
                               frames_behind(view.behind<RuntimeStackRecord>(), r.depth));
        }
        case RecordType::object_value: {
            const auto r = view.as<ObjectValueRecord>();
            return fmt::format(
                "address={:#x} type={:#x} kind={} length={} site={} python={} value={}", r.address,
                r.type, static_cast<int>(r.kind), r.length, r.site, id_text(r.runtime_stack),
                text_behind(view.behind<ObjectValueRecord>(), r.text_bytes));
        }
        case RecordType::note: {
            const auto r = view.as<NoteRecord>();
            return fmt::format("time_ns={} code={} value={} address={:#x}", r.time_ns,
                               static_cast<uint32_t>(r.code), r.value, r.address);
        }
        case RecordType::moved: {
            const auto r = view.as<MovedRecord>();
            return fmt::format("from={:#x}+{} to={:#x}", r.from.start, r.from.pages, r.to);
        }
        case RecordType::epoch: {
            const auto r = view.as<EpochRecord>();
            return fmt::format("time_ns={} generation={} witness={}", r.time_ns, r.epoch,
                               static_cast<int>(r.witness));
        }
        case RecordType::protect: {
            const auto r = view.as<ProtectRecord>();
            return fmt::format("time_ns={} generation={} own={:#x}+{},{:#x}+{}", r.time_ns, r.epoch,
                               r.own[0].start, r.own[0].pages, r.own[1].start, r.own[1].pages);
        }
        case RecordType::weight:
            return fmt::format("weight={}", view.as<WeightRecord>().weight);
        case RecordType::account: {
            const auto r = view.as<AccountRecord>();
            return fmt::format("time_ns={} generation={} fresh_pages={} held_alone_pages={}",
                               r.time_ns, r.epoch, r.fresh_pages, r.held_alone_pages);
        }
        case RecordType::discarded: {
            const auto r = view.as<DiscardedRecord>();
            return fmt::format("range={:#x}+{} time_ns={}", r.range.start, r.range.pages,
                               r.time_ns);
        }
        default:
            return describe_outside(view);
    }
}

std::string kind_of(RecordType type) {
    if (type == kSamplesRecord) return "samples";
    if (type == kFateRecord) return "fate";
    if (type == kLookRecord) return "look";
    if (type == kOwnerRecord) return "owner";
    if (type == kRangesRecord) return "ranges";
    return record_kind(type);
}

std::string describe(const AggregateCounts& counts) {
    return fmt::format("processes={} blind={} copies={} witnessed={} unplaced={} kernel={} late={}",
                       counts.processes, counts.unwitnessed_processes, counts.copies,
                       counts.witnessed, counts.unplaced_copies, counts.kernel_copies,
                       counts.late_copies);
}

void dump_aggregates(const Later& later, std::FILE* out) {
    print_line(out, "{} later pid={} created_ns={} {}", later.path, later.pid, later.created_ns,
               describe(later.counts));
    for (const auto& [number, code] : later.codes) {
        print_line(out, "{} - later code={} address={:#x} first_line={} name={} file={}", later.pid,
                   number, code.address, code.first_line, code.name, code.file);
    }
    for (const AggregateCallSite& site : later.sites) {
        std::string python;
        for (const AggregateFrame& frame : site.runtime_frames) {
            python += fmt::format(" {:#x}@{}", frame.code, frame.instruction_offset);
            if (frame.code_number != 0) python += fmt::format("#{}", frame.code_number);
        }
        print_line(out, "{} - later copies={} pid={} tid={} code={:02x} ips={:#x} python={}",
                   later.pid, site.copies, site.pid, site.tid, fmt::join(site.code, ""),
                   fmt::join(site.ips, " "), python);
    }
}

void dump_bound(const std::string& folder, std::FILE* out) {
    std::vector<std::string> damage;
    const auto bound = read_bound(folder, &damage);
    if (bound) {
        print_line(out,
                   "{} bound limit_bytes={} used_bytes={} reached_ns={} programs_not_recorded={} "
                   "{}",
                   folder + "/" + kBoundFile, bound->limit_bytes, bound->used_bytes,
                   bound->reached_ns, bound->programs_not_recorded, describe(bound->counts));
        for (const Later& later : bound->later) dump_aggregates(later, out);
    }
    for (const std::string& line : damage) print_line(out, "damaged: {}", line);
}

void dump_segment(const std::string& path, std::FILE* out) {
    SegmentReader reader(path);
    const SegmentHeader& header = reader.header();
    print_line(
        out,
        "{} segment version={} pid={} created_ns={} committed_bytes={} child_error={} missing={}",
        path, header.version, header.pid, header.created_ns, header.committed_bytes,
        header.child_error, reader.missing_bytes());
    while (const auto record = reader.next()) {
        print_line(out, "{} {} {} {}", header.pid, record->offset, kind_of(record->type),
                   describe(*record));
    }
}

}  // namespace

namespace {

std::vector<std::string> find_owners(const std::string& folder) {
    namespace fs = std::filesystem;
    std::vector<std::string> paths;
    std::error_code error;
    for (fs::directory_iterator entry(folder, error), end; !error && entry != end;
         entry.increment(error)) {
        if (entry->path().extension() == kOwnersSuffix) paths.push_back(entry->path().string());
    }
    std::sort(paths.begin(), paths.end());
    return paths;
}

}  // namespace

void dump(const std::string& folder, std::FILE* out) {
    const auto dump_file = [&](const std::string& path) {
        try {
            dump_segment(path, out);
        } catch (const Error& error) {
            print_line(out, "damaged: {}", error.what());
        }
    };
    for (const std::string& path : find_segments(folder)) {
        dump_file(path);
        const std::string outside = outside_path_of(folder, path);
        std::error_code ignored;
        if (std::filesystem::exists(outside, ignored)) dump_file(outside);
    }
    for (const std::string& path : find_owners(folder)) dump_file(path);
    dump_bound(folder, out);
}

}  // namespace cowscope::trace
