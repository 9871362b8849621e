// A process of our own that reads symbols and debug information, with limits.
//
// ELF and DWARF are read by elfutils, and names are demangled by libstdc++. Neither promises to
// end, or to stay within some memory, on files that wish us ill, and both can crash. So they run in
// a child that has only so much CPU time and memory. What ends it is told, a file that it was asked
// about is read less deeply from then on, a symbol that it was demangling stays as it is; another
// child goes on.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "symbolize/memory_allowance.h"
#include "symbolize/symbol_message.h"
#include "symbolize/symbol_source.h"

namespace cowscope::symbolize {

struct HelperLimits {
    uint64_t cpu_ms = 8000 * kSlowness;         // of all helpers together
    uint64_t cpu_of_one_ms = 4000 * kSlowness;  // of one answer
    uint64_t cpu_of_name_ms = 250;              // of one name that is demangled
    uint64_t memory_bytes = uint64_t{640} << 20;
    uint64_t idle_ms = 3000;  // of one answer that waits for something that is no disk
};

class SymbolHelper {
  public:
    SymbolHelper(std::string debug_path, const HelperLimits& limits);
    ~SymbolHelper();
    SymbolHelper(const SymbolHelper&) = delete;
    SymbolHelper& operator=(const SymbolHelper&) = delete;

    // Empty where there is none to be had.
    std::optional<Location> locate(const std::string& path, uint64_t file_offset);
    std::optional<ModuleLayout> layout(const std::string& path);

    // What was left out so far, and why: a line each.
    [[nodiscard]] const std::vector<std::string>& notes() const { return notes_; }

  private:
    // What the helper is at, in memory that both have.
    struct State;
    struct Death {
        std::string reason;
        bool was_demangling = false;
    };

    template <typename Answer, typename Read>
    std::optional<Answer> ask(Question question, const std::string& path, uint64_t number,
                              const Read& read);
    bool start();
    [[noreturn]] void serve(int socket);
    std::optional<std::string> exchange(const std::string& question);
    bool wait_for_answer();
    Death bury();
    void blame(const std::string& path, const Death& death);
    void note(const std::string& text);

    std::string debug_path_;
    HelperLimits limits_;
    State* state_ = nullptr;
    pid_t pid_ = -1;
    int socket_ = -1;
    bool is_stuck_ = false;
    bool has_given_up_ = false;
    uint64_t used_cpu_ms_ = 0;
    unsigned starts_ = 0;
    std::map<std::string, Depth> depths_;
    std::set<std::string> raw_names_;  // that are not to be demangled
    std::vector<std::string> notes_;
    std::set<std::string> noted_;
};

}  // namespace cowscope::symbolize
