// What the sites of one process mean: instruction, names, the change of the written word.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "attribute/address_space.h"
#include "attribute/cause.h"
#include "attribute/report_model.h"
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

// Python's or native.
struct StackFrame {
    bool is_python = false;
    bool is_inlined = false;  // its code lies in that of the next frame
    std::string function;     // "" where there is no symbol
    std::string file;         // "" where it is not known
    unsigned line = 0;
    int32_t first_line = 0;  // of a Python function
    // Of native code.
    std::string symbol;                       // not demangled, or ""
    std::string module;                       // path of the file, or ""
    const trace::Mapping* mapping = nullptr;  // that holds it; lives as long as the process's trace
    uint64_t address = 0;                     // of the instruction; for a caller, behind its call
    bool is_caller = false;
};

// "function (file:line)".
std::string text_of(const StackFrame& frame);

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
    SiteResolver(const trace::ProcessTrace& process, AddressSpace* space, decode::Decoder* decoder);

    const ResolvedSite& resolve(uint32_t site);

    // The cause of a write of this site; empty for a read.
    std::optional<Verdict> verdict(uint32_t site, const WrittenPlace& written);

    // The site's stack, innermost first, with Python frames in place of the interpreter's own.
    // Without a Python stack, the native one.
    std::vector<StackFrame> stack(uint32_t site, uint32_t python_stack);
    // Whether that stack goes on beyond its outermost frame.
    bool is_truncated(uint32_t site, uint32_t python_stack) const;

    // Names of the site's native stack for people, innermost first.
    std::vector<std::string> stack_text(uint32_t site);

    // The same with Python frames in place of the interpreter's own. Empty without a Python stack.
    std::vector<std::string> mixed_stack_text(uint32_t site, uint32_t python_stack);

    const runtime::ProcessRuntimes& runtimes() const { return runtimes_; }

  private:
    struct NativeFrame {
        std::vector<StackFrame> frames;  // inlined ones first
        runtime::NativeFrameKind kind;
    };
    NativeFrame native_frame(uint64_t ip, bool is_return_address);
    void find_callers(uint32_t site, ResolvedSite* resolved);
    // The runtime that the module holds.
    runtime::Id runtime_of(const std::string& module_path);
    std::optional<int64_t> agreed_change(uint32_t site, const decode::Instruction& instruction);

    const trace::ProcessTrace& process_;
    AddressSpace* space_;
    decode::Decoder* decoder_;
    runtime::ProcessRuntimes runtimes_;
    // Paths of the modules that hold a runtime, once they were needed.
    std::optional<std::map<runtime::Id, std::string>> runtime_paths_;
    std::vector<std::unique_ptr<ResolvedSite>> sites_;
};

}  // namespace cowscope::attribute
