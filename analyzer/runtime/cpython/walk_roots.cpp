// Where a walk starts: modules, then the variables of functions.
#include <string_view>

#include "runtime/cpython/walker.h"

namespace cowscope::cpython {

void Walker::add_modules() {
    struct Module {
        uint64_t object;
        const TypeInfo* type;
        PathId path;
    };
    std::vector<Module> modules;
    const PathId sys_modules = labels().root("sys.modules");
    if (const TypeInfo* type = types_.type_of(interpreter_.modules)) {
        mark(interpreter_.modules, *type, label(sys_modules, Part::itself));
    }
    const DictShape shape = shape_of_dict(layout_, &memory_, interpreter_.modules);
    mark_block(shape.keys, label(sys_modules, Part::dict_table));
    constexpr uint64_t kMostModules = 200'000;
    constexpr size_t kLongestModule = 100;
    for_each_entry(shape, &memory_, kMostModules, [&](const DictEntry& entry) {
        const TypeInfo* type = types_.type_of(entry.value);
        if (type == nullptr || result_.map.at(entry.value) != 0) return true;
        const std::string name = types_.text(entry.key, kLongestModule);
        if (name.empty() || (type->kind != Kind::module && type->kind != Kind::instance)) {
            return true;
        }
        const PathId path = labels().root(name);
        visit(entry.key, label(sys_modules, Part::dict_keys), [&] { return sys_modules; });
        // Each is known by its own name, whoever else imported it.
        mark(entry.value, *type, label(path, Part::module_variables));
        if (type->kind == Kind::module) mark_namespace(entry.value, path);
        modules.push_back({entry.value, type, path});
        return true;
    });
    // The program's own data is what matters, and the process may end at any time.
    for (const Module& module : modules) {
        const Item item{module.object, module.type, module.path, Labels::kNone};
        if (labels().text(module.path) == "__main__") {
            queue_.push_front(item);
        } else {
            (is_library(module.object, *module.type) ? libraries_ : queue_).push_back(item);
        }
    }
}

uint64_t Walker::content_of(uint64_t value) {
    constexpr uint64_t kCellContent = 16;
    const TypeInfo* type = types_.type_of(value);
    const bool is_cell = type != nullptr && type->name == "cell";
    return is_cell ? memory_.word(value + kCellContent) : value;
}

void Walker::add_variables() {
    for (const Variable& variable : variables_) {
        const auto module = module_by_dict_.find(variable.globals);
        if (module == module_by_dict_.end()) continue;
        const std::string function = "." + variable.function + "()";
        const PathId frame = labels().branch(module->second, function, kAnyAttribute);
        const PathId path = attribute(frame, variable.name);
        visit(content_of(variable.value), label(path, Part::itself), [&] { return path; });
    }
    variables_.clear();
}

bool Walker::is_library(uint64_t module, const TypeInfo& type) {
    if (type.kind != Kind::module) return true;
    std::string file;
    constexpr uint64_t kMostEntries = 32;  // __file__ is set before the module runs
    constexpr size_t kLongestFile = 1000;
    const uint64_t dict = memory_.word(module + kModuleDict);
    for_each_entry(layout_, &memory_, dict, kMostEntries, [&](const DictEntry& entry) {
        if (types_.text(entry.key, 16) != "__file__") return true;
        file = types_.text(entry.value, kLongestFile);
        return false;
    });
    const auto has = [&](std::string_view part) { return file.find(part) != std::string::npos; };
    return file.empty() || has("/lib/python3") || has("/site-packages/") || has("/dist-packages/");
}

void Walker::mark_namespace(uint64_t module, PathId path) {
    const uint64_t dict = memory_.word(module + kModuleDict);
    module_by_dict_.emplace(dict, path);
    const TypeInfo* type = types_.type_of(dict);
    if (type != nullptr && result_.map.at(dict) == 0) {
        mark(dict, *type, label(path, Part::module_variables));
    }
}

}  // namespace cowscope::cpython
