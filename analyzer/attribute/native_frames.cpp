#include "attribute/native_frames.h"

namespace cowscope::attribute {

std::vector<const Frame*> native_frames(const AddressSpace::Code& code, uint64_t ip,
                                        bool is_return_address, FrameTable* table) {
    Frame frame;
    frame.module = code.module_path;
    if (code.mapping != nullptr) {
        frame.mapping = {code.mapping->start, code.mapping->end, code.mapping->file_offset,
                         code.mapping->path};
    }
    frame.address = ip;
    frame.is_caller = is_return_address;
    if (code.location == nullptr || code.location->frames.empty()) return {table->keep(frame)};

    std::vector<const Frame*> frames;
    for (const symbolize::Frame& each : code.location->frames) {
        frame.is_inlined = &each != &code.location->frames.back();
        frame.function = each.function.empty() ? "?" : std::string_view(each.function);
        frame.file = each.file;
        frame.line = each.line;
        frame.symbol = frame.is_inlined ? std::string_view() : code.location->symbol;
        frames.push_back(table->keep(frame));
    }
    return frames;
}

}  // namespace cowscope::attribute
