#include "trace/process_trace.h"

#include <algorithm>
#include <unordered_set>

#include <fmt/format.h>

#include "base/error.h"
#include "base/printable.h"
#include "trace/generation_counter.h"
#include "trace/list_parts.h"
#include "trace/python_records.h"

namespace cowscope::trace {
namespace {

// A writer keeps four.
constexpr size_t kMaxExemplarsASite = 16;
// Each is taken apart into its pages of 4 KiB: 32 GiB of them.
constexpr size_t kMostHugePages = size_t{1} << 14;
constexpr uint64_t kHugePageBytes = uint64_t{2} << 20;
// A program may move any number of ranges, but not so many pieces with each: the same million
// pieces a million times would take for ever.
constexpr uint64_t kMostPiecesMoved = uint64_t{1} << 22;
constexpr uint64_t kMostPiecesAMove = 4;

// The recorder's stand in files of its own (outside.h).
bool is_taken_by_process(CensusKind kind) {
    return kind >= CensusKind::final && kind <= CensusKind::unseen && kind != CensusKind::outside;
}

class Loader {
  public:
    explicit Loader(SegmentReader* reader) : reader_(*reader) {}

    ProcessTrace load() {
        process_.path = reader_.path();
        process_.header = reader_.header();
        process_.last_time_ns = reader_.header().created_ns;
        try {
            while (auto record = reader_.next()) take(*record);
            if (reader_.missing_bytes() != 0) {
                process_.damage = fmt::format("{}: the last {} bytes are missing", reader_.path(),
                                              reader_.missing_bytes());
            }
        } catch (const Error& error) {
            process_.damage = error.what();
        }
        end_lists();
        add_pages();
        if (!saw_process_) {
            throw Error(process_.damage.value_or(reader_.path() + ": holds no process record"));
        }
        return std::move(process_);
    }

  private:
    [[noreturn]] void fail(const RecordView& record, const std::string& message) const {
        refuse(reader_, record, message);
    }

    // A record whose neighbours are as good as ever: its writer had no room for what it names.
    void leave_out(const RecordView& record, const std::string& message) {
        leave_out(describe(reader_, record, message));
        if (record.type == RecordType::event) process_.left_out_events.push_back(record.offset);
    }
    void leave_out(std::string line) {
        if (process_.left_out.records++ == 0) process_.left_out.first = std::move(line);
    }
    void lose_list(const char* kind) {
        leave_out(fmt::format("{}: {} record: a list without its end", reader_.path(), kind));
    }
    void end_lists() {
        if (process_.damage) return;
        if (inherited_parts_.goes_on()) lose_inherited();
        if (census_parts_.goes_on()) lose_list("census");
        if (mappings_parts_.goes_on()) lose_list("mappings");
    }
    void lose_inherited() {
        lose_list("inherited");
        if (!process_.generations.empty()) process_.generations.back().is_list_torn = true;
    }

    void take(const RecordView& record) {
        switch (record.type) {
            case RecordType::process:
                take_process(record);
                break;
            case RecordType::loss:
                process_.loss = record.as<LossRecord>();
                break;
            case RecordType::mappings:
                take_mappings(record);
                break;
            case RecordType::generation:
                take_generation(record);
                break;
            case RecordType::inherited:
                take_inherited(record);
                break;
            case RecordType::stack:
                take_stack(record);
                break;
            case RecordType::site:
                take_site(record);
                break;
            case RecordType::exemplar:
                pending_exemplar_ = record.as<ExemplarRecord>();
                break;
            case RecordType::type:
                take_type(record);
                break;
            case RecordType::event:
                take_event(record);
                break;
            case RecordType::census:
                take_census(record);
                break;
            case RecordType::moved:
                take_moved(record);
                break;
            case RecordType::given_up:
                take_given_up(record);
                break;
            case RecordType::memory:
                take_memory(record);
                break;
            case RecordType::account:
                process_.accounts.push_back(record.as<AccountRecord>());
                see_time(process_.accounts.back().time_ns);
                break;
            case RecordType::fork:
                process_.fork_times_ns.push_back(record.as<ForkRecord>().time_ns);
                break;
            case RecordType::end:
                take_end(record.as<EndRecord>());
                break;
            case RecordType::weight:
                take_weight(record);
                break;
            case RecordType::python:
            case RecordType::python_thread:
            case RecordType::python_code:
            case RecordType::python_stack:
            case RecordType::python_value:
                if (const std::string problem =
                        take_python(record, process_.sites.size(), &process_.python);
                    !problem.empty()) {
                    leave_out(record, problem);
                }
                break;
            case RecordType::note:
                process_.notes.push_back(record.as<NoteRecord>());
                break;
            default:
                break;
        }
    }

    void see_time(uint64_t time_ns) {
        process_.last_time_ns = std::max(process_.last_time_ns, time_ns);
    }

    void take_process(const RecordView& record) {
        process_.process = record.as<ProcessRecord>();
        const auto& fixed = process_.process;
        if (fixed.role != Role::image && fixed.role != Role::fork)
            fail(record, "has no known role");
        const auto bytes = record.behind<ProcessRecord>();
        std::string_view command = text_of(bytes, 0, fixed.command_bytes);
        process_.command.clear();
        while (!command.empty()) {
            const size_t end = std::min(command.find('\0'), command.size());
            process_.command.emplace_back(command.substr(0, end));
            command.remove_prefix(std::min(end + 1, command.size()));
        }
        process_.executable = text_of(bytes, fixed.command_bytes, fixed.executable_bytes);
        if (!weight_is_told_) weight_ = first_weight(process_);
        saw_process_ = true;
        see_time(fixed.start_ns);
    }

    Generation& add_generation(uint32_t number, uint64_t start_ns) {
        Generation& generation = process_.generations.emplace_back();
        generation.number = number;
        generation.start_ns = start_ns;
        generation.largest_weight = weight_;
        newest_[number] = process_.generations.size() - 1;
        // Censuses of ranges that came before it are not its own.
        const size_t ranges = of_ranges_[number].size();
        pending_.push_back({{}, {}, {}, ranges, ranges});
        see_time(start_ns);
        return generation;
    }

    // The censuses of ranges and the lists of single pages, each of them all at once: there may be
    // as many as records.
    void add_pages() {
        for (size_t i = 0; i < pending_.size(); ++i) {
            Generation& generation = process_.generations[i];
            Pending& pending = pending_[i];
            generation.inherited.merge(union_of(std::move(pending.inherited)));
            generation.not_copied.merge(union_of(std::move(pending.not_copied)));
            generation.unseen = union_of(std::move(pending.unseen));
            const auto ranges = of_ranges_[generation.number].begin();
            generation.copied.merge(
                union_of({ranges + static_cast<std::ptrdiff_t>(pending.first_range),
                          ranges + static_cast<std::ptrdiff_t>(pending.range_end)}));
        }
    }

    void take_end(const EndRecord& end) {
        see_time(end.time_ns);
        if (end.kind == EndKind::bound) {
            process_.bound_ns = end.time_ns;
        } else {
            process_.end = end;
        }
    }

    void take_mappings(const RecordView& record) {
        const auto fixed = record.as<MappingsRecord>();
        const ListPart part = mappings_parts_.take(record.flags, fixed.time_ns);
        if (part.is_other_torn) lose_list("mappings");
        if (part.is_first) mappings_text_.clear();
        mappings_text_ += text_of(record.behind<MappingsRecord>(), 0, fixed.text_bytes);
        if (!part.is_last) return;
        process_.mappings.push_back(
            std::make_shared<const Mappings>(mappings_text_, fixed.time_ns));
        mappings_text_.clear();
    }

    // Appends the runs behind a record's fixed part.
    template <typename Record>
    void take_runs(const RecordView& record, uint32_t count, PageSet* pages) {
        const auto bytes = record.behind<Record>();
        for (uint32_t i = 0; i < count; ++i) {
            PageRun run;
            std::memcpy(&run, bytes.data() + i * sizeof(run), sizeof(run));
            if (!pages->append(run)) {
                fail(record, fmt::format("run {} ({:#x}, {} pages) is impossible there", i,
                                         run.start, run.pages));
            }
        }
    }

    void take_generation(const RecordView& record) {
        const auto fixed = record.as<GenerationRecord>();
        if (inherited_parts_.goes_on()) lose_inherited();
        inherited_parts_ = {};
        generation_counter_.take(record);
        add_generation(fixed.generation, fixed.time_ns).witness = fixed.witness;
    }

    void take_inherited(const RecordView& record) {
        const auto fixed = record.as<InheritedRecord>();
        const ListPart part = inherited_parts_.take(record.flags, fixed.time_ns);
        if (part.is_other_torn) lose_inherited();
        if (generation_counter_.take(record)) add_generation(fixed.generation, fixed.time_ns);
        Generation& generation = process_.generations.back();
        // A process whose end did not come after all lists them once more.
        if (part.is_first) {
            generation.is_list_torn = false;
            generation.inherited.clear();
            pending_.back().inherited.clear();
            generation.homes.clear();
        }
        generation.tracker = fixed.tracker;
        generation.witness = fixed.witness;
        generation.is_listed = true;
        generation.had_more = (fixed.header.flags & kInheritedMore) != 0;
        generation.listed_ns = fixed.time_ns;
        take_runs<InheritedRecord>(record, fixed.run_count, &generation.inherited);
    }

    void take_census(const RecordView& record) {
        const auto fixed = record.as<CensusRecord>();
        const auto newest = newest_.find(fixed.generation);
        if (newest == newest_.end()) {
            fail(record, fmt::format("is of generation {}, which never began", fixed.generation));
        }
        if (!is_taken_by_process(fixed.kind)) fail(record, "is of a kind that no process takes");
        const ListPart part = census_parts_.take(record.flags, fixed.time_ns);
        if (part.is_other_torn) lose_list("census");
        if (part.is_first) census_runs_.clear();
        take_runs<CensusRecord>(record, fixed.run_count, &census_runs_);
        if (!part.is_last) return;
        see_time(fixed.time_ns);
        Generation* const generation = &process_.generations[newest->second];
        Pending& pending = pending_[newest->second];
        std::vector<PageRun>& of_ranges = of_ranges_[generation->number];
        census_runs_ = generation->homes.homes_of(census_runs_);
        const auto add_to = [&](std::vector<PageRun>* runs) {
            runs->insert(runs->end(), census_runs_.runs().begin(), census_runs_.runs().end());
        };
        if (fixed.kind == CensusKind::inherited) return add_to(&pending.inherited);
        if (fixed.kind == CensusKind::fresh) return add_to(&pending.not_copied);
        if (fixed.kind == CensusKind::unseen) {
            generation->unseen_ns = fixed.time_ns;
            return add_to(&pending.unseen);
        }
        if (fixed.kind == CensusKind::earlier) generation->earlier.merge(census_runs_);
        if (fixed.kind == CensusKind::earlier || fixed.kind == CensusKind::given_up ||
            fixed.kind == CensusKind::kernel) {
            add_to(&of_ranges);
            pending.range_end = of_ranges.size();
            return;
        }
        generation->census = fixed.kind;
        generation->census_ns = fixed.time_ns;
        generation->fresh_pages = fixed.fresh_pages;
        generation->was_protected = (record.flags & kNotProtected) == 0;
        generation->copied = census_runs_;
        pending.first_range = 0;
        pending.range_end = of_ranges.size();
    }

    void take_weight(const RecordView& record) {
        weight_ = record.as<WeightRecord>().weight;
        weight_is_told_ = true;
        if (weight_ == 0) fail(record, "is 0");
        if (process_.generations.empty()) return;
        uint32_t& largest = process_.generations.back().largest_weight;
        largest = std::max(largest, weight_);
    }

    void take_moved(const RecordView& record) {
        const auto fixed = record.as<MovedRecord>();
        if (!is_possible_move(fixed)) fail(record, "is impossible");
        if (process_.generations.empty()) fail(record, "stands before any inherited pages");
        if (pieces_moved_ > kMostPiecesMoved + ++moves_ * kMostPiecesAMove) {
            fail(record, "moves too many pieces once more");
        }
        pieces_moved_ += process_.generations.back().homes.move(fixed.from, fixed.to);
    }

    void take_given_up(const RecordView& record) {
        const auto fixed = record.as<GivenUpRecord>();
        PageSet range;
        if (!range.append(fixed.range)) fail(record, "is impossible");
        if (process_.generations.empty()) return;
        see_time(fixed.time_ns);
        if ((fixed.header.flags & kIsKept) != 0) return;
        Generation& generation = process_.generations.back();
        const PageSet homes = generation.homes.homes_of(range);
        for (const PageRun& run : homes.runs()) {
            generation.given_up.push_back({run, fixed.time_ns});
        }
    }

    void take_stack(const RecordView& record) {
        const auto fixed = record.as<StackRecord>();
        if (fixed.depth == 0) fail(record, "is empty");
        const size_t next = process_.stacks.size();
        // Where the site of the last one found no room, the next site's takes its place.
        const bool is_again = fixed.id + size_t{1} == next && !is_last_stack_named_;
        if (fixed.id != next) {
            leave_out(record, fmt::format("has id {} where {} comes next", fixed.id, next));
            if (!is_again) return;
            process_.stacks.pop_back();
        }
        Stack stack;
        stack.truncated = (record.flags & kStackTruncated) != 0;
        stack.ips.resize(fixed.depth);
        std::memcpy(stack.ips.data(), record.behind<StackRecord>().data(),
                    fixed.depth * sizeof(uint64_t));
        process_.stacks.push_back(std::move(stack));
        is_last_stack_named_ = false;
    }

    void take_site(const RecordView& record) {
        const auto fixed = record.as<SiteRecord>();
        const size_t next = process_.sites.size();
        if (fixed.stack >= process_.stacks.size()) {
            return leave_out(record,
                             fmt::format("names stack {}, which is not there", fixed.stack));
        }
        if (fixed.id != next) {
            return leave_out(record, fmt::format("has id {} where {} comes next", fixed.id, next));
        }
        if (fixed.stack + size_t{1} == process_.stacks.size()) is_last_stack_named_ = true;
        Site site{fixed.stack, fixed.instruction_pointer, {}};
        std::copy(std::begin(fixed.code), std::end(fixed.code), site.code.begin());
        process_.sites.push_back(site);
    }

    void take_type(const RecordView& record) {
        const auto fixed = record.as<TypeRecord>();
        const std::string name =
            shortened(text_of(record.behind<TypeRecord>(), 0, fixed.name_bytes), kMostNameBytes);
        process_.type_names.emplace_back(name);
        process_.types[fixed.address] = name;
    }

    void take_event(const RecordView& record) {
        const auto event = event_of(record);
        if (event.site >= process_.sites.size()) {
            pending_exemplar_.reset();
            return leave_out(record, fmt::format("names site {}, which is not there", event.site));
        }
        if (process_.generations.empty()) fail(record, "stands before any inherited pages");
        if (event.python_stack != kNoPythonStack &&
            event.python_stack >= process_.python.stacks.size()) {
            pending_exemplar_.reset();
            return leave_out(record, fmt::format("names Python stack {}, which is not there",
                                                 event.python_stack));
        }
        if ((record.flags & kHugePage) != 0) {
            huge_pages_.insert(event.address / kHugePageBytes);
            if (huge_pages_.size() > kMostHugePages) {
                fail(record, fmt::format("is of one huge page more than {}", kMostHugePages));
            }
        }
        auto& kept = process_.exemplars[event.site];
        if (pending_exemplar_ && pending_exemplar_->site == event.site &&
            kept.size() < kMaxExemplarsASite) {
            Exemplar exemplar;
            std::copy(std::begin(pending_exemplar_->registers),
                      std::end(pending_exemplar_->registers), exemplar.registers.begin());
            exemplar.event = event;
            kept.push_back(exemplar);
        }
        pending_exemplar_.reset();
        ++process_.event_count;
        see_time(event.time_ns);
    }

    void take_memory(const RecordView& record) {
        const auto memory = record.as<MemoryRecord>();
        if (memory.moment == MemoryMoment::fork) {
            // What was measured is better than what goes without saying.
            auto& known = process_.memory_at_fork;
            if (!known || (known->header.flags & kNotMeasured) != 0) known = memory;
        } else {
            process_.memory_at_end = memory;
        }
    }

    SegmentReader& reader_;
    ProcessTrace process_;
    bool saw_process_ = false;
    uint32_t weight_ = 1;
    bool weight_is_told_ = false;
    GenerationCounter generation_counter_;
    bool is_last_stack_named_ = false;
    ListParts inherited_parts_;
    ListParts census_parts_;
    ListParts mappings_parts_;
    PageSet census_runs_;
    // What a generation is given at the end.
    struct Pending {
        std::vector<PageRun> inherited;
        std::vector<PageRun> not_copied;
        std::vector<PageRun> unseen;
        // Of of_ranges_.
        size_t first_range;
        size_t range_end;
    };
    std::vector<Pending> pending_;                        // as process_.generations
    std::unordered_map<uint32_t, size_t> newest_;         // generation of a number
    std::map<uint32_t, std::vector<PageRun>> of_ranges_;  // copies by generation's number
    std::unordered_set<uint64_t> huge_pages_;
    uint64_t moves_ = 0;
    uint64_t pieces_moved_ = 0;
    std::string mappings_text_;
    std::optional<ExemplarRecord> pending_exemplar_;
};

}  // namespace

std::string text_of(const LeftOut& left_out) {
    if (left_out.records == 1) return left_out.first;
    return fmt::format("{} (and {} more)", left_out.first, left_out.records - 1);
}

ProcessTrace load_process(const std::string& path) {
    SegmentReader reader(path);
    return Loader(&reader).load();
}

}  // namespace cowscope::trace
