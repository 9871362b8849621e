// CPython 3.6 to 3.14, as a member of the table.
#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "runtime/cpython/heap_interpreter.h"
#include "runtime/cpython/line_table.h"
#include "runtime/cpython/native_names.h"
#include "runtime/cpython/remedies.h"
#include "runtime/cpython/value_text.h"
#include "runtime/cpython/walk.h"
#include "runtime/cpython/write_rules.h"
#include "runtime/cpython/written_memory.h"
#include "runtime/runtime.h"

namespace cowscope::runtime {
namespace {

class CPythonView final : public ProcessView {
  public:
    explicit CPythonView(const trace::ProcessTrace& process)
        : process_(process), memory_(process), lines_(process.runtime.codes.size()) {}

    Target target_of(const trace::EventRecord& event, uint32_t type,
                     std::string_view /*module*/) const override {
        return memory_.target_of(event, type);
    }
    std::string type_name(uint32_t type) const override { return memory_.name_of(type); }
    std::vector<std::string> examples_of(uint32_t site, uint64_t type) const override {
        return cpython::examples_of(process_, site, type);
    }
    bool is_ending(const trace::EventRecord& event) const override {
        return (event.header.flags & trace::kRuntimeFinalizing) != 0;
    }
    bool has_interpreter() const override { return process_.runtime.interpreter.has_value(); }
    uint64_t address_in_module() const override { return memory_.type_type(); }

    std::optional<unsigned> line_of(uint32_t code, int32_t instruction_offset) override {
        if (!lines_[code]) {
            const auto& interpreter = process_.runtime.interpreter;
            lines_[code].emplace(process_.runtime.codes[code],
                                 interpreter ? interpreter->version : 0);
        }
        return lines_[code]->find(instruction_offset);
    }

  private:
    const trace::ProcessTrace& process_;
    cpython::WrittenMemory memory_;
    std::vector<std::optional<cpython::LineTable>> lines_;  // by code
};

class CPythonHeap final : public Heap {
  public:
    CPythonHeap(cpython::Interpreter interpreter, Memory* memory)
        : interpreter_(std::move(interpreter)), memory_(memory) {}
    int version() const override { return interpreter_.layout->minor(); }
    WalkResult walk(const WalkLimits& limits) override {
        return cpython::walk_owners(interpreter_, memory_, limits);
    }

  private:
    cpython::Interpreter interpreter_;
    Memory* memory_;
};

class CPython final : public Runtime {
  public:
    Id id() const override { return Id::cpython; }
    std::unique_ptr<ProcessView> view_of(const trace::ProcessTrace& process) const override {
        return std::make_unique<CPythonView>(process);
    }
    uint32_t version_in(const trace::ProcessTrace& process) const override {
        return process.runtime.interpreter ? process.runtime.interpreter->version : 0;
    }
    std::optional<Verdict> find_count(const Write& write) const override {
        return cpython::find_count(write);
    }
    std::optional<Verdict> find_in_memory(const Write& write) const override {
        return cpython::find_in_memory(write);
    }
    std::optional<Verdict> find_in_data(const Write& write) const override {
        return cpython::find_in_data(write);
    }
    FunctionRole role_of(std::string_view function) const override {
        return cpython::role_of(function);
    }
    std::optional<unsigned> line_of(const trace::RuntimeCode& code, uint32_t version,
                                    int32_t instruction_offset) const override {
        return cpython::line_of(code, version, instruction_offset);
    }
    bool may_run_in(const trace::Mappings& mappings) const override {
        return std::ranges::any_of(mappings.all(), [](const trace::Mapping& mapping) {
            return mapping.path.find("/libpython") != std::string::npos ||
                   mapping.path.find("/python3") != std::string::npos;
        });
    }
    HeapSearch find_heap(const trace::Mappings& mappings, const OpenMapped& open_mapped,
                         Memory* memory, const std::function<bool()>& must_stop) const override {
        auto search = cpython::find_interpreter(mappings, open_mapped, memory, must_stop);
        if (!search.found) return {nullptr, std::move(search.reason)};
        return {std::make_unique<CPythonHeap>(std::move(*search.found), memory), ""};
    }
    void advise(const AdviceInput& input, Advisor* advisor) const override {
        cpython::advise(input, advisor);
    }
};

}  // namespace

const Runtime& cpython_runtime() {
    static const CPython member;
    return member;
}

}  // namespace cowscope::runtime
