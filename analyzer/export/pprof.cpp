// pprof's profile: a gzipped protobuf message (pprof/profile.proto).
#include <zlib.h>

#include <algorithm>
#include <map>
#include <span>
#include <tuple>
#include <unordered_map>

#include <fmt/format.h>

#include "base/error.h"
#include "base/printable.h"
#include "export/formats.h"
#include "export/names.h"
#include "profile.pb.h"

namespace cowscope::exports {
namespace {

namespace proto = perftools::profiles;
using attribute::Frame;

std::string gzipped(const std::string& content) {
    constexpr int kGzip = 16;  // added to the window's size
    constexpr int kMemoryLevel = 8;
    z_stream stream{};
    if (deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, MAX_WBITS + kGzip, kMemoryLevel,
                     Z_DEFAULT_STRATEGY) != Z_OK) {
        throw Error("cannot compress the profile: out of memory");
    }
    // A message has less than 2 GiB.
    std::string result(deflateBound(&stream, content.size()), '\0');
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(content.data()));
    stream.avail_in = static_cast<uInt>(content.size());
    stream.next_out = reinterpret_cast<Bytef*>(result.data());
    stream.avail_out = static_cast<uInt>(result.size());
    const int status = deflate(&stream, Z_FINISH);
    result.resize(stream.total_out);
    deflateEnd(&stream);
    if (status != Z_STREAM_END) throw Error("cannot compress the profile");
    return result;
}

class PprofWriter : public Writer {
  public:
    explicit PprofWriter(Output* output) : output_(*output) {}

    void begin(const TraceFacts& facts) override {
        string_id("");
        page_bytes_ = facts.page_bytes;
        set_type(profile_.add_sample_type(), "pages", "count");
        set_type(profile_.add_sample_type(), "bytes", "bytes");
        profile_.set_default_sample_type(string_id("pages"));
        set_type(profile_.mutable_period_type(), "pages", "count");
        profile_.set_period(1);
        profile_.set_time_nanos(static_cast<int64_t>(facts.start_unix_ns.value_or(0)));
        profile_.set_duration_nanos(static_cast<int64_t>(facts.duration_ns));
        std::string command = "cowscope:";
        for (const std::string& word : facts.command) command += ' ' + word;
        profile_.add_comment(string_id(command));
        for (const auto* notes : {&facts.notes, &facts.damage, &facts.torn}) {
            for (const std::string& note : *notes) profile_.add_comment(string_id(note));
        }
    }

    void add(const ProcessSamples& process) override {
        uint64_t& program_pages = program_pages_[mapping_id(process.program)];
        for (const Sample& sample : process.samples) {
            proto::Sample* added = profile_.add_sample();
            add_stack(sample, added);
            program_pages += sample.pages;
            added->add_value(static_cast<int64_t>(sample.pages));
            added->add_value(static_cast<int64_t>(sample.pages * page_bytes_));
            add_label(added, "pid", std::to_string(process.pid));
            add_label(added, "cause", runtime::cause_name(sample.cause));
            add_label(added, "type", sample.type);
            add_label(added, "owner", sample.owner);
        }
    }

    void finish(const BuildId& build_id) override {
        for (proto::Mapping& mapping : *profile_.mutable_mapping()) {
            const std::string& path = mapping_paths_[mapping.id() - 1];
            mapping.set_build_id(string_id(path.starts_with('/') ? build_id(path) : ""));
        }
        put_main_program_first();
        std::string message;
        if (!profile_.SerializeToString(&message)) {
            throw Error("the profile is larger than the 2 GiB that its format allows");
        }
        output_.write(gzipped(message));
    }

  private:
    // By convention: readers name the profile by it.
    void put_main_program_first() {
        program_pages_.erase(0);
        const auto main =
            std::max_element(program_pages_.begin(), program_pages_.end(),
                             [](const auto& a, const auto& b) { return a.second < b.second; });
        if (main == program_pages_.end()) return;
        // Ids count from 1, in this order.
        profile_.mutable_mapping()->SwapElements(0, static_cast<int>(main->first) - 1);
    }

    int64_t string_id(std::string_view text) {
        const auto [at, is_new] =
            strings_.try_emplace(printable(text), profile_.string_table_size());
        if (is_new) profile_.add_string_table(at->first);
        return at->second;
    }

    void set_type(proto::ValueType* value, const char* type, const char* unit) {
        value->set_type(string_id(type));
        value->set_unit(string_id(unit));
    }

    void add_label(proto::Sample* sample, const char* key, std::string_view value) {
        if (value.empty()) return;
        proto::Label* label = sample->add_label();
        label->set_key(string_id(key));
        label->set_str(string_id(value));
    }

    void add_stack(const Sample& sample, proto::Sample* added) {
        const std::vector<const Frame*>& frames = sample.stack.frames;
        for (size_t i = 0; i < frames.size(); ++i) {
            const size_t innermost = i;
            while (frames[i]->is_inlined && i + 1 < frames.size()) ++i;
            added->add_location_id(
                location_id(std::span(frames).subspan(innermost, i + 1 - innermost)));
        }
        if (sample.stack.empty()) added->add_location_id(location_of_name(cause_name(sample)));
        if (sample.stack.goes_on) {
            added->add_location_id(location_of_name(attribute::kStackGoesOn));
        }
    }

    uint64_t location_of_name(const std::string& name) {
        Frame named;
        named.is_runtime = true;  // has no address
        named.function = name;
        const Frame* frame = &named;
        return location_id({&frame, 1});
    }

    // Of a runtime's frame, or of an instruction with the functions inlined there.
    uint64_t location_id(std::span<const Frame* const> frames) {
        const Frame& first = *frames.front();
        const uint64_t function = first.is_runtime ? function_id(first) : 0;
        const uint64_t mapping = mapping_id(first.mapping);
        const uint64_t address = first.address - (first.is_caller ? 1 : 0);
        const auto [at, is_new] = locations_.try_emplace(
            {function, first.is_runtime ? first.line : 0, mapping, address}, locations_.size() + 1);
        if (!is_new) return at->second;
        proto::Location* location = profile_.add_location();
        location->set_id(at->second);
        location->set_mapping_id(mapping);
        location->set_address(address);
        for (const Frame* frame : frames) {
            if (frame->function.empty()) continue;
            proto::Line* line = location->add_line();
            line->set_function_id(function_id(*frame));
            line->set_line(frame->line);
        }
        return at->second;
    }

    uint64_t function_id(const Frame& frame) {
        const auto [at, is_new] =
            functions_.try_emplace({string_id(frame.function), string_id(frame.symbol),
                                    string_id(frame.file), frame.first_line},
                                   functions_.size() + 1);
        if (is_new) {
            proto::Function* function = profile_.add_function();
            function->set_id(at->second);
            function->set_name(string_id(frame.function));
            function->set_system_name(string_id(frame.symbol));
            function->set_filename(string_id(frame.file));
            function->set_start_line(frame.first_line);
        }
        return at->second;
    }

    uint64_t mapping_id(const attribute::CodeMapping& mapping) {
        if (!mapping.is_there()) return 0;
        const auto [at, is_new] = mappings_.try_emplace(mapping, mappings_.size() + 1);
        if (is_new) {
            mapping_paths_.emplace_back(mapping.path);
            proto::Mapping* added = profile_.add_mapping();
            added->set_id(at->second);
            added->set_memory_start(mapping.start);
            added->set_memory_limit(mapping.end);
            added->set_file_offset(mapping.file_offset);
            added->set_filename(string_id(mapping.path));
            // All that is known stands in the profile: readers need not look for the files.
            added->set_has_functions(true);
            added->set_has_filenames(true);
            added->set_has_line_numbers(true);
            added->set_has_inline_frames(true);
        }
        return at->second;
    }

    Output& output_;
    proto::Profile profile_;
    std::map<uint64_t, uint64_t> program_pages_;  // by the mapping of the program that copied
    uint64_t page_bytes_ = 0;
    std::unordered_map<std::string, int64_t> strings_;
    // Python function, its line, mapping and address.
    std::map<std::tuple<uint64_t, unsigned, uint64_t, uint64_t>, uint64_t> locations_;
    // Name, symbol, file and first line.
    std::map<std::tuple<int64_t, int64_t, int64_t, int32_t>, uint64_t> functions_;
    std::map<attribute::CodeMapping, uint64_t> mappings_;
    std::vector<std::string> mapping_paths_;  // by id - 1
};

}  // namespace

std::unique_ptr<Writer> pprof_writer(Output* output) {
    return std::make_unique<PprofWriter>(output);
}

}  // namespace cowscope::exports
