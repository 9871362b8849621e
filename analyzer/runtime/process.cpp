#include "runtime/process.h"

#include <algorithm>

namespace cowscope::runtime {

std::vector<ProcessRuntimes::View> ProcessRuntimes::views_of(const trace::ProcessTrace& process,
                                                             Members members) {
    std::vector<View> views;
    for (const Runtime* member : members) {
        if (auto view = member->view_of(process)) views.push_back({member, std::move(view)});
    }
    return views;
}

ProcessRuntimes::ProcessRuntimes(const trace::ProcessTrace& process, Members members)
    : views_(views_of(process, members)),
      stacks_(process, [this](uint32_t code, int32_t offset) { return line_of(code, offset); }) {
    for (const View& each : views_) {
        if (const uint64_t address = each.view->address_in_module(); address != 0) {
            modules_.emplace(each.runtime->id(), address);
        }
    }
}

std::optional<unsigned> ProcessRuntimes::line_of(uint32_t code, int32_t offset) const {
    for (const View& each : views_) {
        if (const auto line = each.view->line_of(code, offset)) return line;
    }
    return std::nullopt;
}

Target ProcessRuntimes::target_of(const trace::EventRecord& event, uint32_t type,
                                  std::string_view module) const {
    for (const View& each : views_) {
        Target target = each.view->target_of(event, type, module);
        if (target.kind == 0) continue;
        target.runtime = each.runtime->id();
        return target;
    }
    return {};
}

std::string ProcessRuntimes::type_name(const Target& target) const {
    const auto found = std::ranges::find_if(
        views_, [&](const View& each) { return each.runtime->id() == target.runtime; });
    return found == views_.end() ? std::string() : found->view->type_name(target.type);
}

std::vector<std::string> ProcessRuntimes::examples_of(uint32_t site, uint64_t type) const {
    for (const View& each : views_) {
        auto examples = each.view->examples_of(site, type);
        if (!examples.empty()) return examples;
    }
    return {};
}

bool ProcessRuntimes::is_ending(const trace::EventRecord& event) const {
    return std::ranges::any_of(views_,
                               [&](const View& each) { return each.view->is_ending(event); });
}

bool ProcessRuntimes::has_interpreter() const {
    return std::ranges::any_of(views_,
                               [](const View& each) { return each.view->has_interpreter(); });
}

FunctionRole ProcessRuntimes::role_of(std::string_view function) const {
    for (const View& each : views_) {
        if (!each.view->has_interpreter()) continue;
        const FunctionRole role = each.runtime->role_of(function);
        if (role != FunctionRole::other) return role;
    }
    return FunctionRole::other;
}

}  // namespace cowscope::runtime
