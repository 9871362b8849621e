// Containers of very many objects that are all alike: millions of strs in a dict. To read each of
// them costs more than all the rest of a walk, and tells nothing new. A sample of them is read
// instead; where all of that are of one type that refers to nothing, the others are taken for such
// objects, of the smallest size that the sample had.
//
// What is missed where a few of them are something else is what these lead to: it is unowned.
#include <algorithm>

#include "runtime/cpython/walker.h"

namespace cowscope::cpython {

namespace {

// One in a thousand that are different is found with a chance of 98 %.
constexpr uint64_t kSampled = 4096;
// What stands first or last is more often something special.
constexpr uint64_t kAtEachEnd = 16;

}  // namespace

std::vector<uint64_t> Walker::sampled_indices(uint64_t count) {
    std::vector<uint64_t> indices;
    indices.reserve(kSampled + 2 * kAtEachEnd);
    for (uint64_t i = 0; i < kAtEachEnd; ++i) {
        indices.push_back(i);
        indices.push_back(count - 1 - i);
    }
    for (uint64_t i = 0; i < kSampled; ++i) indices.push_back(i * (count / kSampled));
    std::sort(indices.begin(), indices.end());
    return indices;
}

void Walker::add_to(Alike* alike, uint64_t object) {
    if (object == 0 || !alike->may_be) return;
    const TypeInfo* type = types_.type_of(object);
    const bool is_plain = type != nullptr && !type->has(kHeapTypeFlag) && !type->has(kGcFlag) &&
                          (type->kind == Kind::leaf || type->kind == Kind::str ||
                           type->kind == Kind::bytes || type->kind == Kind::number);
    if (!is_plain || (alike->type != nullptr && alike->type != type)) {
        alike->may_be = false;
        return;
    }
    alike->type = type;
    alike->bytes = std::min(alike->bytes, types_.size_of(object, *type));
}

void Walker::begin_alike(Alike* alike, LabelId label, uint64_t count) {
    if (!*alike) return;
    alike->label = label;
    if (alike->type->kind != Kind::str) return;
    alike->sample = &sample_of(label);
    alike->sample->expect(count);
}

void Walker::count_unread(uint64_t references) {
    // Where nothing is read, four cost less than one where something is.
    constexpr uint64_t kUnreadAnEdge = 4;
    if (references == 0) return;
    unread_ += references;
    result_.edges += unread_ / kUnreadAnEdge;
    unread_ %= kUnreadAnEdge;
    if (result_.edges >= limits_.edges) result_.cut |= runtime::kCutEdges;
    check_limits();
}

void Walker::find_place_of_alike(uint64_t object, Alike* alike) {
    if (object == 0 || object % kWordBytes != 0) return;
    switch (memory_.place_of(object)) {
        case Memory::Place::none:
            return;
        case Memory::Place::image: {
            if (!result_.map.set_if_free(object, alike->bytes, static_label_)) return;
            ++result_.objects;
            OwnerStatistics& counts = statistics(static_label_);
            ++counts.objects;
            if (alike->type->kind == Kind::str) ++counts.strs;
            return;
        }
        case Memory::Place::allocated:
            alike->allocated = memory_.allocated_around(object);
            take_alike(object, alike);
            return;
    }
}

void Walker::sample_alike(uint64_t object, Alike* alike) {
    const Memory::Sparse sparse(&memory_);
    if (types_.type_of(object) == alike->type) sample_text(object, alike->label);
}

void Walker::end_alike(const Alike& alike) {
    result_.objects += alike.objects;
    if (alike.objects == 0) return;
    OwnerStatistics& counts = statistics(alike.label);
    counts.objects += alike.objects;
    if (alike.type->kind == Kind::str) counts.strs += alike.objects;
}

}  // namespace cowscope::cpython
