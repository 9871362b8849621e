// What tells a code object from another that comes to its address later. Async-signal-safe; callers
// hold the process's lock, and interpreter().layout is not null.
#pragma once

#include <cstdint>

#include "runtime/cpython/interpreter.h"
#include "runtime/cpython/memory.h"

namespace cowscope::cpython {

// From 3.12 on its version tells it: each code object takes the interpreter's next one, until 32
// bits are used up and all have 0 (Objects/codeobject.c, init_code()). Without a version, its texts
// do: CPython hands out blocks again that were just freed, so that the strs and the line table of
// the next object of a kind often come to where the last one's were.
struct CodeIdentity {
    uint64_t name;
    uint64_t line_table;
    uint64_t file;
    uint32_t first_line;
    uint32_t version;  // 0 where there is none
    // Only where there is no version.
    uint64_t name_hash;
    uint64_t file_shape;  // see FileText
    uint64_t file_hash;

    bool operator==(const CodeIdentity&) const = default;
};

// The characters of a file's name, a str whose first words are known to be there.
struct FileText {
    explicit FileText(uint64_t file)
        : shape(load<uint64_t>(file + kStrLength) << 8 |
                (load<uint32_t>(file + kStrState) >> 2 & 0x1f)) {
        const Layout& layout = *interpreter().layout;
        const uint64_t kind = shape & 7;
        const bool is_compact = (shape & 8) != 0;
        const bool is_ascii = (shape & 16) != 0;
        const uint64_t length = (shape >> 8) * kind;
        // The end is what tells files of a folder apart.
        bytes = !is_compact ? 0 : length < kMostBytes ? length : kMostBytes;
        from = file + (is_ascii ? layout.ascii_bytes : layout.compact_bytes) + length - bytes;
    }
    // The texts' memory must be there.
    uint64_t hash() const {
        constexpr uint64_t kOdd = 0x9e3779b97f4a7c15u;
        constexpr uint64_t kWord = sizeof(uint64_t);
        uint64_t hash = bytes;
        for (uint64_t at = 0; at + kWord <= bytes; at += kWord) {
            hash = (hash ^ load<uint64_t>(from + at)) * kOdd;
        }
        for (uint64_t at = bytes & ~(kWord - 1); at < bytes; ++at) {
            hash = (hash ^ load<uint8_t>(from + at)) * kOdd;
        }
        return hash;
    }

    static constexpr uint64_t kMostBytes = 1024;

    // Its length; then the kind of its characters, whether it is compact and whether it is ASCII
    // (bits 2 to 6 of the state in unicodeobject.h, the same in all versions with the GIL).
    uint64_t shape;
    uint64_t from;
    uint64_t bytes;  // at most a page's
};

// Of the code object at `address`. Its memory is known to be there, and where it has no version
// that of its strs.
inline CodeIdentity identify_code(uint64_t address) {
    const Layout& layout = *interpreter().layout;
    CodeIdentity found = {};
    found.name = load<uint64_t>(address + layout.code_name);
    found.line_table = load<uint64_t>(address + layout.code_line_table);
    found.file = load<uint64_t>(address + layout.code_filename);
    found.first_line = load<uint32_t>(address + layout.code_first_line);
    if (layout.code_version != kNone) found.version = load<uint32_t>(address + layout.code_version);
    if (found.version == 0) {
        found.name_hash = load<uint64_t>(found.name + kStrHash);
        const FileText text(found.file);
        found.file_shape = text.shape;
        found.file_hash = text.hash();
    }
    return found;
}

// Asks whether code objects are still those that they were, at one moment.
class SameCode {
  public:
    // Whether the one at `address` is what it was as `known`, and all memory of that is there
    // still. What is there now need be no code object any more: nothing is followed that has
    // changed.
    bool is(const CodeIdentity& known, uint64_t address) {
        const Layout& layout = *interpreter().layout;
        if (load<uint64_t>(address + layout.code_name) != known.name ||
            load<uint64_t>(address + layout.code_line_table) != known.line_table ||
            load<uint64_t>(address + layout.code_filename) != known.file ||
            load<uint32_t>(address + layout.code_first_line) != known.first_line) {
            return false;
        }
        if (layout.code_version != kNone &&
            load<uint32_t>(address + layout.code_version) != known.version) {
            return false;
        }
        return known.version != 0 ||
               (load<uint64_t>(known.name + kStrHash) == known.name_hash && is_file(known));
    }

  private:
    // Most frames of a stack are of few files.
    bool is_file(const CodeIdentity& known) {
        if (known.file != file_) {
            const FileText text(known.file);
            if (text.shape != known.file_shape) return false;
            file_ = known.file;
            file_hash_ = text.hash();
        }
        return file_hash_ == known.file_hash;
    }

    uint64_t file_ = 0;
    uint64_t file_hash_ = 0;
};

}  // namespace cowscope::cpython
