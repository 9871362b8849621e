#include "attribute/site_resolver.h"

#include <fmt/format.h>

namespace cowscope::attribute {
namespace {

bool is_dynamic_linker(const std::string& module) {
    return module.starts_with("ld-linux") || module.starts_with("ld.so") ||
           module.starts_with("ld-2.");
}

std::string frame_text(const symbolize::Frame& frame, const std::string& module) {
    const std::string name = frame.function.empty() ? "?" : frame.function;
    if (frame.file.empty()) return fmt::format("{} ({})", name, module);
    return fmt::format("{} ({}:{})", name, file_name(frame.file), frame.line);
}

}  // namespace

SiteResolver::SiteResolver(const trace::ProcessTrace& process, AddressSpace* space,
                           decode::Decoder* decoder)
    : process_(process), space_(space), decoder_(decoder), sites_(process.sites.size()) {}

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
        resolved->has_debug_info = code.location->has_debug_info;
    }
    resolved->in_dynamic_linker = is_dynamic_linker(resolved->module);
    sites_[id] = std::move(resolved);
    return *sites_[id];
}

std::optional<Verdict> SiteResolver::verdict(uint32_t id, const std::string& type,
                                             const RegionInfo& region) {
    const ResolvedSite& site = resolve(id);
    CauseInput input;
    input.instruction = site.instruction ? &*site.instruction : nullptr;
    input.change = site.change;
    input.object_type = type;
    input.region = region.region;
    input.region_name = region.name;
    input.has_debug_info = site.has_debug_info;
    input.in_dynamic_linker = site.in_dynamic_linker;
    for (const symbolize::Frame& frame : site.frames) input.functions.push_back(frame.function);
    return find_cause(input);
}

std::vector<std::string> SiteResolver::stack_text(uint32_t id) {
    std::vector<std::string> text;
    const trace::Stack& stack = process_.stacks[process_.sites[id].stack];
    for (size_t i = 0; i < stack.ips.size(); ++i) {
        const AddressSpace::Code code = space_->code_at(stack.ips[i], i != 0);
        if (code.location == nullptr || code.location->frames.empty()) {
            const std::string module =
                code.module_path.empty() ? "no module" : file_name(code.module_path);
            text.push_back(fmt::format("{:#x} ({})", stack.ips[i], module));
            continue;
        }
        for (const symbolize::Frame& frame : code.location->frames) {
            text.push_back(frame_text(frame, file_name(code.module_path)));
        }
    }
    if (stack.truncated) text.emplace_back("(the stack goes on)");
    return text;
}

}  // namespace cowscope::attribute
