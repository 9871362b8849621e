#include "attribute/address_space.h"

#include <algorithm>
#include <iterator>

#include "arch/processor.h"
#include "base/file_name.h"

namespace cowscope::attribute {

using runtime::Region;

AddressSpace::AddressSpace(const trace::ProcessTrace& process, symbolize::Symbolizer* symbolizer)
    : process_(process), index_(process.mappings), symbolizer_(symbolizer), regions_(1) {
    // Where a thread's stack pointer points is a stack, whatever the kernel calls the mapping.
    for (const auto& [site, exemplars] : process.exemplars) {
        for (const trace::Exemplar& exemplar : exemplars) {
            const trace::Mapping* mapping = find(exemplar.registers[arch::kStackPointer]);
            if (mapping != nullptr && mapping->path.empty()) stack_mappings_.insert(mapping->start);
        }
    }
}

uint32_t AddressSpace::region_of(uint64_t address) {
    const auto above = spans_.upper_bound(address);
    if (above != spans_.begin() && address < std::prev(above)->second.end) {
        return std::prev(above)->second.region;
    }
    const trace::Mapping* mapping = find(address);
    return mapping == nullptr ? 0 : add_region(*mapping, address);
}

uint32_t AddressSpace::add_region(const trace::Mapping& mapping, uint64_t address) {
    RegionInfo info = classify(mapping, address);
    // A module's data holds its offset table in the midst: such a span is one page.
    const bool fine = info.region == Region::got || info.region == Region::library_data ||
                      info.region == Region::program_data;
    const uint64_t page = address & ~(trace::kPageBytes - 1);
    uint64_t start = mapping.start;
    uint64_t end = mapping.end;
    if (fine) {
        start = std::max(start, page);
        end = std::min(end, page + trace::kPageBytes);
    }
    const auto [same, is_new] =
        region_ids_.try_emplace({info.region, info.name}, static_cast<uint32_t>(regions_.size()));
    const uint32_t index = same->second;
    if (is_new) regions_.push_back(std::move(info));
    // A page may hold the end of the table and the start of the data: decided by address each time.
    if (regions_[index].region != Region::got) {
        // Mappings of other moments may overlap this one. The address lies in no span yet.
        const auto above = spans_.upper_bound(address);
        if (above != spans_.end()) end = std::min(end, above->first);
        if (above != spans_.begin()) start = std::max(start, std::prev(above)->second.end);
        spans_[start] = {end, index};
    }
    return index;
}

RegionInfo AddressSpace::classify(const trace::Mapping& mapping, uint64_t address) const {
    if (mapping.path == "[stack]" || stack_mappings_.count(mapping.start) != 0) {
        return {Region::stack, "", ""};
    }
    if (mapping.path == "[heap]") return {Region::heap, "", ""};
    if (mapping.is_file()) return module_data(mapping, address);
    // What lies before it can differ from list to list, if it ever does.
    constexpr size_t kMostLists = 64;
    const size_t first = index_.find(address).list;
    const size_t end = std::min(process_.mappings.size(), first + kMostLists);
    for (size_t list = first; list < end; ++list) {
        const trace::Mappings& mappings = *process_.mappings[list];
        const trace::Mapping* same = mappings.find(address);
        if (same == nullptr || same->start != mapping.start) continue;
        const trace::Mapping* before = mappings.file_before(*same);
        if (before == nullptr) continue;
        // The kernel maps zero-initialized data behind the file's last mapping; the file says
        // whether it reaches this far.
        const auto vaddr = symbolizer_->vaddr_of_offset(before->path, before->file_offset);
        if (vaddr &&
            !symbolizer_->section_at(before->path, *vaddr + (address - before->start)).empty()) {
            const bool program = before->path == process_.executable;
            return {program ? Region::program_data : Region::library_data,
                    std::string(file_name(before->path)), before->path};
        }
    }
    return {Region::anonymous, "", ""};
}

RegionInfo AddressSpace::module_data(const trace::Mapping& file, uint64_t address) const {
    const std::string name(file_name(file.path));
    const auto vaddr =
        symbolizer_->vaddr_of_offset(file.path, address - file.start + file.file_offset);
    if (!vaddr) return {Region::file, name, ""};
    const std::string section = symbolizer_->section_at(file.path, *vaddr);
    if (section == ".got" || section == ".got.plt") return {Region::got, name, file.path};
    const bool program = file.path == process_.executable;
    return {program ? Region::program_data : Region::library_data, name, file.path};
}

std::string AddressSpace::module_path_at(uint64_t address) {
    const uint32_t index = region_of(address);
    return regions_[index].path;
}

AddressSpace::Code AddressSpace::code_at(uint64_t ip, bool is_return_address) {
    const uint64_t address = ip - (is_return_address ? 1 : 0);
    const trace::Mapping* mapping = find(address);
    if (mapping == nullptr || !mapping->is_file()) return {"", nullptr, mapping};
    return {mapping->path,
            &symbolizer_->resolve(mapping->path, address - mapping->start + mapping->file_offset),
            mapping};
}

}  // namespace cowscope::attribute
