// A language runtime, or an allocator, as it is seen from outside: what its writes mean, what its
// objects are called, what would stop the copies.
//
// A member of the table (members.h) is a Runtime without state, and a ProcessView for each process
// of which it needs to know something. What a member has nothing to say about it leaves as it is
// here. Nothing throws; a damaged trace may say anything.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/advisor.h"
#include "runtime/heap/heap.h"
#include "runtime/members.h"
#include "runtime/verdict.h"
#include "runtime/write.h"
#include "trace/process_trace.h"

namespace cowscope::runtime {

// What a native function is to a runtime.
enum class FunctionRole : uint8_t {
    other,
    runs_frames,  // the loop that runs the language's functions
    takes_down,   // the end of the runtime, at the process's exit
};

// What a member knows of one process. Keeps the process's trace.
class ProcessView {
  public:
    virtual ~ProcessView() = default;

    // What lies where the event was written. `type`: of its trace::EventPlace. `module`: file name
    // of the writing instruction's. Called for every event.
    virtual Target target_of(const trace::EventRecord& event, uint32_t type,
                             std::string_view module) const = 0;
    // Of an object's type in a target; "" for 0.
    virtual std::string type_name(uint32_t /*type*/) const { return {}; }
    // Different values of objects of that type (an address) that the site wrote to, for people.
    virtual std::vector<std::string> examples_of(uint32_t /*site*/, uint64_t /*type*/) const {
        return {};
    }
    // Whether the runtime itself said that it was being taken down at that moment.
    virtual bool is_ending(const trace::EventRecord& /*event*/) const { return false; }
    // Whether an interpreter was found, so that native stacks have frames of it.
    virtual bool has_interpreter() const { return false; }
    // An address in the data of the module that holds the runtime; 0 where that is not known.
    virtual uint64_t address_in_module() const { return 0; }
    // The line of a frame of the runtime's (trace::RuntimeFrame); empty where it has none.
    virtual std::optional<unsigned> line_of(uint32_t /*code*/, int32_t /*instruction_offset*/) {
        return std::nullopt;
    }
};

class Runtime {
  public:
    virtual ~Runtime() = default;

    virtual Id id() const = 0;

    // nullptr where it has nothing to say of that process.
    virtual std::unique_ptr<ProcessView> view_of(const trace::ProcessTrace& /*process*/) const {
        return nullptr;
    }
    // What runs there, as the runtime numbers its versions; 0 where it does not, or is not known.
    virtual uint32_t version_in(const trace::ProcessTrace& /*process*/) const { return 0; }

    // Rules, asked in this order. Each is empty where the write is none of the runtime's.
    //
    // It is a reference count. Asked even where the address is on a stack.
    virtual std::optional<Verdict> find_count(const Write& /*write*/) const { return {}; }
    // It is of memory that the runtime keeps or gives out.
    virtual std::optional<Verdict> find_in_memory(const Write& /*write*/) const { return {}; }
    // It is of the data of the module that holds the runtime, or of another's.
    virtual std::optional<Verdict> find_in_data(const Write& /*write*/) const { return {}; }

    // `function`: as DWARF or a demangled symbol names it.
    virtual FunctionRole role_of(std::string_view /*function*/) const {
        return FunctionRole::other;
    }
    // Whether a step by one in that function is one of a reference count, beyond the names that say
    // so in any program (function_names.h).
    virtual bool names_reference_count(std::string_view /*function*/) const { return false; }

    // The line of one of its code objects, where no ProcessView has it. `version`: as version_in().
    virtual std::optional<unsigned> line_of(const trace::RuntimeCode& /*code*/,
                                            uint32_t /*version*/,
                                            int32_t /*instruction_offset*/) const {
        return std::nullopt;
    }

    // Whether a process with such mappings runs it, by the names of its files.
    virtual bool may_run_in(const trace::Mappings& /*mappings*/) const { return false; }
    // Its heap in a process that runs. `memory` must outlive what is found. `must_stop` is asked
    // now and then; true ends the search.
    virtual HeapSearch find_heap(const trace::Mappings& /*mappings*/,
                                 const OpenMapped& /*open_mapped*/, Memory* /*memory*/,
                                 const std::function<bool()>& /*must_stop*/) const {
        return {};
    }

    // Remedies against what is this runtime's.
    virtual void advise(const AdviceInput& /*input*/, Advisor* /*advisor*/) const {}
};

}  // namespace cowscope::runtime
