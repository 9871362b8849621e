// What the sites of one process mean: instruction, names, the change of the written word.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "attribute/address_space.h"
#include "attribute/cause.h"
#include "attribute/report_model.h"
#include "decode/instruction.h"
#include "trace/process_trace.h"

namespace cowscope::attribute {

struct ResolvedSite {
    std::optional<decode::Instruction> instruction;
    std::optional<int64_t> change;  // see CauseInput::change
    std::string module;
    std::vector<symbolize::Frame> frames;  // of the instruction, innermost inlined first
    bool has_debug_info = false;
    bool in_dynamic_linker = false;
};

class SiteResolver {
  public:
    // All must outlive this object.
    SiteResolver(const trace::ProcessTrace& process, AddressSpace* space, decode::Decoder* decoder);

    const ResolvedSite& resolve(uint32_t site);

    // The cause of a write of this site; empty for a read. `type`: name of the object's type or "".
    std::optional<Verdict> verdict(uint32_t site, const std::string& type,
                                   const RegionInfo& region);

    // Names of the site's stack for people, innermost first.
    std::vector<std::string> stack_text(uint32_t site);

  private:
    std::optional<int64_t> agreed_change(uint32_t site, const decode::Instruction& instruction);

    const trace::ProcessTrace& process_;
    AddressSpace* space_;
    decode::Decoder* decoder_;
    std::vector<std::unique_ptr<ResolvedSite>> sites_;
};

}  // namespace cowscope::attribute
