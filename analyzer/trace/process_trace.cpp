#include "trace/process_trace.h"

#include <algorithm>
#include <unordered_set>

#include <fmt/format.h>

#include "base/error.h"
#include "base/printable.h"
#include "trace/epoch_lists.h"
#include "trace/list_parts.h"
#include "trace/runtime_records.h"

namespace cowscope::trace {
namespace {

// A writer keeps four.
constexpr size_t kMaxExemplarsASite = 16;
// Each is taken apart into its pages of 4 KiB: 32 GiB of them.
constexpr size_t kMostHugePages = size_t{1} << 14;
constexpr uint64_t kHugePageBytes = uint64_t{2} << 20;

class Loader {
  public:
    explicit Loader(SegmentReader* reader) : reader_(*reader), epochs_(*reader, &process_) {}

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
        if (!process_.damage) {
            epochs_.end_lists();
            if (mappings_parts_.goes_on()) lose_list(reader_, "mappings", &process_.left_out);
        }
        epochs_.add_pages();
        if (!saw_process_) {
            throw Error(process_.damage.value_or(reader_.path() + ": holds no process record"));
        }
        return std::move(process_);
    }

  private:
    [[noreturn]] void fail(const RecordView& record, const std::string& message) const {
        refuse(reader_, record, message);
    }

    // A record that names what is not there, among sound ones: its writer had no room for what it
    // names.
    void leave_out(const RecordView& record, const std::string& message) {
        add_to(&process_.left_out, describe(reader_, record, message));
        if (record.type == RecordType::event) process_.left_out_events.push_back(record.offset);
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
            case RecordType::epoch:
                epochs_.take_epoch(record);
                break;
            case RecordType::inherited:
                epochs_.take_inherited(record);
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
                epochs_.take_census(record);
                break;
            case RecordType::moved:
                epochs_.take_moved(record);
                break;
            case RecordType::discarded:
                epochs_.take_given_up(record);
                break;
            case RecordType::memory:
                take_memory(record);
                break;
            case RecordType::account:
                process_.accounts.push_back(record.as<AccountRecord>());
                process_.see_time(process_.accounts.back().time_ns);
                break;
            case RecordType::fork:
                process_.fork_times_ns.push_back(record.as<ForkRecord>().time_ns);
                break;
            case RecordType::end:
                take_end(record.as<EndRecord>());
                break;
            case RecordType::weight:
                epochs_.take_weight(record);
                break;
            case RecordType::runtime:
            case RecordType::runtime_thread:
            case RecordType::runtime_code:
            case RecordType::runtime_stack:
            case RecordType::object_value:
                if (const std::string problem =
                        take_runtime(record, process_.sites.size(), &process_.runtime);
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
        epochs_.set_first_weight(first_weight(process_));
        saw_process_ = true;
        process_.see_time(fixed.start_ns);
    }

    void take_end(const EndRecord& end) {
        process_.see_time(end.time_ns);
        if (end.kind == EndKind::bound) {
            process_.bound_ns = end.time_ns;
        } else {
            process_.end = end;
        }
    }

    void take_mappings(const RecordView& record) {
        const auto fixed = record.as<MappingsRecord>();
        const ListPart part = mappings_parts_.take(record.flags, fixed.time_ns);
        if (part.is_other_torn) lose_list(reader_, "mappings", &process_.left_out);
        if (part.is_first) mappings_text_.clear();
        mappings_text_ += text_of(record.behind<MappingsRecord>(), 0, fixed.text_bytes);
        if (!part.is_last) return;
        process_.mappings.push_back(
            std::make_shared<const Mappings>(mappings_text_, fixed.time_ns));
        mappings_text_.clear();
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
        if (process_.epochs.empty()) fail(record, "stands before any inherited pages");
        if (event.runtime_stack != kNoRuntimeStack &&
            event.runtime_stack >= process_.runtime.stacks.size()) {
            pending_exemplar_.reset();
            return leave_out(record, fmt::format("names Python stack {}, which is not there",
                                                 event.runtime_stack));
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
        process_.see_time(event.time_ns);
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
    bool is_last_stack_named_ = false;
    std::unordered_set<uint64_t> huge_pages_;
    ListParts mappings_parts_;
    std::string mappings_text_;
    EpochLists epochs_;
    std::optional<ExemplarRecord> pending_exemplar_;
};

}  // namespace

void add_to(LeftOut* left_out, std::string line) {
    if (left_out->records++ == 0) left_out->first = std::move(line);
}

std::string text_of(const LeftOut& left_out) {
    if (left_out.records == 1) return left_out.first;
    return fmt::format("{} (and {} more)", left_out.first, left_out.records - 1);
}

ProcessTrace load_process(const std::string& path) {
    SegmentReader reader(path);
    return Loader(&reader).load();
}

}  // namespace cowscope::trace
