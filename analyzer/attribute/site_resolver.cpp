#include "attribute/site_resolver.h"

#include <algorithm>

#include <fmt/format.h>

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

std::string text_of(const StackFrame& frame) {
    if (frame.is_python) {
        return fmt::format("{} ({}:{})", frame.function, frame.file, frame.line);
    }
    const std::string_view module = frame.module.empty() ? "no module" : file_name(frame.module);
    if (!frame.file.empty()) {
        return fmt::format("{} ({}:{})", frame.function, file_name(frame.file), frame.line);
    }
    if (frame.function.empty()) return fmt::format("{:#x} ({})", frame.address, module);
    return fmt::format("{} ({})", frame.function, module);
}

SiteResolver::SiteResolver(const trace::ProcessTrace& process, AddressSpace* space,
                           decode::Decoder* decoder)
    : process_(process),
      space_(space),
      decoder_(decoder),
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

SiteResolver::NativeFrame SiteResolver::native_frame(uint64_t ip, bool is_return_address) {
    NativeFrame native;
    const AddressSpace::Code code = space_->code_at(ip, is_return_address);
    native.kind.is_interpreter = runtime_of(code.module_path) != runtime::Id::none;
    StackFrame place;
    place.module = code.module_path;
    place.mapping = code.mapping;
    place.address = ip;
    place.is_caller = is_return_address;
    if (code.location == nullptr || code.location->frames.empty()) {
        native.frames.push_back(std::move(place));
        return native;
    }
    for (const symbolize::Frame& frame : code.location->frames) {
        StackFrame& named = native.frames.emplace_back(place);
        named.is_inlined = &frame != &code.location->frames.back();
        named.function = frame.function.empty() ? "?" : frame.function;
        named.file = frame.file;
        named.line = frame.line;
        if (!named.is_inlined) named.symbol = code.location->symbol;
    }
    native.kind.is_loop =
        native.kind.is_interpreter && runtimes_.role_of(code.location->frames.back().function) ==
                                          runtime::FunctionRole::runs_frames;
    return native;
}

std::vector<StackFrame> SiteResolver::stack(uint32_t id, uint32_t python_stack) {
    const trace::Stack& stack = process_.stacks[process_.sites[id].stack];
    std::vector<NativeFrame> native;
    std::vector<runtime::NativeFrameKind> kinds;
    for (size_t i = 0; i < stack.ips.size(); ++i) {
        native.push_back(native_frame(stack.ips[i], i != 0));
        kinds.push_back(native.back().kind);
    }
    std::vector<StackFrame> frames;
    const auto add_native = [&frames](const NativeFrame& each) {
        frames.insert(frames.end(), each.frames.begin(), each.frames.end());
    };
    const std::vector<PythonFrame> python = runtimes_.stacks().frames(python_stack);
    if (python.empty()) {
        for (const NativeFrame& each : native) add_native(each);
        return frames;
    }
    for (const auto& mixed : runtime::mix_frames(kinds, runtimes_.stacks(), python_stack)) {
        if (mixed.is_native) {
            add_native(native[mixed.index]);
            continue;
        }
        StackFrame& frame = frames.emplace_back();
        frame.is_python = true;
        frame.function = python[mixed.index].function;
        frame.file = python[mixed.index].file;
        frame.line = python[mixed.index].line;
        frame.first_line = runtimes_.stacks().first_line(python_stack, mixed.index);
    }
    return frames;
}

bool SiteResolver::is_truncated(uint32_t id, uint32_t python_stack) const {
    const auto& python = process_.python.stacks;
    // Outside the outermost Python frame there is nothing but the interpreter and main().
    if (python_stack < python.size()) return python[python_stack].truncated;
    return process_.stacks[process_.sites[id].stack].truncated;
}

std::vector<std::string> SiteResolver::mixed_stack_text(uint32_t id, uint32_t python_stack) {
    if (runtimes_.stacks().depth(python_stack) == 0) return {};
    std::vector<std::string> text;
    for (const StackFrame& frame : stack(id, python_stack)) text.push_back(text_of(frame));
    return text;
}

std::vector<std::string> SiteResolver::stack_text(uint32_t id) {
    std::vector<std::string> text;
    for (const StackFrame& frame : stack(id, trace::kNoPythonStack)) text.push_back(text_of(frame));
    if (is_truncated(id, trace::kNoPythonStack)) text.emplace_back("(the stack goes on)");
    return text;
}

}  // namespace cowscope::attribute
