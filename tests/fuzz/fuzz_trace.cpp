// Every reader of a whole trace: whatever stands in its files, a report or one line that says why
// not.
#include <algorithm>
#include <cstdio>
#include <iterator>
#include <memory>

#include "attribute/build_report.h"
#include "attribute/details.h"
#include "compare/diff.h"
#include "error.h"
#include "export/formats.h"
#include "report/json_value.h"
#include "report/page_data.h"
#include "report/report.h"
#include "tests/fuzz/fuzzer.h"
#include "trace/dump.h"

using namespace cowscope;

namespace {

// A trace must not steer the terminal that shows it.
bool is_plain(const std::string& text) {
    return std::none_of(text.begin(), text.end(), [](char c) {
        return (static_cast<unsigned char>(c) < 0x20 && c != '\n') || c == 0x7f;
    });
}

// What scripts read must be JSON, and what people read must have an end.
// `choice`: of the tables, by the input, since each takes its time.
void check_report(const attribute::Report& report, size_t choice) {
    constexpr const char* kBy[] = {"cause", "site", "type", "owner", "process"};
    report::TextOptions options;
    options.by = kBy[choice % std::size(kBy)];
    options.native = choice % 2 == 0;
    const std::string text = report::to_text(report, options);
    if (text.empty() || text.back() != '\n') fuzz::fail("a text report without an end");
    if (!is_plain(text)) fuzz::fail("a text report with control characters");
    const auto json = report::Json::parse(report::to_json(report), nullptr, false);
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

// In one format, by the input: each reads the whole trace again.
void export_one(const std::string& folder, size_t choice) {
    constexpr std::unique_ptr<exports::Writer> (*kMake[])(exports::Output*) = {
        exports::collapsed_writer, exports::jsonl_writer, exports::pprof_writer,
        exports::speedscope_writer};
    exports::Output output("/dev/null");
    const auto writer = kMake[choice % std::size(kMake)](&output);
    exports::export_trace(folder, writer.get());
    output.finish();
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

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    static const fuzz::Folder folder;
    static const std::unique_ptr<std::FILE, int (*)(std::FILE*)> nowhere(
        std::fopen("/dev/null", "we"), std::fclose);
    folder.clear();
    for (const fuzz::File& file : fuzz::parse(data, size)) {
        folder.write(fuzz::name_of(file), fuzz::bytes_of(file));
    }
    attempt([&] { read_all(folder.path(), size / 8); });
    attempt([&] { export_one(folder.path(), size / 8); });
    attempt([&] { trace::dump(folder.path(), nowhere.get()); });
    return 0;
}
