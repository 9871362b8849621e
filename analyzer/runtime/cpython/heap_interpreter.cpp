#include "runtime/cpython/heap_interpreter.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <set>
#include <string_view>

#include <fmt/format.h>

#include "arch/code_patterns.h"
#include "runtime/cpython/dict.h"
#include "runtime/cpython/elf_symbols.h"
#include "runtime/cpython/heap_types.h"

namespace cowscope::cpython {

namespace {

constexpr char kRuntime[] = "_PyRuntime";                        // 3.7+
constexpr char kVersion[] = "Py_Version";                        // 3.11+, PY_VERSION_HEX
constexpr char kFirstInterpreter[] = "PyInterpreterState_Head";  // a function

// "libpython3.9.so.1.0", "python3.6m" -> 9, 6. A 't' behind it is the free-threaded build.
struct NamedVersion {
    int minor = -1;
    bool is_free_threaded = false;
};
NamedVersion version_in_name(const std::string& path) {
    NamedVersion version;
    std::string_view name = std::string_view(path).substr(path.rfind('/') + 1);
    constexpr std::string_view kPython3 = "python3.";
    const size_t at = name.find(kPython3);
    if (at == std::string_view::npos) return version;
    name.remove_prefix(at + kPython3.size());
    int minor = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), minor);
    if (error != std::errc()) return version;
    version.minor = minor;
    version.is_free_threaded = end != name.data() + name.size() && *end == 't';
    return version;
}

// PyInterpreterState_Head() of 3.6 returns a static variable that no symbol of a stripped file
// names.
uint64_t variable_returned_by(uint64_t function, Memory* memory) {
    arch::ReturnCode code{};
    const std::byte* read = memory->read(function, code.size());
    if (read == nullptr) return 0;
    std::memcpy(code.data(), read, code.size());
    return arch::variable_returned_by(code, function).value_or(0);
}

class Search {
  public:
    Search(const trace::Mappings& mappings, const OpenMapped& open_mapped, Memory* memory,
           const std::function<bool()>& must_stop)
        : mappings_(mappings), open_mapped_(open_mapped), memory_(*memory), must_stop_(must_stop) {}

    InterpreterSearch run() {
        for (const trace::Mapping& mapping : candidates()) {
            if ((must_stop_ && must_stop_()) || try_file(mapping)) break;
        }
        return std::move(result_);
    }

  private:
    // First mappings of files that may hold the interpreter: those named like it, and the program.
    std::vector<trace::Mapping> candidates() const {
        std::vector<trace::Mapping> files;
        std::set<std::string> seen;
        for (const trace::Mapping& mapping : mappings_.all()) {
            if (!mapping.is_file() || mapping.file_offset != 0) continue;
            if (!seen.insert(mapping.path).second) continue;
            const std::string name = mapping.path.substr(mapping.path.rfind('/') + 1);
            const bool is_named = name.rfind("libpython", 0) == 0 || name.rfind("python", 0) == 0;
            // The kernel lists the program's own file before the libraries in most processes.
            if (is_named || seen.size() == 1) files.push_back(mapping);
        }
        return files;
    }

    bool try_file(const trace::Mapping& mapping) {
        const int file = open_mapped_(mapping);
        if (file < 0) return false;
        const auto symbols =
            find_symbols(file, {kRuntime, kVersion, kFirstInterpreter}, must_stop_);
        close(file);
        if (!symbols || symbols->vaddrs.empty()) return false;
        const uint64_t bias = mapping.start - symbols->first_vaddr;
        const auto address_of = [&](const char* name) {
            const auto at = symbols->vaddrs.find(name);
            return at == symbols->vaddrs.end() ? 0 : at->second + bias;
        };
        memory_.set_image(mapping.start, symbols->end_vaddr + bias);
        const NamedVersion named = version_in_name(mapping.path);
        int minor = named.minor;
        if (const uint64_t at = address_of(kVersion)) {
            const uint32_t hex = memory_.value<uint32_t>(at).value_or(0);
            if (hex >> 24 != 3) return refuse("a Python whose version cannot be read");
            minor = static_cast<int>(hex >> 16 & 0xff);
        }
        if (named.is_free_threaded) return refuse("a free-threaded Python");
        const HeapLayout* layout = layout_of(minor);
        if (layout == nullptr) {
            return refuse(minor < 0 ? "a Python whose version is not known"
                                    : fmt::format("Python 3.{}", minor));
        }
        return try_layout(*layout, address_of(kRuntime), address_of(kFirstInterpreter),
                          mapping.path);
    }

    bool try_layout(const HeapLayout& layout, uint64_t runtime, uint64_t first_function,
                    const std::string& path) {
        uint64_t interpreter_at = 0;
        uint64_t modules_at = layout.modules;
        if (layout.main_interpreter == kNone) {
            interpreter_at = variable_returned_by(first_function, &memory_);
        } else if (runtime != 0) {
            interpreter_at = runtime + layout.main_interpreter;
        }
        for (const DebugOffsets& stated : kDebugOffsets) {
            if (stated.version == layout.version &&
                !read_debug_offsets(layout, stated, runtime, &interpreter_at, &modules_at)) {
                return true;
            }
        }
        const uint64_t interpreter = memory_.word(interpreter_at);
        // An interpreter that is not initialized (yet), or a shared library that nobody uses.
        if (interpreter == 0) return false;
        const uint64_t modules = memory_.word(interpreter + modules_at);
        // Not set up yet, or taken down already.
        if (modules == 0) return false;
        if (!is_sys_modules(layout, modules)) {
            if (is_taken_down(layout, modules)) return true;
            return refuse(fmt::format("Python 3.{} laid out in an unknown way", layout.minor()));
        }
        result_.reason.clear();
        result_.found = Interpreter{&layout, interpreter, modules, path};
        return true;
    }

    bool read_debug_offsets(const HeapLayout& layout, const DebugOffsets& stated, uint64_t runtime,
                            uint64_t* interpreter_at, uint64_t* modules_at) {
        const std::byte* read = memory_.read(runtime, (stated.modules + 1) * kWordBytes);
        if (read == nullptr || std::memcmp(read, kDebugCookie, sizeof(kDebugCookie) - 1) != 0) {
            refuse(fmt::format("Python 3.{} without debug offsets", layout.minor()));
            return false;
        }
        const auto field = [&](uint64_t index) {
            uint64_t value = 0;
            std::memcpy(&value, read + index * kWordBytes, sizeof(value));
            return value;
        };
        if (field(kDebugFreeThreadedWord) != 0) {
            refuse("a free-threaded Python");
            return false;
        }
        // interpreters.main stands behind interpreters.head. Include/internal/pycore_interp*.h
        *interpreter_at = runtime + field(kDebugInterpretersHeadWord) + kWordBytes;
        *modules_at = field(stated.modules);
        return true;
    }

    bool is_sys_modules(const HeapLayout& layout, uint64_t modules) {
        Types types(layout, &memory_);
        const TypeInfo* type = types.type_of(modules);
        if (type == nullptr || type->kind != Kind::dict) return false;
        bool has_sys = false;
        bool has_builtins = false;
        constexpr uint64_t kMostModules = 200'000;
        for_each_entry(layout, &memory_, modules, kMostModules, [&](const DictEntry& entry) {
            if (has_sys && has_builtins) return false;
            const std::string name = types.text(entry.key, 16);
            if (name != "sys" && name != "builtins") return true;
            const TypeInfo* kind = types.type_of(entry.value);
            if (kind == nullptr || kind->kind != Kind::module) return true;
            (name == "sys" ? has_sys : has_builtins) = true;
            return true;
        });
        return has_sys && has_builtins;
    }

    // At its end the interpreter sets each module of sys.modules to None, and then clears the dict.
    // Python/import.c, finalize_remove_modules() (Python/pylifecycle.c and import.c before 3.12).
    bool is_taken_down(const HeapLayout& layout, uint64_t modules) {
        Types types(layout, &memory_);
        const TypeInfo* type = types.type_of(modules);
        if (type == nullptr || type->kind != Kind::dict) return false;
        if (memory_.word(modules + kDictUsed) == 0) return true;
        bool has_none = false;
        constexpr uint64_t kMostModules = 200'000;
        for_each_entry(layout, &memory_, modules, kMostModules, [&](const DictEntry& entry) {
            const TypeInfo* kind = types.type_of(entry.value);
            const std::string name = kind == nullptr ? "" : types.text(entry.key, 16);
            has_none = (name == "sys" || name == "builtins") && kind->name == "NoneType";
            return !has_none;
        });
        return has_none;
    }

    // True: the search ends here.
    bool refuse(const std::string& what) {
        result_.reason = what;
        return true;
    }

    const trace::Mappings& mappings_;
    const OpenMapped& open_mapped_;
    Memory& memory_;
    const std::function<bool()>& must_stop_;
    InterpreterSearch result_;
};

}  // namespace

InterpreterSearch find_interpreter(const trace::Mappings& mappings, const OpenMapped& open_mapped,
                                   Memory* memory, const std::function<bool()>& must_stop) {
    return Search(mappings, open_mapped, memory, must_stop).run();
}

}  // namespace cowscope::cpython
