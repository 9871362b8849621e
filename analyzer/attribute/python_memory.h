// What of CPython's lies at an address of one process, from what the shim recorded.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "attribute/cause.h"
#include "trace/process_trace.h"

namespace cowscope::attribute {

class PythonMemory {
  public:
    // Must outlive this object.
    explicit PythonMemory(const trace::ProcessTrace& process);

    struct Place {
        PythonPlace place = PythonPlace::none;
        uint32_t type = 0;  // of the object, as trace::EventPlace::type
    };
    // `type`: of the event's place.
    Place place_of(const trace::EventRecord& event, uint32_t type) const;
    // "" for none.
    std::string name_of(uint32_t type) const {
        return type == 0 ? std::string() : process_.type_names[type - 1];
    }

    // PyType_Type, in the data of the module that holds the interpreter; 0 where there is none.
    uint64_t type_type() const;

  private:
    PythonPlace place_in_object(const std::string& type, int32_t offset) const;
    PythonPlace place_by_address(uint64_t address) const;

    const trace::ProcessTrace& process_;
    std::map<uint64_t, uint64_t> codes_;  // start of the part behind the count, and its end
    std::map<uint64_t, uint64_t> threads_;
    std::map<uint64_t, uint64_t> types_;
};

}  // namespace cowscope::attribute
