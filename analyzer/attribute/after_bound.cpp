#include "attribute/after_bound.h"

#include <algorithm>
#include <map>
#include <unordered_map>
#include <utility>

#include <fmt/format.h>

#include "attribute/address_space.h"
#include "attribute/native_frames.h"
#include "base/file_name.h"
#include "runtime/table.h"

namespace cowscope::attribute {
namespace {

// The processes of one program: who it was started as, and all that were forked from it.
class Family {
  public:
    Family(const trace::Trace& trace, const trace::Later& later)
        : version_(later.runtime_version), aggregate_codes_(later.codes) {
        std::vector<bool> is_kin(trace.processes.size(), false);
        for (size_t i = 0; i < trace.processes.size(); ++i) {
            const trace::ProcessTrace& process = trace.processes[i];
            const auto parent = process.parent;
            is_kin[i] = parent ? is_kin[*parent]
                               : process.pid() == later.pid &&
                                     process.header.created_ns == later.created_ns;
            if (is_kin[i]) add(process);
        }
    }

    // Who says where the modules lie; nullptr where nobody does.
    const trace::ProcessTrace* mapped() const { return mapped_; }

    // Nothing for a code object that nobody wrote down.
    std::optional<Frame> frame(const trace::AggregateFrame& counted) const {
        const trace::RuntimeCode* code = find_code(counted);
        if (code == nullptr) return std::nullopt;
        Frame frame;
        frame.is_runtime = true;
        frame.function = code->name;
        frame.file = code->file;
        frame.line = runtime::line_of(*code, version_, counted.instruction_offset).value_or(0);
        return frame;
    }

  private:
    // As it was where the place was counted; else as somebody wrote it down before the bound.
    const trace::RuntimeCode* find_code(const trace::AggregateFrame& counted) const {
        const auto later = aggregate_codes_.find(counted.code_number);
        if (later != aggregate_codes_.end()) return &later->second;
        const auto code = codes_.find(counted.code);
        return code == codes_.end() ? nullptr : code->second;
    }

    void add(const trace::ProcessTrace& process) {
        if (mapped_ == nullptr && !process.mappings.empty()) mapped_ = &process;
        if (version_ == 0 && process.runtime.interpreter) {
            version_ = process.runtime.interpreter->version;
        }
        // Where another took the place of one that was freed, the younger one counts.
        for (const trace::RuntimeCode& code : process.runtime.codes) codes_[code.address] = &code;
    }

    const trace::ProcessTrace* mapped_ = nullptr;
    uint32_t version_;
    const std::map<uint32_t, trace::RuntimeCode>& aggregate_codes_;
    std::unordered_map<uint64_t, const trace::RuntimeCode*> codes_;
};

class Places {
  public:
    explicit Places(FrameTable* frames) : frames_(*frames) {}

    void add(const trace::AggregateCallSite& site, const Family& family, AddressSpace* space) {
        AggregateSite place;
        for (const trace::AggregateFrame& counted : site.runtime_frames) {
            const auto frame = family.frame(counted);
            // What stands further out means nothing without it.
            if (!frame) break;
            place.runtime_stack.frames.push_back(frames_.keep(*frame));
        }
        if (space != nullptr) add_native(site.ips, space, &place);
        SourceLine line;
        if (const Frame* frame = innermost_runtime_frame(place.runtime_stack)) {
            line = {frame->function, frame->file, frame->line};
        }
        const auto [at, is_new] = index_.try_emplace({place.code, line}, places_.size());
        if (is_new) {
            places_.push_back(std::move(place));
            heaviest_.push_back(site.copies);
        } else if (site.copies > heaviest_[at->second]) {
            heaviest_[at->second] = site.copies;
            places_[at->second].native_stack = std::move(place.native_stack);
            places_[at->second].runtime_stack = std::move(place.runtime_stack);
        }
        places_[at->second].copies += site.copies;
    }

    std::vector<AggregateSite> take(uint64_t all_copies) {
        for (AggregateSite& place : places_) {
            if (all_copies == 0) break;
            place.share = static_cast<double>(place.copies) / static_cast<double>(all_copies);
        }
        std::stable_sort(
            places_.begin(), places_.end(),
            [](const AggregateSite& a, const AggregateSite& b) { return a.copies > b.copies; });
        return std::move(places_);
    }

  private:
    using Key = std::pair<WritingCode, SourceLine>;

    void add_native(const std::vector<uint64_t>& ips, AddressSpace* space, AggregateSite* place) {
        for (size_t i = 0; i < ips.size(); ++i) {
            const AddressSpace::Code code = space->code_at(ips[i], i != 0);
            const auto frames = native_frames(code, ips[i], i != 0, &frames_);
            if (i == 0) place->code.module = frames_.keep(file_name(code.module_path));
            if (i == 0 && code.location != nullptr && !code.location->frames.empty()) {
                const symbolize::Frame& function = code.location->frames.back();
                place->code.function = frames_.keep(function.function);
                place->code.file = frames_.keep(function.file);
                place->code.line = function.line;
            }
            auto& stack = place->native_stack.frames;
            stack.insert(stack.end(), frames.begin(), frames.end());
        }
    }

    FrameTable& frames_;
    std::vector<AggregateSite> places_;
    std::vector<uint64_t> heaviest_;  // of the sites that gave each place its stack
    std::map<Key, size_t> index_;
};

// Numbers of a damaged file must not turn around.
uint64_t sum(uint64_t a, uint64_t b) {
    return a + std::min(b, ~a);
}

void add_counts(const trace::AggregateCounts& counts, AfterBound* after) {
    after->processes = sum(after->processes, counts.processes);
    after->unwitnessed_processes = sum(after->unwitnessed_processes, counts.unwitnessed_processes);
    after->copies = sum(after->copies, counts.copies);
    after->witnessed = sum(after->witnessed, counts.witnessed);
    after->unplaced_copies = sum(after->unplaced_copies, counts.unplaced_copies);
    after->kernel_copies = sum(after->kernel_copies, counts.kernel_copies);
    after->late_copies = sum(after->late_copies, counts.late_copies);
}

// As the option takes it.
std::string size_text(uint64_t bytes) {
    constexpr std::string_view kUnits = "KMG";
    if (bytes == 0) return "0";
    for (size_t i = kUnits.size(); i-- != 0;) {
        const unsigned shift = 10 * (static_cast<unsigned>(i) + 1);
        if (bytes % (uint64_t{1} << shift) == 0) {
            return fmt::format("{}{}", bytes >> shift, kUnits[i]);
        }
    }
    return fmt::format("{} bytes", bytes);
}

}  // namespace

std::optional<AfterBound> find_after_bound(const trace::Trace& trace, uint64_t start_ns,
                                           symbolize::Symbolizer* symbolizer, FrameTable* frames) {
    if (!trace.bound || trace.bound->reached_ns == 0) return std::nullopt;
    const trace::Bound& bound = *trace.bound;
    AfterBound after;
    after.limit_bytes = bound.limit_bytes;
    after.reached_ns = bound.reached_ns - std::min(start_ns, bound.reached_ns);
    after.programs_not_recorded = bound.programs_not_recorded;
    add_counts(bound.counts, &after);
    Places places(frames);
    for (const trace::Later& later : bound.later) {
        add_counts(later.counts, &after);
        if (later.sites.empty()) continue;
        const Family family(trace, later);
        std::optional<AddressSpace> space;
        if (family.mapped() != nullptr) space.emplace(*family.mapped(), symbolizer);
        for (const trace::AggregateCallSite& site : later.sites) {
            places.add(site, family, space ? &*space : nullptr);
        }
    }
    after.sites = places.take(after.copies);
    return after;
}

std::string text_of(const AfterBound& after) {
    const auto counted = [](uint64_t count, std::string_view one, std::string_view many) {
        return fmt::format("{} {}", count, count == 1 ? one : many);
    };
    std::string text = fmt::format(
        "the trace reached its bound of {} (--max-trace) after {:.1f} s; from then on copies were "
        "only counted: {}, by {} that went on or came later",
        size_text(after.limit_bytes), static_cast<double>(after.reached_ns) / 1e9,
        counted(after.copies, "page", "pages"), counted(after.processes, "process", "processes"));
    // The number of events falls behind only where they stand for several.
    const uint64_t told =
        after.copies - std::min(after.copies, sum(after.kernel_copies, after.late_copies));
    if (after.witnessed < told) {
        text += fmt::format(" (an estimate: {} events were picked at random)", after.witnessed);
    }
    text += "; all other numbers are of what came before";
    if (after.unwitnessed_processes != 0) {
        text += fmt::format("; {} had no witness, so their copies are unknown",
                            counted(after.unwitnessed_processes, "process", "processes"));
    }
    if (after.programs_not_recorded != 0) {
        text += fmt::format("; {} started later and {} not recorded",
                            counted(after.programs_not_recorded, "program", "programs"),
                            after.programs_not_recorded == 1 ? "is" : "are");
    }
    return text;
}

}  // namespace cowscope::attribute
