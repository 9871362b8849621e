#include "runtime/cpython/walk.h"

#include <algorithm>
#include <ctime>

#include "base/hash.h"
#include "runtime/cpython/walker.h"
#include "trace/heap_owners.h"

namespace cowscope::cpython {

namespace {

constexpr size_t kLongestKey = 32;
constexpr std::string_view kInside = ".<inner>";

uint64_t thread_cpu_ns() {
    timespec time{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return static_cast<uint64_t>(time.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(time.tv_nsec);
}

}  // namespace

WalkResult Walker::run() {
    start_ns_ = thread_cpu_ns();
    static_path_ = labels().closed_root(trace::kStaticObjects);
    static_label_ = labels().label(static_path_, Part::itself);
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
            take_deferred(item);
        } else {
            open(item);
        }
    }
    finish();
    return std::move(result_);
}

void Walker::count_edge() {
    constexpr uint64_t kEdgesACheck = 1024;
    if (++result_.edges >= limits_.edges) result_.cut |= runtime::kCutEdges;
    if (result_.edges % kEdgesACheck == 0) check_limits();
}

void Walker::check_limits() {
    if (thread_cpu_ns() - start_ns_ >= limits_.cpu_ns) result_.cut |= runtime::kCutTime;
    if (memory_.error() != 0 || (limits_.must_stop && limits_.must_stop())) {
        result_.cut |= runtime::kCutGone;
    }
    const uint64_t queued = (queue_.size() + libraries_.size() + deferred_.size()) * sizeof(Item);
    if (result_.map.is_full() || queued / 2 > limits_.map_bytes) result_.cut |= runtime::kCutMemory;
}

OwnerStatistics& Walker::statistics(LabelId label) {
    if (result_.statistics.size() <= label) result_.statistics.resize(label + size_t{1});
    return result_.statistics[label];
}

void Walker::mark(uint64_t object, const TypeInfo& type, LabelId label) {
    ++result_.objects;
    if (!memory_.is_allocated(object)) label = static_label_;
    uint64_t head = 0;
    if (type.has(kGcFlag)) head += layout_.gc_head_bytes;
    // The words for a managed dict stand before the collector's. Include/internal/pycore_gc.h.
    if (type.has(kManagedDictFlag) && layout_.managed_dict != ManagedDict::none) {
        head += 2 * kWordBytes;
    }
    result_.map.set(object - head, head + types_.size_of(object, type), label);
    OwnerStatistics& counts = statistics(label);
    ++counts.objects;
    if (type.kind != Kind::str) return;
    ++counts.strs;
    sample_text(object, label);
}

ContentSample& Walker::sample_of(LabelId label) {
    if (samples_.size() <= label) samples_.resize(label + size_t{1});
    if (!samples_[label]) samples_[label] = std::make_unique<ContentSample>();
    return *samples_[label];
}

void Walker::sample_text(uint64_t object, LabelId label) {
    ContentSample& sample = sample_of(label);
    if (!sample.wants(object)) return;
    const Types::Text text = types_.text_of(object);
    // Texts that are as long and begin alike count as equal.
    constexpr uint64_t kMostCompared = 256;
    const auto compared = static_cast<size_t>(std::min(text.bytes, kMostCompared));
    const std::byte* bytes = memory_.read(text.start, compared);
    if (text.start == 0 || bytes == nullptr) return;
    sample.add(object, hash_of({bytes, compared}, text.bytes));
}

void Walker::mark_block(const Block& block, LabelId label) {
    if (block.bytes != 0 && memory_.is_allocated(block.start)) {
        result_.map.set(block.start, block.bytes, label);
    }
}

void Walker::visit_inside(uint64_t object, const Item& from) {
    count_edge();
    if (object == 0 || object % kWordBytes != 0 || result_.map.at(object) != 0) return;
    const TypeInfo* type = types_.type_of(object);
    if (type == nullptr) return;
    const bool is_container = type->kind == Kind::dict || type->kind == Kind::list ||
                              type->kind == Kind::set || type->kind == Kind::deque ||
                              type->kind == Kind::instance || type->kind == Kind::type ||
                              type->kind == Kind::module;
    if (is_container) {
        visit(object, from.label, [&] { return labels().branch(from.path, kInside, kInside); });
    } else {
        visit(
            object, from.label, [&] { return from.path; }, from.label);
    }
}

std::string Walker::key_segment(uint64_t key) {
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

std::string Walker::attribute_segment(uint64_t name) {
    const std::string text = types_.text(name, kLongestKey);
    return text.empty() ? std::string(kAnyAttribute) : "." + text;
}

PathId Walker::attribute(PathId path, uint64_t name) {
    return labels().branch(path, attribute_segment(name), kAnyAttribute);
}

void Walker::open(const Item& item) {
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

void Walker::finish() {
    labels().fold();
    result_.statistics.resize(labels().size());
    for (size_t i = 0; i < samples_.size(); ++i) {
        if (!samples_[i]) continue;
        result_.statistics[i].sampled = static_cast<uint32_t>(samples_[i]->size());
        result_.statistics[i].distinct = static_cast<uint32_t>(samples_[i]->distinct());
    }
    if (result_.map.is_full()) result_.cut |= runtime::kCutMemory;
    // A process that is gone looks like one that has nothing more.
    if (memory_.error() != 0) result_.cut |= runtime::kCutGone;
    result_.cpu_ns = thread_cpu_ns() - start_ns_;
}

WalkResult walk_owners(const Interpreter& interpreter, Memory* memory, const WalkLimits& limits) {
    return Walker(interpreter, memory, limits).run();
}

}  // namespace cowscope::cpython
