// What lies where in one process: turns addresses into regions and instructions into names.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <unordered_set>
#include <utility>

#include "runtime/write.h"
#include "symbolize/symbolizer.h"
#include "trace/mapping_index.h"
#include "trace/process_trace.h"

namespace cowscope::attribute {

struct RegionInfo {
    runtime::Region region = runtime::Region::unknown;
    std::string name;  // the module, for a module's data; the file, for a file
    std::string path;  // of the module, for a module's data
};

class AddressSpace {
  public:
    // Both must outlive this object.
    AddressSpace(const trace::ProcessTrace& process, symbolize::Symbolizer* symbolizer);

    // An index into regions(); fast for addresses near the last one.
    uint32_t region_of(uint64_t address);
    const RegionInfo& region(uint32_t index) const { return regions_[index]; }

    // Who executes at `ip`. `is_return_address`: the call before it is meant.
    struct Code {
        std::string module_path;                        // "" where no file is mapped
        const symbolize::Location* location = nullptr;  // nullptr where no file is mapped
        const trace::Mapping* mapping = nullptr;        // nullptr where nothing is mapped
    };
    Code code_at(uint64_t ip, bool is_return_address);

    // The file that is mapped there, or, for zero-initialized data, before it; "" where none is.
    std::string module_path_at(uint64_t address);

  private:
    const trace::Mapping* find(uint64_t address) const { return index_.find(address).mapping; }
    uint32_t add_region(const trace::Mapping& mapping, uint64_t address);
    RegionInfo classify(const trace::Mapping& mapping, uint64_t address) const;
    RegionInfo module_data(const trace::Mapping& file, uint64_t address) const;

    const trace::ProcessTrace& process_;
    trace::MappingIndex index_;
    symbolize::Symbolizer* symbolizer_;
    std::unordered_set<uint64_t> stack_mappings_;  // start addresses
    // The first one: unknown. A deque, because who holds one may ask for another.
    std::deque<RegionInfo> regions_;
    std::map<std::pair<runtime::Region, std::string>, uint32_t> region_ids_;  // into regions_
    struct Span {
        uint64_t end;
        uint32_t region;
    };
    std::map<uint64_t, Span> spans_;  // those classified so far, by start; disjoint
};

}  // namespace cowscope::attribute
