#include "attribute/site_resolver.h"

#include <algorithm>

#include "attribute/native_frames.h"
#include "base/file_name.h"

namespace cowscope::attribute {
namespace {

bool is_dynamic_linker(const std::string& module) {
    return module.starts_with("ld-linux") || module.starts_with("ld.so") ||
           module.starts_with("ld-2.");
}

// One that names a reference count, else the innermost.
std::string inlined_name(const std::vector<symbolize::Frame>& frames) {
    if (frames.size() < 2) return "";
    const auto last = std::prev(frames.end());
    const auto named = std::find_if(frames.begin(), last, [](const symbolize::Frame& frame) {
        return runtime::names_reference_count(frame.function);
    });
    return (named == last ? frames.begin() : named)->function;
}

}  // namespace

SiteResolver::SiteResolver(const trace::ProcessTrace& process, AddressSpace* space,
                           decode::Decoder* decoder, FrameTable* frames)
    : process_(process),
      space_(space),
      decoder_(decoder),
      frames_(frames),
      runtimes_(process),
      sites_(process.sites.size()) {}

runtime::Id SiteResolver::runtime_of(const std::string& module_path) {
    if (!runtime_paths_) {
        runtime_paths_.emplace();
        for (const auto& [id, address] : runtimes_.modules()) {
            (*runtime_paths_)[id] = space_->module_path_at(address);
        }
    }
    for (const auto& [id, path] : *runtime_paths_) {
        if (!path.empty() && module_path == path) return id;
    }
    return runtime::Id::none;
}

void SiteResolver::find_callers(uint32_t id, ResolvedSite* resolved) {
    // An allocator or a container's function is at most so far from the instruction.
    constexpr size_t kNearFrames = 5;
    if (!runtimes_.has_interpreter()) return;
    const trace::Stack& stack = process_.stacks[process_.sites[id].stack];
    // What the interpreter's loop itself was called for says nothing of this instruction.
    const auto is_loop = [&](const std::string& function) {
        return runtimes_.role_of(function) == runtime::FunctionRole::runs_frames;
    };
    bool is_near = resolved->frames.empty() || !is_loop(resolved->frames.back().function);
    for (size_t i = 1; i < stack.ips.size(); ++i) {
        const AddressSpace::Code code = space_->code_at(stack.ips[i], true);
        if (code.location == nullptr) continue;
        for (const symbolize::Frame& frame : code.location->frames) {
            const runtime::FunctionRole role = runtimes_.role_of(frame.function);
            if (role == runtime::FunctionRole::takes_down) resolved->is_finalizing = true;
            is_near = is_near && i <= kNearFrames && role != runtime::FunctionRole::runs_frames;
            if (is_near && !frame.function.empty()) resolved->callers.push_back(frame.function);
        }
    }
}

std::optional<int64_t> SiteResolver::agreed_change(uint32_t site,
                                                   const decode::Instruction& instruction) {
    if (const auto fixed = decode::change_of(instruction, nullptr, 0)) return fixed;
    const auto exemplars = process_.exemplars.find(site);
    if (exemplars == process_.exemplars.end()) return std::nullopt;
    // A site that stores +1 today and something else tomorrow is no counter; one that goes up and
    // down is, so the sign of a step by one does not matter.
    std::optional<int64_t> agreed;
    for (const trace::Exemplar& exemplar : exemplars->second) {
        if ((exemplar.event.header.flags & trace::kNoWord) != 0) continue;
        const decode::Registers registers{exemplar.registers};
        const auto change = decode::change_of(instruction, &registers, exemplar.event.word);
        if (!change) return std::nullopt;
        if (!agreed) agreed = change;
        const bool steps = (*agreed == 1 || *agreed == -1) && (*change == 1 || *change == -1);
        if (*change != *agreed && !steps) return std::nullopt;
    }
    return agreed;
}

const ResolvedSite& SiteResolver::resolve(uint32_t id) {
    if (sites_[id] != nullptr) return *sites_[id];
    auto resolved = std::make_unique<ResolvedSite>();
    const trace::Site& site = process_.sites[id];
    resolved->instruction = decoder_->decode(site.code, site.instruction_pointer);
    if (resolved->instruction) resolved->change = agreed_change(id, *resolved->instruction);
    const AddressSpace::Code code = space_->code_at(site.instruction_pointer, false);
    resolved->module = file_name(code.module_path);
    if (code.location != nullptr) {
        resolved->frames = code.location->frames;
        resolved->inlined = inlined_name(resolved->frames);
        resolved->has_debug_info = code.location->has_debug_info;
    }
    resolved->in_dynamic_linker = is_dynamic_linker(resolved->module);
    find_callers(id, resolved.get());
    sites_[id] = std::move(resolved);
    return *sites_[id];
}

std::optional<Verdict> SiteResolver::verdict(uint32_t id, const WrittenPlace& written) {
    const ResolvedSite& site = resolve(id);
    runtime::Write input;
    input.instruction = site.instruction ? &*site.instruction : nullptr;
    input.change = site.change;
    input.target = written.target;
    input.object_type = written.type;
    input.region = written.region->region;
    input.region_name = written.region->name;
    input.has_debug_info = site.has_debug_info;
    input.module = site.module;
    input.in_dynamic_linker = site.in_dynamic_linker;
    input.module_of = runtime_of(written.region->path);
    input.is_finalizing = site.is_finalizing || written.is_finalizing;
    for (const symbolize::Frame& frame : site.frames) input.functions.push_back(frame.function);
    for (const std::string& caller : site.callers) input.callers.push_back(caller);
    return find_cause(input);
}

WritingCode SiteResolver::code(uint32_t id) {
    const ResolvedSite& site = resolve(id);
    WritingCode code;
    code.module = frames_->keep(site.module);
    if (!site.frames.empty()) {
        const symbolize::Frame& function = site.frames.back();
        code.function = frames_->keep(function.function);
        code.file = frames_->keep(function.file);
        code.line = function.line;
        code.inlined = frames_->keep(site.inlined);
    }
    if (site.instruction) code.instruction = frames_->keep(site.instruction->text);
    return code;
}

SourceLine SiteResolver::line(uint32_t runtime_stack) {
    const runtime::Frame frame = runtimes_.stacks().innermost(runtime_stack);
    return {frames_->keep(frame.function), frames_->keep(frame.file), frame.line};
}

const SiteResolver::NativePlace& SiteResolver::native_place(uint64_t ip, bool is_return_address) {
    const auto [at, is_new] = native_places_.try_emplace({ip, is_return_address});
    NativePlace& place = at->second;
    if (!is_new) return place;
    const AddressSpace::Code code = space_->code_at(ip, is_return_address);
    place.frames = native_frames(code, ip, is_return_address, frames_);
    place.kind.is_interpreter = runtime_of(code.module_path) != runtime::Id::none;
    place.kind.is_loop = place.kind.is_interpreter && code.location != nullptr &&
                         !code.location->frames.empty() &&
                         runtimes_.role_of(code.location->frames.back().function) ==
                             runtime::FunctionRole::runs_frames;
    return place;
}

bool SiteResolver::cut_where_full(FrameStack* stack) {
    if (stack->empty() || !frames_->is_full()) return false;
    stack->goes_on = true;
    ++cut_stacks_;
    return true;
}

FrameStack SiteResolver::native_stack(uint32_t id) {
    const trace::Stack& recorded = process_.stacks[process_.sites[id].stack];
    FrameStack stack;
    stack.goes_on = recorded.truncated;
    for (size_t i = 0; i < recorded.ips.size(); ++i) {
        if (cut_where_full(&stack)) break;
        const auto& frames = native_place(recorded.ips[i], i != 0).frames;
        stack.frames.insert(stack.frames.end(), frames.begin(), frames.end());
    }
    return stack;
}

FrameStack SiteResolver::mixed_stack(uint32_t id, uint32_t runtime_stack) {
    const std::vector<runtime::Frame> named = runtimes_.stacks().frames(runtime_stack);
    if (named.empty()) return {};
    const std::vector<uint64_t>& ips = process_.stacks[process_.sites[id].stack].ips;
    std::vector<runtime::NativeFrameKind> kinds;
    for (size_t i = 0; i < ips.size(); ++i) kinds.push_back(native_place(ips[i], i != 0).kind);
    FrameStack stack;
    // Outside the outermost Python frame there is nothing but the interpreter and main().
    stack.goes_on = process_.runtime.stacks[runtime_stack].truncated;
    for (const auto& mixed : runtime::mix_frames(kinds, runtimes_.stacks(), runtime_stack)) {
        if (cut_where_full(&stack)) break;
        if (mixed.is_native) {
            const auto& frames = native_place(ips[mixed.index], mixed.index != 0).frames;
            stack.frames.insert(stack.frames.end(), frames.begin(), frames.end());
            continue;
        }
        Frame frame;
        frame.is_runtime = true;
        frame.function = named[mixed.index].function;
        frame.file = named[mixed.index].file;
        frame.line = named[mixed.index].line;
        frame.first_line = runtimes_.stacks().first_line(runtime_stack, mixed.index);
        stack.frames.push_back(frames_->keep(frame));
    }
    return stack;
}

FrameStack SiteResolver::stack(uint32_t id, uint32_t runtime_stack) {
    FrameStack stack = mixed_stack(id, runtime_stack);
    if (!stack.empty()) return stack;
    stack = native_stack(id);
    const auto& python = process_.runtime.stacks;
    if (runtime_stack < python.size()) stack.goes_on = python[runtime_stack].truncated;
    return stack;
}

}  // namespace cowscope::attribute
