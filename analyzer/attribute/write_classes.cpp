#include "attribute/write_classes.h"

#include "attribute/page_write.h"

namespace cowscope::attribute {

OwnerId WriteClasses::owner_of(const trace::EventRecord& event, const trace::EventPlace& place) {
    if (owners_ == nullptr) return 0;
    // Where the page lay when the owners were looked for.
    const uint64_t address = place.page + event.address % trace::kPageBytes;
    return owners_->find(index_, place.epoch, address);
}

uint32_t WriteClasses::class_of(const trace::EventRecord& event, const trace::EventPlace& place) {
    const runtime::ProcessRuntimes& runtimes = sites_.runtimes();
    const Key key{event.site,
                  event.runtime_stack,
                  runtimes.target_of(event, place.type, sites_.resolve(event.site).module),
                  space_.region_of(event.address),
                  owner_of(event, place),
                  runtimes.is_ending(event)};
    const auto [known, is_new] = class_by_key_.try_emplace(key, PageWrite::kNotACopy);
    if (is_new) known->second = add(event, key);
    return known->second;
}

uint32_t WriteClasses::add(const trace::EventRecord& event, const Key& key) {
    const auto& [site, runtime_stack, target, region, owner, is_finalizing] = key;
    const std::string name = sites_.runtimes().type_name(target);
    const WrittenPlace written{target, name, &space_.region(region), is_finalizing};
    auto verdict = sites_.verdict(site, written);
    if (!verdict) return PageWrite::kNotACopy;
    CopyClass& added = classes_.emplace_back();
    added.site = site;
    added.runtime_stack = runtime_stack;
    if (runtime::is_of_object(verdict->cause)) {
        added.type = frames_.keep(name);
        added.type_address = target.type == 0 ? 0 : event.type;
    }
    added.verdict = std::move(*verdict);
    added.owner = owner;
    added.is_finalizing = is_finalizing || sites_.resolve(site).is_finalizing;
    added.code = sites_.code(site);
    added.line = sites_.line(runtime_stack);
    return static_cast<uint32_t>(classes_.size() - 1);
}

}  // namespace cowscope::attribute
