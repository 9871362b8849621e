#include "attribute/recording_file.h"

#include <sys/stat.h>
#include <unistd.h>

#include <set>
#include <type_traits>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/file_descriptor.h"
#include "base/printable.h"
#include "base/read_file.h"
#include "trace/trace_file.h"

namespace cowscope::attribute {

namespace {

// Most of it is the command, which the kernel limits to a few MiB.
constexpr size_t kMostBytes = size_t{32} << 20;

std::string content_of(const std::string& path) {
    const FileDescriptor file(trace::open_trace_file(path));
    auto text = read_all(file.get(), kMostBytes);
    if (!text) throw Error(fmt::format("cannot be read, or has over {} bytes", kMostBytes));
    return *std::move(text);
}

// The kernel takes 6 MiB of arguments at most, a pointer to each of them included.
constexpr size_t kMostCommandBytes = size_t{32} << 20;
constexpr size_t kMostNotes = 1000;
constexpr size_t kMostNoteBytes = 4096;
// Of what stands in the file now, and may stand there in later versions.
constexpr size_t kMostDepth = 16;

// Takes the file value by value, as they come: a tree of all would have fifty times its size.
class RecordingReader : public nlohmann::json_sax<nlohmann::json> {
  public:
    explicit RecordingReader(Recording* recording) : recording_(*recording) {}

    void finish() {
        for (const char* name :
             {"command", "start_ns", "end_ns", "exit.kind", "exit.value", "notes"}) {
            if (seen_.count(name) == 0) throw Error(fmt::format("'{}' is missing", name));
        }
        if (end_ns_ >= start_ns_) recording_.duration_ns = end_ns_ - start_ns_;
        recording_.exit = exit_;
    }

    bool null() override { return other("null"); }
    bool boolean(bool /*value*/) override { return other("a truth value"); }
    bool number_integer(number_integer_t value) override { return whole_number(value); }
    bool number_unsigned(number_unsigned_t value) override { return whole_number(value); }
    bool number_float(number_float_t /*value*/, const string_t& /*text*/) override {
        return other("a number that is impossible there");
    }
    bool binary(binary_t& /*value*/) override { return other("bytes"); }

    bool string(string_t& value) override {
        const std::string name = place();
        if (name == "command[]") {
            command_bytes_ += sizeof(std::string) + value.size();
            if (command_bytes_ > kMostCommandBytes) throw Error("a command longer than any can be");
            recording_.command.push_back(std::move(value));
        } else if (name == "notes[]") {
            if (recording_.notes.size() == kMostNotes) throw Error("more notes than are written");
            recording_.notes.push_back(shortened(value, kMostNoteBytes));
        } else if (name == "exit.kind") {
            exit_.kind = shortened(value, kMostNoteBytes);
            seen_.insert(name);
        } else if (name == "host") {
            recording_.host = shortened(value, kMostNoteBytes);
        } else {
            return other("a text");
        }
        return true;
    }

    bool start_object(size_t /*elements*/) override {
        const std::string name = place();
        if (!name.empty() && name != "exit") other("an object");
        return enter(false);
    }
    bool key(string_t& value) override {
        levels_.back().key = shortened(value, kMostKeyBytes);
        return true;
    }
    bool end_object() override { return leave(); }

    bool start_array(size_t /*elements*/) override {
        const std::string name = place();
        if (name == "command") {
            recording_.command.clear();
        } else if (name == "notes") {
            recording_.notes.clear();
        } else {
            other("a list");
        }
        seen_.insert(name);
        return enter(true);
    }
    bool end_array() override { return leave(); }

    bool parse_error(size_t position, const std::string& /*token*/,
                     const nlohmann::detail::exception& /*problem*/) override {
        throw Error(fmt::format("no JSON, from byte {} on", position));
    }

  private:
    static constexpr size_t kMostKeyBytes = 64;

    struct Level {
        bool is_array = false;
        std::string key;
    };

    // "exit.kind", "command[]"; "" for the whole. Of what lies deeper, "?".
    std::string place() const {
        if (levels_.empty()) return "";
        if (levels_.size() > 2 || levels_.front().is_array) return "?";
        std::string name = levels_.front().key;
        if (levels_.size() == 2) name += levels_.back().is_array ? "[]" : "." + levels_.back().key;
        return name;
    }

    // A value where none of its kind belongs: what is not known is passed over.
    bool other(const char* what) {
        static const std::set<std::string> kKnown = {
            "",          "command",    "command[]", "start_ns",      "end_ns", "exit",
            "exit.kind", "exit.value", "host",      "start_unix_ns", "notes",  "notes[]"};
        const std::string name = place();
        if (name.empty()) throw Error(fmt::format("the whole is {}", what));
        if (kKnown.count(name) != 0) throw Error(fmt::format("'{}' is {}", name, what));
        return true;
    }

    template <typename Number>
    bool whole_number(Number value) {
        const std::string name = place();
        const auto take = [&](auto* number) {
            using Wanted = std::remove_pointer_t<decltype(number)>;
            if (!std::in_range<Wanted>(value)) other("a number that is impossible there");
            *number = static_cast<Wanted>(value);
            seen_.insert(name);
        };
        if (name == "start_ns") {
            take(&start_ns_);
        } else if (name == "end_ns") {
            take(&end_ns_);
        } else if (name == "start_unix_ns") {
            uint64_t start = 0;
            take(&start);
            recording_.start_unix_ns = start;
        } else if (name == "exit.value") {
            take(&exit_.value);
        } else {
            return other("a number");
        }
        return true;
    }

    bool enter(bool is_array) {
        if (levels_.size() == kMostDepth)
            throw Error("lists and objects lie too deep in each other");
        levels_.push_back({is_array, ""});
        return true;
    }
    bool leave() {
        levels_.pop_back();
        return true;
    }

    Recording& recording_;
    std::vector<Level> levels_;
    std::set<std::string> seen_;
    size_t command_bytes_ = 0;
    uint64_t start_ns_ = 0;
    uint64_t end_ns_ = 0;
    Recording::Exit exit_;
};

}  // namespace

Recording read_recording(const std::string& folder) {
    const std::string path = folder + "/recording.json";
    Recording recording;
    struct stat status {};
    if (lstat(path.c_str(), &status) != 0) return recording;
    try {
        RecordingReader reader(&recording);
        nlohmann::json::sax_parse(content_of(path), &reader);
        reader.finish();
    } catch (const Error& problem) {
        recording.notes.push_back(path + ": damaged, left out: " + problem.what());
    }
    return recording;
}

}  // namespace cowscope::attribute
