// JSON lines: one object for each copied page, for whatever loads tables. docs/export.md has the
// columns.
#include <nlohmann/json.hpp>

#include "base/printable.h"
#include "export/formats.h"
#include "export/names.h"

namespace cowscope::exports {
namespace {

using Json = nlohmann::ordered_json;

Json text_or_null(std::string_view text) {
    return text.empty() ? Json() : Json(printable(text));
}

Json line_or_null(unsigned line) {
    return line == 0 ? Json() : Json(line);
}

template <typename Number>
Json number_or_null(const std::optional<Number>& number) {
    return number ? Json(*number) : Json();
}

class JsonlWriter : public Writer {
  public:
    explicit JsonlWriter(Output* output) : output_(*output) {}

    bool needs_pages() const override { return true; }

    void begin(const TraceFacts& facts) override {
        trace_ = {{"host", text_or_null(facts.host)}, {"trace", text_or_null(facts.trace)}};
    }

    void add(const ProcessSamples& process) override {
        Json head = trace_;
        head["command"] = text_or_null(process.command);
        head["pid"] = process.pid;
        head["parent"] = process.parent;
        head["role"] = printable(process.role);
        const std::string start = opened(head);
        // What a sample's pages have in common is put into text once.
        std::vector<std::string> ends;
        for (const Sample& sample : process.samples) ends.push_back(end_of(sample));
        for (const SampledPage& page : process.pages) {
            output_.write(start + "," + fields_of(page) + "," + ends[page.sample]);
        }
    }

    void finish(const BuildId&) override {}

  private:
    // An object's text without its last brace, or its first one.
    static std::string opened(const Json& object) {
        std::string text = object.dump();
        text.pop_back();
        return text;
    }
    static std::string without_start(const Json& object) { return object.dump().substr(1); }

    static std::string fields_of(const SampledPage& page) {
        const Json fields = {{"t_ns", number_or_null(page.time_ns)},
                             {"page", number_or_null(page.address)},
                             {"generation", number_or_null(page.epoch)}};
        return opened(fields).substr(1);
    }

    static std::string end_of(const Sample& sample) {
        const Json fields = {{"cause", runtime::cause_name(sample.cause)},
                             {"type", text_or_null(sample.type)},
                             {"owner", text_or_null(sample.owner)},
                             {"module", text_or_null(sample.code.module)},
                             {"function", text_or_null(sample.code.function)},
                             {"inlined", text_or_null(sample.code.inlined)},
                             {"file", text_or_null(sample.code.file)},
                             {"line", line_or_null(sample.code.line)},
                             {"instruction", text_or_null(sample.code.instruction)},
                             {"python_function", text_or_null(sample.line.function)},
                             {"python_file", text_or_null(sample.line.file)},
                             {"python_line", line_or_null(sample.line.line)},
                             {"pages", 1}};
        return without_start(fields) + "\n";
    }

    Output& output_;
    Json trace_;
};

}  // namespace

std::unique_ptr<Writer> jsonl_writer(Output* output) {
    return std::make_unique<JsonlWriter>(output);
}

}  // namespace cowscope::exports
