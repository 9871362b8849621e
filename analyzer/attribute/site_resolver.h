// What the sites of one process mean: instruction, names, the change of the written word.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "attribute/address_space.h"
#include "attribute/cause.h"
#include "attribute/frame.h"
#include "decode/instruction.h"
#include "runtime/process.h"
#include "trace/process_trace.h"

namespace cowscope::attribute {

struct ResolvedSite {
    std::optional<decode::Instruction> instruction;
    std::optional<int64_t> change;  // see runtime::Write::change
    std::string module;
    std::vector<symbolize::Frame> frames;  // of the instruction, innermost inlined first
    // The inlined function that best says what the instruction does, or "".
    std::string inlined;
    bool has_debug_info = false;
    bool in_dynamic_linker = false;
    std::vector<std::string> callers;  // functions of the nearest native frames, innermost first
    bool is_finalizing = false;        // a runtime is being taken down
};

// What was written, as far as the address tells.
struct WrittenPlace {
    runtime::Target target;
    std::string_view type;  // name of target.type, or ""
    const RegionInfo* region = nullptr;
    bool is_finalizing = false;  // a runtime itself said so
};

class SiteResolver {
  public:
    // All must outlive this object.
    SiteResolver(const trace::ProcessTrace& process, AddressSpace* space, decode::Decoder* decoder,
                 FrameTable* frames);

    const ResolvedSite& resolve(uint32_t site);

    // The cause of a write of this site; empty for a read.
    std::optional<Verdict> verdict(uint32_t site, const WrittenPlace& written);

    // Where the site is, for people.
    WritingCode code(uint32_t site);
    // The innermost line of a runtime's stack; without one, an empty one.
    SourceLine line(uint32_t runtime_stack);

    FrameStack native_stack(uint32_t site);
    // The same with the runtime's frames in place of the interpreter's own. Empty without them.
    FrameStack mixed_stack(uint32_t site, uint32_t runtime_stack);
    // The mixed stack, or where that is empty the native one.
    FrameStack stack(uint32_t site, uint32_t runtime_stack);
    // How many of these were cut to their innermost frame because the table of frames was full.
    uint64_t cut_stacks() const { return cut_stacks_; }

    const runtime::ProcessRuntimes& runtimes() const { return runtimes_; }

  private:
    struct NativePlace {
        std::vector<const Frame*> frames;  // innermost first
        runtime::NativeFrameKind kind;
    };
    // Whether the stack, which has frames already, gets no more.
    bool cut_where_full(FrameStack* stack);
    const NativePlace& native_place(uint64_t ip, bool is_return_address);
    void find_callers(uint32_t site, ResolvedSite* resolved);
    // The runtime that the module holds.
    runtime::Id runtime_of(const std::string& module_path);
    std::optional<int64_t> agreed_change(uint32_t site, const decode::Instruction& instruction);

    const trace::ProcessTrace& process_;
    AddressSpace* space_;
    decode::Decoder* decoder_;
    FrameTable* frames_;
    runtime::ProcessRuntimes runtimes_;
    // Paths of the modules that hold a runtime, once they were needed.
    std::optional<std::map<runtime::Id, std::string>> runtime_paths_;
    std::vector<std::unique_ptr<ResolvedSite>> sites_;
    std::map<std::pair<uint64_t, bool>, NativePlace> native_places_;  // by ip, is_return_address
    uint64_t cut_stacks_ = 0;
};

}  // namespace cowscope::attribute
