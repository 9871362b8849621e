// Every reader of a whole trace: whatever stands in its files, a report or one line that says why
// not.
#include <cstdio>
#include <fstream>
#include <iterator>
#include <memory>
#include <sstream>

#include "attribute/build_report.h"
#include "attribute/details.h"
#include "base/error.h"
#include "compare/diff.h"
#include "export/formats.h"
#include "report/json_value.h"
#include "report/page_data.h"
#include "report/report.h"
#include "tests/fuzz/fuzzer.h"
#include "trace/dump.h"

using namespace cowscope;

namespace {

// What scripts read must be JSON, and what people read must have an end.
// `choice`: of the tables, by the input, since each takes its time.
void check_report(const attribute::Report& report, size_t choice) {
    constexpr const char* kBy[] = {"cause", "site", "type", "owner", "process"};
    report::TextOptions options;
    options.by = kBy[choice % std::size(kBy)];
    options.native = choice % 2 == 0;
    const std::string text = report::to_text(report, options);
    if (text.empty() || text.back() != '\n') fuzz::fail("a text report without an end");
    if (!fuzz::is_plain(text)) fuzz::fail("a text report that holds what may not be shown");
    const std::string json_text = report::to_json(report);
    if (!fuzz::is_plain(json_text)) fuzz::fail("a JSON report that holds what may not be shown");
    const auto json = report::Json::parse(json_text, nullptr, false);
    if (json.is_discarded()) fuzz::fail("a JSON report that is no JSON");
    const auto explained = json.at("totals").at("explained");
    if (!explained.is_number() || explained < 0.0 || explained > 1.0) {
        fuzz::fail("an explained share that is none");
    }
}

void read_all(const std::string& folder, size_t choice) {
    attribute::Details details;
    const attribute::Report report = attribute::build_report(folder, std::nullopt, &details);
    check_report(report, choice);
    const auto page =
        report::Json::parse(report::page_data(report::PageRun{&report, &details}), nullptr, false);
    if (page.is_discarded()) fuzz::fail("data of a page that are no JSON");
}

std::string content_of(const std::string& path) {
    std::ostringstream text;
    text << std::ifstream(path, std::ios::binary).rdbuf();
    return text.str();
}

// In one format, by the input: each reads the whole trace again.
void export_one(const std::string& folder, const std::string& path, size_t choice) {
    constexpr std::unique_ptr<exports::Writer> (*kMake[])(exports::Output*) = {
        exports::collapsed_writer, exports::jsonl_writer, exports::pprof_writer,
        exports::speedscope_writer};
    // A line for each page can be more than any disk holds, and a profile is no text.
    const bool is_checked = kMake[choice % std::size(kMake)] == exports::collapsed_writer ||
                            kMake[choice % std::size(kMake)] == exports::speedscope_writer;
    exports::Output output(is_checked ? path : "/dev/null");
    const auto writer = kMake[choice % std::size(kMake)](&output);
    exports::export_trace(folder, writer.get());
    output.finish();
    if (is_checked && !fuzz::is_plain(content_of(path))) {
        fuzz::fail("an export that holds what may not be shown");
    }
}

void dump(const std::string& folder, const std::string& path) {
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> out(std::fopen(path.c_str(), "we"),
                                                              std::fclose);
    trace::dump(folder, out.get());
    std::fflush(out.get());
    if (!fuzz::is_plain(content_of(path))) fuzz::fail("a dump that holds what may not be shown");
}

template <typename Work>
void attempt(const Work& work) {
    try {
        work();
    } catch (const Error& error) {
        const std::string line = error.what();
        if (line.empty() || line.find('\n') != std::string::npos) {
            fuzz::fail("an error that is not one line");
        }
    }
}

}  // namespace

const fuzz::Kinds fuzz::kFuzzedKinds = fuzz::kAllKinds;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    static const fuzz::Folder folder;
    static const fuzz::Folder outputs;
    folder.clear();
    for (const fuzz::File& file : fuzz::parse(data, size, fuzz::kFuzzedKinds)) {
        folder.write(fuzz::name_of(file), fuzz::bytes_of(file));
    }
    attempt([&] { read_all(folder.path(), size / 8); });
    attempt([&] { export_one(folder.path(), outputs.path() + "/export", size / 8); });
    attempt([&] { dump(folder.path(), outputs.path() + "/dump"); });
    return 0;
}
