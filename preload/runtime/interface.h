// One interface for language runtimes as the shim sees them from inside the process. A member is a
// folder of its own, in which one constant of type Runtime is defined, and a line in the table
// (runtime/find.cpp). Whoever asks does so by runtime/active.h.
//
// Of the functions of a member find() may take a lock of the loader's for a moment and call the
// runtime: it is for the start, for before a fork and for behind a dlclose(). All others are
// async-signal-safe, and called with the session's lock held: the rules of witness/handler.h hold,
// and what a member reads or calls beyond them it says in its member.h. All memory comes from the
// arena that they are given, and where it is full or the trace is, what is missing is left out.
#pragma once

#include <cstddef>
#include <cstdint>

#include "format/runtime_format.h"
#include "support/arena.h"
#include "support/own_memory.h"
#include "support/record_sink.h"

namespace cowscope::runtime {

// Whether a thread is in the middle of the runtime's own code, by its native stack. One that is
// could not go on without that code and its data; for others they may be gone, where the module's
// file was truncated.
enum class InCode : uint8_t { yes, no, unknown };

// What is known of the memory that is read at an event.
struct Memory {
    // Another number than the last time where memory may have gone since, or be unreadable: what
    // was remembered of the program's memory is to be forgotten. Never 0.
    uint64_t version;
    AddressRange stack;  // of this thread's, what can be read as a whole; or nothing
    InCode in_code;
};

struct Write {
    uint64_t address;
    uint64_t words[2];  // what was read there
    // What can be read from here up to the address can be as long as it is looked at.
    uint64_t safe_from;
    uint32_t site;
    Memory memory;
    uint64_t registers[trace::kRegisterCount];
};

struct Wanted {
    uint32_t frames;  // at most
    bool values;      // what objects hold, as text
};

// What a runtime says of a write, as an EventRecord has it.
struct Observation {
    uint32_t stack = trace::kNoRuntimeStack;
    uint64_t type = 0;          // of the object that the address belongs to; 0: none that is known
    int32_t object_offset = 0;  // of the address, from the object's start
    uint16_t flags = 0;         // of the event: what kind of the runtime's memory it is
};

// A frame as it is told where there is no trace to write to.
struct CountedFrame {
    uint64_t code;               // address of the code object
    uint64_t code_key;           // a hash that tells it from others, also from later ones there
    int32_t instruction_offset;  // as in the frames of a trace's stack
};

// What a code object needs to be written down.
struct CodeText {
    size_t record_bytes;  // without its header's rounding
    uint64_t key;         // the same for functions that would be written down alike
};

struct Runtime;

// A runtime in the process, as far as it is known without asking it.
struct Presence {
    const Runtime* runtime = nullptr;  // nullptr: none
    AddressRange code = {};            // of the module that its code is in
    uint32_t version = 0;              // as the runtime itself numbers its versions
    // Whether stacks and code objects can be read: not where the version is unknown, say. The types
    // of objects may be told all the same.
    bool has_frames = false;
};

// One that was just found.
struct Found {
    static constexpr size_t kDetailBytes = 256;

    Presence presence;
    alignas(8) unsigned char details[kDetailBytes] = {};  // of the member's own, for its set()
};

struct Runtime {
    // In the process: whether it is among the loaded modules. Fills in `found` but for
    // Presence::runtime.
    bool (*find)(Found* found);
    // It counts from here on; with nullptr it is about to be unloaded, and nothing of it may be
    // called or read any more.
    void (*set)(const Found* found);

    // In an epoch: what is remembered of it there. nullptr where the arena is full.
    void* (*create)(Arena& arena);
    // The frames of this thread, and the object at the address with its type and a value. Writes
    // the records that events refer to.
    Observation (*observe)(void* state, Arena& arena, const RecordSink& sink, const Write& write,
                           const Wanted& wanted);
    // The frames alone, without a trace: fills `frames` with the innermost ones, at most `limit`.
    // Returns how many.
    uint32_t (*count_frames)(void* state, const Memory& memory, CountedFrame* frames,
                             uint32_t limit);
    // Reads the code object of such a frame, whose tables of lines are cut to `most_line_bytes`.
    // False where it cannot be read.
    bool (*read_code)(void* state, uint64_t code, uint64_t most_line_bytes, CodeText* text);
    // Writes the record of the one that was read last, but for the bytes in its header and its id.
    // False where it cannot be read any more.
    bool (*write_code)(const void* state, trace::RuntimeCodeRecord* record);
    // Modules are gone, and what was remembered of their memory (memory that is gone otherwise
    // shows in Memory::version).
    void (*forget_modules)(void* state);
};

}  // namespace cowscope::runtime
