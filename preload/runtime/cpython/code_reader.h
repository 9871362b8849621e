// Reads code objects of this process's interpreter, for what is written down of them.
#pragma once

#include <cstddef>
#include <cstdint>

#include "format/runtime_format.h"
#include "runtime/cpython/code_identity.h"
#include "runtime/cpython/str_text.h"

namespace cowscope::cpython {

// Async-signal-safe; callers hold the process's lock, and interpreter().layout is not null. Large:
// for an arena.
class CodeReader {
  public:
    // The bytes of the record that the code object at `address` needs, without its header's
    // rounding; 0 where it cannot be read. Longer line tables are cut.
    size_t read(uint64_t address, uint64_t most_line_table_bytes);

    // Of what was read last: the same for functions of one name in one place of a file, whose
    // tables are of one length.
    uint64_t text_key() const;

    // Writes the record of the object that was read last, but for the bytes in its header and its
    // id. False where its line table cannot be read any more.
    bool fill(trace::RuntimeCodeRecord* record) const;

  private:
    // The longest path there is, and one of the names around it.
    static constexpr size_t kMaxFileBytes = 4 * 1024;
    static constexpr size_t kMaxNameBytes = 512;

    uint64_t address_ = 0;
    CodeIdentity identity_ = {};
    uint64_t line_table_bytes_ = 0;
    uint64_t instruction_units_ = 0;
    bool truncated_ = false;
    StrText name_text_;
    StrText file_text_;
    char file_[kMaxFileBytes];
    char name_[kMaxNameBytes];
};

}  // namespace cowscope::cpython
