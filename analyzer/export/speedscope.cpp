// speedscope's own format (https://www.speedscope.app/file-format-schema.json): sampled profiles,
// one of all processes and one of each that copied.
#include <map>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/printable.h"
#include "export/formats.h"
#include "export/names.h"
#include "symbolize/demangle.h"

namespace cowscope::exports {
namespace {

using Json = nlohmann::ordered_json;

class SpeedscopeWriter : public Writer {
  public:
    explicit SpeedscopeWriter(Output* output) : output_(*output) {}

    void begin(const TraceFacts& facts) override {
        page_bytes_ = facts.page_bytes;
        name_ = printable(facts.trace);
        profiles_.push_back({"all processes", {}});
    }

    void add(const ProcessSamples& process) override {
        Profile profile;
        profile.name =
            printable(fmt::format("{} {}: {}", process.role, process.pid, process.command));
        for (const Sample& sample : process.samples) {
            const Stack stack = stack_of(sample);
            profile.pages[stack] += sample.pages;
            profiles_.front().pages[stack] += sample.pages;
        }
        profiles_.push_back(std::move(profile));
    }

    void finish(const BuildId&) override {
        Json json = {{"$schema", "https://www.speedscope.app/file-format-schema.json"},
                     {"exporter", "cowscope " COWSCOPE_VERSION},
                     {"name", name_},
                     {"activeProfileIndex", 0},
                     {"shared", {{"frames", frames_}}}};
        json["profiles"] = Json::array();
        // One process is all there is.
        const bool is_single = profiles_.size() == 2;
        for (size_t i = is_single ? 1 : 0; i < profiles_.size(); ++i) {
            json["profiles"].push_back(to_json_value(profiles_[i]));
        }
        output_.write(json.dump() + "\n");
    }

  private:
    using Stack = std::vector<size_t>;  // frames, outermost first
    struct Profile {
        std::string name;
        std::map<Stack, uint64_t> pages;
    };

    Json to_json_value(const Profile& profile) const {
        Json samples = Json::array();
        Json weights = Json::array();
        uint64_t bytes = 0;
        for (const auto& [stack, pages] : profile.pages) {
            samples.push_back(stack);
            weights.push_back(pages * page_bytes_);
            bytes += pages * page_bytes_;
        }
        return {{"type", "sampled"},
                {"name", profile.name},
                {"unit", "bytes"},
                {"startValue", 0},
                {"endValue", bytes},
                {"samples", std::move(samples)},
                {"weights", std::move(weights)}};
    }

    Stack stack_of(const Sample& sample) {
        Stack stack;
        if (sample.stack.goes_on) stack.push_back(frame_id({{"name", attribute::kStackGoesOn}}));
        const auto& frames = sample.stack.frames;
        for (auto frame = frames.rbegin(); frame != frames.rend(); ++frame) {
            stack.push_back(frame_id(to_json_value(**frame)));
        }
        stack.push_back(frame_id({{"name", cause_name(sample)}}));
        return stack;
    }

    static Json to_json_value(const attribute::Frame& frame) {
        if (frame.is_runtime) {
            return {{"name", printable(frame.function)},
                    {"file", printable(frame.file)},
                    {"line", frame.line}};
        }
        const std::string name = symbolize::short_name(frame.function);
        Json json = {{"name", name.empty() ? "?" : printable(name)}};
        const std::string_view file = frame.file.empty() ? frame.module : frame.file;
        if (!file.empty()) json["file"] = printable(file);
        if (frame.line != 0) json["line"] = frame.line;
        return json;
    }

    size_t frame_id(const Json& frame) {
        const auto [at, is_new] = frame_ids_.try_emplace(frame.dump(), frames_.size());
        if (is_new) frames_.push_back(frame);
        return at->second;
    }

    Output& output_;
    uint64_t page_bytes_ = 0;
    std::string name_;
    Json frames_ = Json::array();
    std::map<std::string, size_t> frame_ids_;
    std::vector<Profile> profiles_;
};

}  // namespace

std::unique_ptr<Writer> speedscope_writer(Output* output) {
    return std::make_unique<SpeedscopeWriter>(output);
}

}  // namespace cowscope::exports
