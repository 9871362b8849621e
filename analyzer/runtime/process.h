// What the members of the table know of one process, together.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/frames.h"
#include "runtime/table.h"
#include "trace/process_trace.h"

namespace cowscope::runtime {

class ProcessRuntimes {
  public:
    // Keeps the process's trace.
    explicit ProcessRuntimes(const trace::ProcessTrace& process, Members members = all_members());
    ProcessRuntimes(const ProcessRuntimes&) = delete;
    ProcessRuntimes& operator=(const ProcessRuntimes&) = delete;

    // What lies where the event was written, by the first member that knows; see ProcessView.
    Target target_of(const trace::EventRecord& event, uint32_t type, std::string_view module) const;
    // "" where the target is no object of a known type.
    std::string type_name(const Target& target) const;
    // Of the runtime that knows types; none for type 0.
    std::vector<std::string> examples_of(uint32_t site, uint64_t type) const;
    bool is_ending(const trace::EventRecord& event) const;

    bool has_interpreter() const;
    // By the interpreters that there are.
    FunctionRole role_of(std::string_view function) const;
    // An address in each module that holds a runtime.
    const std::map<Id, uint64_t>& modules() const { return modules_; }

    const Stacks& stacks() const { return stacks_; }

  private:
    struct View {
        const Runtime* runtime;
        std::unique_ptr<ProcessView> view;
    };
    static std::vector<View> views_of(const trace::ProcessTrace& process, Members members);
    std::optional<unsigned> line_of(uint32_t code, int32_t offset) const;

    std::vector<View> views_;
    std::map<Id, uint64_t> modules_;
    Stacks stacks_;
};

}  // namespace cowscope::runtime
