// Collapsed stacks, as flamegraph.pl and its kin read them: "outermost;…;innermost;[cause] pages".
#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "export/formats.h"
#include "export/names.h"

namespace cowscope::exports {
namespace {

// A semicolon divides frames.
std::string without_semicolons(std::string name) {
    std::replace(name.begin(), name.end(), ';', ':');
    return name;
}

class CollapsedWriter : public Writer {
  public:
    explicit CollapsedWriter(Output* output) : output_(*output) {}

    void begin(const TraceFacts&) override {}

    void add(const ProcessSamples& process) override {
        for (const Sample& sample : process.samples) {
            std::string line =
                sample.stack.goes_on ? std::string(attribute::kStackGoesOn) + ";" : "";
            const auto& frames = sample.stack.frames;
            for (auto frame = frames.rbegin(); frame != frames.rend(); ++frame) {
                line += without_semicolons(frame_name(**frame)) + ";";
            }
            line += without_semicolons(cause_name(sample));
            // All lines of all processes are held at once.
            if (line_bytes_ > kMostLineBytes && pages_.count(line) == 0) {
                line = fmt::format("{};{}", attribute::kStackGoesOn,
                                   without_semicolons(cause_name(sample)));
            }
            const auto [at, is_new] = pages_.try_emplace(line, 0);
            if (is_new) line_bytes_ += line.size();
            at->second += sample.pages;
        }
    }

    void finish(const BuildId&) override {
        for (const auto& [stack, pages] : pages_) {
            output_.write(fmt::format("{} {}\n", stack, pages));
        }
    }

  private:
    static constexpr size_t kMostLineBytes = size_t{384} << 20;

    Output& output_;
    std::map<std::string, uint64_t> pages_;
    size_t line_bytes_ = 0;
};

}  // namespace

std::unique_ptr<Writer> collapsed_writer(Output* output) {
    return std::make_unique<CollapsedWriter>(output);
}

}  // namespace cowscope::exports
