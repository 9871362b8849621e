#include "cpython/walk.h"

#include <algorithm>
#include <ctime>
#include <deque>
#include <memory>

#include <fmt/format.h>

#include "cpython/dict.h"
#include "cpython/frames.h"
#include "cpython/samples.h"
#include "cpython/types.h"

namespace cowscope::cpython {

namespace {

// A dict with more entries than this is data: its values share a name.
constexpr uint64_t kMostNamedEntries = 64;
constexpr uint64_t kMostNamedItems = 8;
constexpr size_t kLongestKey = 32;
constexpr uint64_t kMostItems = uint64_t{1} << 36;
constexpr std::string_view kAnyEntry = "[...]";
constexpr std::string_view kAnyAttribute = ".…";
constexpr std::string_view kInside = ".<inner>";

uint64_t thread_cpu_ns() {
    timespec time{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return static_cast<uint64_t>(time.tv_sec) * 1'000'000'000 +
           static_cast<uint64_t>(time.tv_nsec);
}

class Walk {
  public:
    Walk(const Interpreter& interpreter, Memory* memory, const WalkLimits& limits)
        : layout_(*interpreter.layout),
          memory_(*memory),
          limits_(limits),
          types_(layout_, memory),
          interpreter_(interpreter) {}

    WalkResult run() {
        start_ns_ = thread_cpu_ns();
        const PathId interpreter = labels().root("(static objects of the interpreter)");
        static_label_ = labels().label(interpreter, Part::itself);
        add_modules();
        // Now, because they change fast.
        variables_ = read_variables(interpreter_, &memory_, &types_);
        while (!is_cut()) {
            if (queue_.empty()) add_variables();
            if (queue_.empty()) queue_.swap(libraries_);
            auto& next = queue_.empty() ? deferred_ : queue_;
            if (next.empty()) break;
            const Item item = next.front();
            next.pop_front();
            if (&next == &deferred_) {
                const TypeInfo* type = types_.type_of(item.object);
                const bool is_function = type != nullptr && type->kind == Kind::function;
                visit(item.object, item.label, [&] { return item.path; },
                      is_function ? item.label : Labels::kNone);
            } else {
                open(item);
            }
        }
        finish();
        return std::move(result_);
    }

  private:
    struct Item {
        uint64_t object = 0;
        const TypeInfo* type = nullptr;
        PathId path = 0;
        // Of everything that it refers to, where it is part of something (a function); else 0.
        LabelId label = Labels::kNone;
    };

    Labels& labels() { return result_.labels; }
    LabelId label(PathId path, Part part) { return labels().label(path, part); }
    bool is_cut() const { return result_.cut != kCutNot; }

    // ---- Limits and what was seen.

    void count_edge() {
        constexpr uint64_t kEdgesACheck = 1024;
        if (++result_.edges >= limits_.edges) result_.cut |= kCutEdges;
        if (result_.edges % kEdgesACheck == 0) check_limits();
    }

    void check_limits() {
        if (thread_cpu_ns() - start_ns_ >= limits_.cpu_ns) result_.cut |= kCutTime;
        if (memory_.error() != 0 || (limits_.must_stop && limits_.must_stop())) {
            result_.cut |= kCutGone;
        }
        if (result_.map.is_full()) result_.cut |= kCutMemory;
    }

    OwnerStatistics& statistics(LabelId label) {
        if (result_.statistics.size() <= label) result_.statistics.resize(label + size_t{1});
        return result_.statistics[label];
    }

    void mark(uint64_t object, const TypeInfo& type, LabelId label) {
        ++result_.objects;
        if (!memory_.is_allocated(object)) label = static_label_;
        uint64_t head = 0;
        if (type.has(kHasCollector)) head += layout_.collector_head;
        // The words for a managed dict stand before the collector's. Include/internal/pycore_gc.h.
        if (type.has(kManagedDict) && layout_.managed_dict != ManagedDict::none) {
            head += 2 * kWordBytes;
        }
        result_.map.set(object - head, head + types_.size_of(object, type), label);
        OwnerStatistics& counts = statistics(label);
        ++counts.objects;
        if (type.kind != Kind::str) return;
        ++counts.strs;
        sample_text(object, label);
    }

    void sample_text(uint64_t object, LabelId label) {
        if (samples_.size() <= label) samples_.resize(label + size_t{1});
        if (!samples_[label]) samples_[label] = std::make_unique<ContentSample>();
        ContentSample& sample = *samples_[label];
        if (!sample.wants(object)) return;
        const Types::Text text = types_.text_of(object);
        // Texts that are as long and begin alike count as equal.
        constexpr uint64_t kMostCompared = 256;
        const auto compared = static_cast<size_t>(std::min(text.bytes, kMostCompared));
        const std::byte* bytes = memory_.read(text.start, compared);
        if (text.start == 0 || bytes == nullptr) return;
        // FNV-1a, 64 bits. http://www.isthe.com/chongo/tech/comp/fnv/
        constexpr uint64_t kPrime = 0x100000001b3;
        uint64_t hash = 0xcbf29ce484222325 ^ text.bytes;
        for (size_t i = 0; i < compared; ++i) {
            hash = (hash ^ static_cast<uint64_t>(bytes[i])) * kPrime;
        }
        sample.add(object, hash);
    }

    void mark_block(const Block& block, LabelId label) {
        if (block.bytes != 0 && memory_.is_allocated(block.start)) {
            result_.map.set(block.start, block.bytes, label);
        }
    }

    // ---- Edges.

    // Takes in an object that is reached now. `path` is asked for where it may lead on.
    template <typename MakePath>
    void visit(uint64_t object, LabelId label, const MakePath& path,
               LabelId inside = Labels::kNone) {
        count_edge();
        if (object == 0 || object % kWordBytes != 0 || result_.map.at(object) != 0) return;
        const TypeInfo* type = types_.type_of(object);
        if (type == nullptr) return;
        mark(object, *type, label);
        switch (type->kind) {
            case Kind::leaf:
            case Kind::weak:
                return;
            case Kind::str:
            case Kind::bytes:
            case Kind::number:
                if (!type->has(kHeapType)) return;
                break;
            default:
                break;
        }
        queue_.push_back({object, type, path(), inside});
    }

    // What stands inside of a function or of an object made in C has its name, but for containers.
    void visit_inside(uint64_t object, const Item& from) {
        count_edge();
        if (object == 0 || object % kWordBytes != 0 || result_.map.at(object) != 0) return;
        const TypeInfo* type = types_.type_of(object);
        if (type == nullptr) return;
        const bool is_container = type->kind == Kind::dict || type->kind == Kind::list ||
                                  type->kind == Kind::set || type->kind == Kind::deque ||
                                  type->kind == Kind::instance ||
                                  type->kind == Kind::type || type->kind == Kind::module;
        if (is_container) {
            visit(object, from.label,
                  [&] { return labels().branch(from.path, kInside, kInside); });
        } else {
            visit(object, from.label, [&] { return from.path; }, from.label);
        }
    }

    std::string key_segment(uint64_t key) {
        if (!limits_.show_keys) return std::string(kAnyEntry);
        const TypeInfo* type = types_.type_of(key);
        if (type == nullptr || type->kind != Kind::str) return std::string(kAnyEntry);
        if (types_.text_length(key) > kLongestKey) return std::string(kAnyEntry);
        std::string text = types_.text(key, kLongestKey);
        const bool is_plain = std::all_of(text.begin(), text.end(), [](char each) {
            return static_cast<unsigned char>(each) >= ' ' && each != 0x7f && each != '\'';
        });
        return is_plain ? "['" + text + "']" : std::string(kAnyEntry);
    }

    std::string attribute_segment(uint64_t name) {
        const std::string text = types_.text(name, kLongestKey);
        return text.empty() ? std::string(kAnyAttribute) : "." + text;
    }

    PathId attribute(PathId path, uint64_t name) {
        return labels().branch(path, attribute_segment(name), kAnyAttribute);
    }

    // ---- Where the walk starts.

    void add_modules() {
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

    // A variable that inner functions use as well stands in a cell. Include/cpython/cellobject.h.
    uint64_t content_of(uint64_t value) {
        constexpr uint64_t kCellContent = 16;
        const TypeInfo* type = types_.type_of(value);
        const bool is_cell = type != nullptr && type->name == "cell";
        return is_cell ? memory_.word(value + kCellContent) : value;
    }

    // Those of functions come behind the program's modules: a module's name says more.
    void add_variables() {
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

    // Whether it came with Python, or was installed as a package.
    bool is_library(uint64_t module, const TypeInfo& type) {
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
        const auto has = [&](std::string_view part) {
            return file.find(part) != std::string::npos;
        };
        return file.empty() || has("/lib/python3") || has("/site-packages/") ||
               has("/dist-packages/");
    }

    // The dict of a module is its own, whoever refers to it (every function does).
    void mark_namespace(uint64_t module, PathId path) {
        const uint64_t dict = memory_.word(module + kModuleDict);
        module_by_dict_.emplace(dict, path);
        const TypeInfo* type = types_.type_of(dict);
        if (type != nullptr && result_.map.at(dict) == 0) {
            mark(dict, *type, label(path, Part::module_variables));
        }
    }

    // ---- What objects refer to.

    void open(const Item& item) {
        switch (item.type->kind) {
            case Kind::dict:
                open_dict(item);
                open_attributes(item);
                break;
            case Kind::list:
                open_list(item);
                open_attributes(item);
                break;
            case Kind::tuple:
                open_tuple(item);
                open_attributes(item);
                break;
            case Kind::set:
                open_set(item);
                open_attributes(item);
                break;
            case Kind::str:
            case Kind::bytes:
            case Kind::number:
                open_attributes(item);
                break;
            case Kind::module:
                open_namespace(memory_.word(item.object + kModuleDict), item.path, true);
                break;
            case Kind::type:
                open_type(item);
                break;
            case Kind::instance:
                open_attributes(item);
                break;
            case Kind::deque:
                open_deque(item);
                open_attributes(item);
                break;
            case Kind::function:
            case Kind::opaque:
                open_fields(item);
                break;
            case Kind::leaf:
            case Kind::weak:
                break;
        }
    }

    void open_dict(const Item& item) {
        const DictShape shape = shape_of_dict(layout_, &memory_, item.object);
        mark_block(shape.keys, label(item.path, Part::dict_table));
        const LabelId keys = label(item.path, Part::dict_keys);
        const LabelId values = label(item.path, Part::dict_values);
        const bool is_named = memory_.word(item.object + kDictUsed) <= kMostNamedEntries;
        for_each_entry(shape, &memory_, kMostItems, [&](const DictEntry& entry) {
            visit(entry.key, keys, [&] { return item.path; }, keys);
            if (entry.value != 0) {
                visit(entry.value, values, [&] {
                    return labels().branch(
                        item.path, is_named ? key_segment(entry.key) : std::string(kAnyEntry),
                        kAnyEntry);
                });
            }
            return !is_cut();
        });
    }

    void open_words(uint64_t start, uint64_t count, const Item& item, Part part) {
        const LabelId items = label(item.path, part);
        const bool is_named = count <= kMostNamedItems;
        constexpr uint64_t kWordsARead = 4096;
        std::vector<uint64_t> words(std::min(count, kWordsARead));
        for (uint64_t first = 0; first < count && !is_cut(); first += kWordsARead) {
            check_limits();
            const uint64_t wanted = std::min(kWordsARead, count - first);
            const uint64_t got = memory_.read_past_cache(start + first * kWordBytes, words.data(),
                                                         wanted * kWordBytes) /
                                 kWordBytes;
            for (uint64_t i = 0; i < got && !is_cut(); ++i) {
                if (item.label != Labels::kNone) {
                    visit_inside(words[i], item);
                    continue;
                }
                visit(words[i], items, [&] {
                    return labels().branch(
                        item.path,
                        is_named ? fmt::format("[{}]", first + i) : std::string(kAnyEntry),
                        kAnyEntry);
                });
            }
            if (got < wanted) return;
        }
    }

    void open_list(const Item& item) {
        const uint64_t count = memory_.word(item.object + kSizeOffset);
        const uint64_t items = memory_.word(item.object + kListItems);
        const uint64_t allocated = memory_.word(item.object + kListAllocated);
        if (count > kMostItems || allocated > kMostItems) return;
        mark_block({items, allocated * kWordBytes}, label(item.path, Part::list_array));
        open_words(items, count, item, Part::list_items);
    }

    void open_tuple(const Item& item) {
        const uint64_t count = memory_.word(item.object + kSizeOffset);
        if (count > kMostItems) return;
        open_words(item.object + layout_.tuple_items, count, item, Part::tuple_items);
    }

    void open_set(const Item& item) {
        const uint64_t slots = memory_.word(item.object + kSetMask) + 1;
        const uint64_t table = memory_.word(item.object + kSetTable);
        if (slots > kMostItems) return;
        const Block block{table, slots * kSetEntryBytes};
        // A small one is part of the object.
        if (result_.map.at(table) == 0) mark_block(block, label(item.path, Part::set_table));
        const LabelId items = label(item.path, Part::set_items);
        constexpr uint64_t kEntriesARead = 2048;
        std::vector<uint64_t> words(std::min(slots, kEntriesARead) * 2);
        for (uint64_t first = 0; first < slots && !is_cut(); first += kEntriesARead) {
            check_limits();
            const uint64_t wanted = std::min(kEntriesARead, slots - first);
            const uint64_t got =
                memory_.read_past_cache(table + first * kSetEntryBytes, words.data(),
                                        wanted * kSetEntryBytes) /
                kSetEntryBytes;
            for (uint64_t i = 0; i < got && !is_cut(); ++i) {
                if (words[2 * i] == 0) continue;
                visit(words[2 * i], items, [&] { return item.path; }, items);
            }
            if (got < wanted) return;
        }
    }

    // Modules/_collectionsmodule.c: the same from 3.6 to 3.14.
    void open_deque(const Item& item) {
        constexpr uint64_t kLeftBlock = 24;
        constexpr uint64_t kRightBlock = 32;
        constexpr uint64_t kLeftIndex = 40;
        constexpr uint64_t kItemsABlock = 64;
        constexpr uint64_t kItems = kWordBytes;
        constexpr uint64_t kNext = kItems + kItemsABlock * kWordBytes;
        const uint64_t last = memory_.word(item.object + kRightBlock);
        uint64_t left = memory_.word(item.object + kSizeOffset);
        uint64_t index = memory_.word(item.object + kLeftIndex);
        uint64_t block = memory_.word(item.object + kLeftBlock);
        while (block != 0 && left != 0 && index < kItemsABlock && !is_cut()) {
            mark_block({block, kNext + kWordBytes}, label(item.path, Part::list_array));
            const uint64_t count = std::min(left, kItemsABlock - index);
            open_words(block + kItems + index * kWordBytes, count, item, Part::deque_items);
            left -= count;
            index = 0;
            if (block == last) break;
            block = memory_.word(block + kNext);
        }
    }

    // The dict of a module or class.
    void open_namespace(uint64_t dict, PathId path, bool is_module) {
        const LabelId variables =
            label(path, is_module ? Part::module_variables : Part::class_attributes);
        const LabelId names = is_module ? label(path, Part::names) : variables;
        const DictShape shape = shape_of_dict(layout_, &memory_, dict);
        mark_block(shape.keys, names);
        for_each_entry(shape, &memory_, kMostItems, [&](const DictEntry& entry) {
            visit(entry.key, names, [&] { return path; }, names);
            const TypeInfo* type = types_.type_of(entry.value);
            if (type != nullptr) open_variable(entry, *type, dict, path, is_module);
            return !is_cut();
        });
    }

    void open_variable(const DictEntry& entry, const TypeInfo& type, uint64_t dict, PathId path,
                       bool is_module) {
        const uint64_t value = entry.value;
        const LabelId variables =
            label(path, is_module ? Part::module_variables : Part::class_attributes);
        switch (type.kind) {
            case Kind::function: {
                const LabelId functions =
                    label(path, is_module ? Part::functions : Part::methods);
                const bool is_own =
                    !is_module || memory_.word(value + layout_.function_globals) == dict;
                visit_or_defer(is_own, value, functions, attribute(path, entry.key), functions);
                break;
            }
            case Kind::type: {
                const PathId own = attribute(path, entry.key);
                const bool is_own = !is_module || is_defined_in(value, path);
                visit_or_defer(is_own, value, label(own, Part::class_attributes), own,
                               Labels::kNone);
                break;
            }
            case Kind::str:
            case Kind::bytes:
            case Kind::number:
            case Kind::leaf:
            case Kind::weak: {
                // Small ones are worth no name of their own.
                constexpr uint64_t kSmall = 4096;
                const bool is_small = types_.size_of(value, type) < kSmall;
                const PathId own = is_small ? path : attribute(path, entry.key);
                visit(value, is_small ? variables : label(own, Part::itself), [&] { return own; });
                break;
            }
            case Kind::opaque: {
                const PathId own = attribute(path, entry.key);
                // Descriptors of methods and the like.
                const LabelId contents = is_module ? label(own, Part::contents) : variables;
                visit(value, is_module ? label(own, Part::itself) : variables,
                      [&] { return own; }, contents);
                break;
            }
            default: {
                const PathId own = attribute(path, entry.key);
                visit(value, label(own, Part::itself), [&] { return own; });
                break;
            }
        }
    }

    void visit_or_defer(bool now, uint64_t object, LabelId label, PathId path, LabelId inside) {
        if (now) {
            visit(object, label, [&] { return path; }, inside);
        } else if (result_.map.at(object) == 0) {
            count_edge();
            deferred_.push_back({object, nullptr, path, label});
        }
    }

    // Whether the class says that this module defines it.
    bool is_defined_in(uint64_t type, PathId module) {
        const uint64_t dict = memory_.word(type + kTypeDict);
        bool is_own = true;
        constexpr uint64_t kMostEntries = 256;
        constexpr size_t kLongestModule = 100;
        for_each_entry(layout_, &memory_, dict, kMostEntries, [&](const DictEntry& entry) {
            if (types_.text(entry.key, 16) != "__module__") return true;
            is_own = types_.text(entry.value, kLongestModule) == labels().text(module);
            return false;
        });
        return is_own;
    }

    void open_type(const Item& item) {
        const LabelId attributes = label(item.path, Part::class_attributes);
        // From 3.12 on the dicts of static types stand elsewhere, and this word is 0.
        const uint64_t dict = memory_.word(item.object + kTypeDict);
        const TypeInfo* dict_type = types_.type_of(dict);
        const bool has_dict = dict_type != nullptr && dict_type->kind == Kind::dict;
        if (has_dict && result_.map.at(dict) == 0) {
            mark(dict, *dict_type, attributes);
            open_namespace(dict, item.path, false);
        }
        Item inside = item;
        inside.label = attributes;
        visit_inside(memory_.word(item.object + kTypeBases), inside);
        visit_inside(memory_.word(item.object + kTypeMro), inside);
        const TypeInfo* own = types_.type_at(item.object);
        if (own == nullptr || !own->has(kHeapType)) return;
        constexpr uint64_t kNames = 3;  // ht_name, ht_slots, ht_qualname
        for (uint64_t i = 0; i < kNames; ++i) {
            visit_inside(memory_.word(item.object + layout_.heap_type_name + i * kWordBytes),
                         inside);
        }
        const uint64_t keys = memory_.word(item.object + layout_.heap_type_cached_keys);
        if (keys != 0) mark_block(shape_of_keys(layout_, &memory_, keys).keys, attributes);
    }

    // Fields of an object that was made in C: whatever word in it is an object.
    void open_fields(const Item& item) {
        Item inside = item;
        if (inside.label == Labels::kNone) inside.label = label(item.path, Part::contents);
        for (uint64_t at = kObjectBytes; at + kWordBytes <= item.type->basic_size && !is_cut();
             at += kWordBytes) {
            visit_inside(memory_.word(item.object + at), inside);
        }
    }

    // ---- Attributes of instances.

    void open_attributes(const Item& item) {
        const TypeInfo& type = *item.type;
        if (!type.has(kHeapType)) return;
        const LabelId attributes = item.label != Labels::kNone
                                       ? item.label
                                       : label(item.path, Part::instance_attributes);
        if (type.has(kManagedDict) && layout_.managed_dict != ManagedDict::none) {
            open_managed_dict(item, attributes);
        } else if (type.dict_offset != 0) {
            open_attribute_dict(memory_.word(dict_address(item)), item.path, attributes);
        }
        // What a class adds to those it is made from. Of a type made in C every field.
        for (uint64_t at = type.slots_start; at + kWordBytes <= type.basic_size && !is_cut();
             at += kWordBytes) {
            if (static_cast<int64_t>(at) == type.dict_offset) continue;
            visit(memory_.word(item.object + at), attributes,
                  [&] { return labels().branch(item.path, kAnyAttribute, kAnyAttribute); });
        }
    }

    // _PyObject_GetDictPtr, Objects/object.c: a negative offset counts from the object's end.
    uint64_t dict_address(const Item& item) {
        const TypeInfo& type = *item.type;
        if (type.dict_offset > 0) return item.object + static_cast<uint64_t>(type.dict_offset);
        const uint64_t end = (types_.size_of(item.object, type) + kWordBytes - 1) & ~(kWordBytes - 1);
        return item.object + end + static_cast<uint64_t>(type.dict_offset);
    }

    void open_managed_dict(const Item& item, LabelId attributes) {
        constexpr uint64_t kDictBefore = 24;
        constexpr uint64_t kValuesBefore = 32;
        constexpr uint64_t kValid = 3;  // struct _dictvalues: capacity, size, embedded, valid
        uint64_t dict = memory_.word(item.object - kDictBefore);
        uint64_t values = 0;
        switch (layout_.managed_dict) {
            case ManagedDict::v3_11:
                values = memory_.word(item.object - kValuesBefore);
                break;
            case ManagedDict::v3_12:
                if ((dict & 1) != 0) {
                    values = dict + 1;
                    dict = 0;
                }
                break;
            case ManagedDict::inline_: {
                const uint64_t header = item.object + item.type->basic_size;
                const bool is_used = item.type->has(kInlineValues) && dict == 0 &&
                                     memory_.value<uint8_t>(header + kValid).value_or(0) == 1;
                if (is_used) values = header + layout_.values_header;
                break;
            }
            case ManagedDict::none:
                break;
        }
        if (values == 0) {
            open_attribute_dict(dict, item.path, attributes);
            return;
        }
        const uint64_t keys =
            memory_.word(item.type->address + layout_.heap_type_cached_keys);
        DictShape shape = shape_of_keys(layout_, &memory_, keys);
        shape.values = values;
        if (layout_.managed_dict != ManagedDict::inline_) {
            mark_block({values, shape.count * kWordBytes}, attributes);
        }
        open_attribute_entries(shape, item.path, attributes);
    }

    void open_attribute_dict(uint64_t dict, PathId path, LabelId attributes) {
        const TypeInfo* type = types_.type_of(dict);
        if (type == nullptr || type->kind != Kind::dict || result_.map.at(dict) != 0) return;
        mark(dict, *type, attributes);
        const DictShape shape = shape_of_dict(layout_, &memory_, dict);
        // Keys that instances share belong to the class.
        if (shape.values == 0) mark_block(shape.keys, attributes);
        open_attribute_entries(shape, path, attributes);
    }

    void open_attribute_entries(const DictShape& shape, PathId path, LabelId attributes) {
        for_each_entry(shape, &memory_, kMostItems, [&](const DictEntry& entry) {
            visit(entry.key, attributes, [&] { return path; }, attributes);
            if (entry.value != 0) {
                visit(entry.value, attributes, [&] { return attribute(path, entry.key); });
            }
            return !is_cut();
        });
    }

    void finish() {
        result_.statistics.resize(labels().size());
        for (size_t i = 0; i < samples_.size(); ++i) {
            if (!samples_[i]) continue;
            result_.statistics[i].sampled = static_cast<uint32_t>(samples_[i]->size());
            result_.statistics[i].distinct = static_cast<uint32_t>(samples_[i]->distinct());
        }
        // A process that is gone looks like one that has nothing more.
        if (memory_.error() != 0) result_.cut |= kCutGone;
        result_.cpu_ns = thread_cpu_ns() - start_ns_;
    }

    const Layout& layout_;
    Memory& memory_;
    const WalkLimits& limits_;
    Types types_;
    const Interpreter& interpreter_;
    uint64_t start_ns_ = 0;
    LabelId static_label_ = Labels::kNone;
    std::unordered_map<uint64_t, PathId> module_by_dict_;
    std::vector<Variable> variables_;
    std::deque<Item> queue_;
    // Modules that are not the program's own: after it.
    std::deque<Item> libraries_;
    // Classes and functions that other modules define: their own modules name them first.
    std::deque<Item> deferred_;
    std::vector<std::unique_ptr<ContentSample>> samples_;  // by LabelId
    WalkResult result_;
};

}  // namespace

WalkResult walk_owners(const Interpreter& interpreter, Memory* memory, const WalkLimits& limits) {
    return Walk(interpreter, memory, limits).run();
}

}  // namespace cowscope::cpython
