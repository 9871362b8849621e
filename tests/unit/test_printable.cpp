// What names may bring into an output, and that every output asks.
#include <zlib.h>

#include <cstdio>
#include <fstream>
#include <sstream>
#include <string>

#include <nlohmann/json.hpp>

#include "attribute/details.h"
#include "base/printable.h"
#include "cli/record_options.h"
#include "compare/diff.h"
#include "export/formats.h"
#include "report/diff.h"
#include "report/format.h"
#include "report/page_data.h"
#include "report/report.h"
#include "runtime/cpython/value_text.h"
#include "tests/catch.h"
#include "tests/unit/segment_fixture.h"
#include "tests/unit/temporary_folder.h"
#include "trace/dump.h"

using namespace cowscope;

namespace {

const std::string kLost = "\xef\xbf\xbd";

// Everything that steers, turns, hides or divides.
const std::string kEvil =
    "A\x1b]0;pwn\x07\x1b[31m"  // escapes
    "B\xc2\x9b"
    "31m\xc2\x9d"
    "0;pwn\xc2\x9c"  // the same as C1 controls
    "C\xe2\x80\xae"
    "gnp.exe\xe2\x81\xa6"                        // right-to-left override, isolate
    "D\xe2\x80\xa8\xe2\x80\xa9"                  // line and paragraph separators
    "E\xe2\x80\x8b\xef\xbb\xbf\xc2\xad"          // zero width, byte order mark, soft hyphen
    "F\xf3\xa0\x80\x81\xf0\x9b\xb2\xa0"          // a tag, shorthand format control
    "G\xff\xc0\xaf\xed\xa0\x80\xf4\x90\x80\x80"  // invalid, overlong, surrogate, beyond the last
    "H\xef\xbf\xbf\xe2\x82\x7f\r\v"              // noncharacter, cut, DEL, C0
    "Z";

// Everything in front of the last character is whole, and nothing of kEvil's is left.
bool is_plain(std::string_view text, std::string_view more_allowed = "\n") {
    while (!text.empty()) {
        const Character next = first_character(text);
        if (next.bytes == 0) return false;
        const bool is_allowed =
            next.code < 0x80 &&
            more_allowed.find(static_cast<char>(next.code)) != std::string::npos;
        if (!is_printable(next.code) && !is_allowed) return false;
        text.remove_prefix(next.bytes);
    }
    return true;
}

std::string text_of_file(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

attribute::Frame evil_frame(bool is_runtime) {
    attribute::Frame frame;
    frame.is_runtime = is_runtime;
    frame.function = frame.file = frame.symbol = frame.module = kEvil;
    return frame;
}
const attribute::Frame kEvilNative = evil_frame(false);
const attribute::Frame kEvilRuntime = evil_frame(true);

attribute::WritingCode evil_code() {
    attribute::WritingCode code;
    code.module = code.function = code.inlined = code.file = code.instruction = kEvil;
    return code;
}

// A report in which every text is evil.
attribute::Report evil_report() {
    using namespace attribute;
    Report report;
    report.trace = report.tracker = report.witness = report.sample = kEvil;
    report.command = {kEvil, kEvil};
    report.notes = {kEvil};
    report.totals.processes = 1;
    report.totals.copied_pages = report.totals.inherited_pages = 100;
    report.totals.finalization_pages = 1;
    ProcessSummary process;
    process.role = process.command = process.exit_kind = process.census = kEvil;
    process.inherited_pages = process.copied_pages = 100;
    report.processes = {process, process};
    report.processes[1].role = "fork";
    report.causes = {{Cause::refcount, 100, 1, 0, {{kEvil, 100, 0}}}};
    SiteShare site;
    site.pages = 100;
    site.code = evil_code();
    site.evidence = kEvil;
    site.type = kEvil;
    site.native_stack = {{&kEvilNative, &kEvilNative, &kEvilNative}, true};
    site.examples = {kEvil};
    report.sites = {site, site};
    report.sites[1].mixed_stack = {{&kEvilRuntime, &kEvilNative}, false};
    OwnerShare owner;
    owner.owner = kEvil;
    owner.pages = owner.pages_with = 100;
    owner.causes = {{Cause::store, 100}};
    owner.types = {{kEvil, 100, 0}};
    report.owners = {owner};
    report.advice = {{kEvil, kEvil, 100, 1, kEvil}};
    AfterBound after;
    after.copies = 10;
    AggregateSite place;
    place.copies = 10;
    place.code = evil_code();
    place.native_stack = {{&kEvilNative, &kEvilNative}, false};
    after.sites = {place, place};
    after.sites[1].runtime_stack = {{&kEvilRuntime}, false};
    report.after_bound = after;
    return report;
}

exports::ProcessSamples evil_samples() {
    exports::ProcessSamples process;
    process.role = process.command = kEvil;
    exports::Sample sample;
    sample.type = sample.owner = kEvil;
    sample.code = evil_code();
    sample.line = {kEvil, kEvil, 7};
    sample.pages = 1;
    sample.stack = {{&kEvilNative, &kEvilRuntime}, true};
    process.samples = {sample};
    process.pages = {{0x1000, 5, 0, 0}};
    return process;
}

// What a pprof profile holds, decompressed.
std::string inflated(const std::string& compressed) {
    z_stream stream{};
    REQUIRE(inflateInit2(&stream, MAX_WBITS + 16) == Z_OK);
    std::string result(1 << 20, '\0');
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(compressed.data()));
    stream.avail_in = static_cast<uInt>(compressed.size());
    stream.next_out = reinterpret_cast<Bytef*>(result.data());
    stream.avail_out = static_cast<uInt>(result.size());
    REQUIRE(inflate(&stream, Z_FINISH) == Z_STREAM_END);
    result.resize(stream.total_out);
    inflateEnd(&stream);
    return result;
}

}  // namespace

TEST_CASE("what only shows itself may be shown", "[printable]") {
    for (const uint32_t code : {0x20u, 0x7eu, 0xa0u, 0xa1u, 0xe9u, 0x3b1u, 0x2026u, 0x2192u,
                                0x6570u, 0xfffdu, 0x1f404u, 0xe000u, 0x10fffdu}) {
        CAPTURE(code);
        CHECK(is_printable(code));
    }
}

TEST_CASE("controls, separators, format characters and noncharacters may not", "[printable]") {
    const std::pair<uint32_t, uint32_t> ranges[] = {
        {0, 0x1f},          {0x7f, 0x9f},         {0xad, 0xad},        {0x61c, 0x61c},
        {0x180e, 0x180e},   {0x200b, 0x200f},     {0x2028, 0x202e},    {0x2060, 0x206f},
        {0xd800, 0xdfff},   {0xfdd0, 0xfdef},     {0xfe00, 0xfe0f},    {0xfeff, 0xfeff},
        {0xfff9, 0xfffb},   {0xfffe, 0xffff},     {0x1d173, 0x1d17a},  {0x1fffe, 0x1ffff},
        {0xe0000, 0xe0fff}, {0x10fffe, 0x10ffff}, {0x110000, 0x110002}};
    for (const auto& [first, last] : ranges) {
        for (uint32_t code = first; code <= last; ++code) {
            CAPTURE(code);
            CHECK_FALSE(is_printable(code));
        }
    }
}

TEST_CASE("a name becomes what may be shown, once and for all", "[printable]") {
    CHECK(printable("a\nb\tc\x7f") == "a b c ");
    CHECK(printable("a\nb\tc\x1b", LineBreaks::stay) == "a\nb\tc ");
    CHECK(printable("\xc2\x9b"
                    "31m") == kLost + "31m");
    CHECK(printable("a\x80\x9bz") == "a" + kLost + kLost + "z");
    CHECK(printable("\xe2\x80\xae") == kLost);
    CHECK(printable("数え上げ … 🐄") == "数え上げ … 🐄");
    CHECK(is_plain(printable(kEvil), ""));
    CHECK(printable(printable(kEvil)) == printable(kEvil));
    // Every byte, and every two of them.
    for (unsigned i = 0; i < 0x10000; ++i) {
        const std::string two = {static_cast<char>(i >> 8), static_cast<char>(i)};
        if (!is_plain(printable(two), "") || printable(printable(two)) != printable(two)) FAIL(i);
    }
}

TEST_CASE("a long text is cut between characters", "[printable]") {
    CHECK(shortened("abc", 3) == "abc");
    CHECK(shortened("abcd", 3) == "abc…");
    CHECK(shortened("aé€", 2) == "a…");
    CHECK(shortened("aé€", 5) == "aé…");
    CHECK(shortened(std::string(10, '\x80'), 7) == std::string(3, '\x80') + "…");
}

TEST_CASE("values of Python's are written as Python would", "[printable]") {
    trace::ObjectValue value;
    value.facts.kind = trace::ValueKind::str;
    value.text = "\xc2\x9b\xe2\x80\xae\xf3\xa0\x80\x81\xff'é\n";
    CHECK(cpython::value_text(value) == "'\\x9b\\u202e\\U000e0001\\xff\\'é\\n'");
    value.facts.kind = trace::ValueKind::bytes;
    value.text = "\xc3\xa9z";
    CHECK(cpython::value_text(value) == "b'\\xc3\\xa9z'");
}

TEST_CASE("no name passes into a report as it is", "[printable]") {
    const attribute::Report report = evil_report();
    for (const char* by : {"cause", "site", "type", "owner", "process"}) {
        for (const bool is_native : {false, true}) {
            for (const unsigned width : {60u, 160u}) {
                report::TextOptions options;
                options.by = by;
                options.native = is_native;
                options.width = width;
                const std::string text = report::to_text(report, options);
                CAPTURE(by, is_native, text);
                CHECK(is_plain(text));
                CHECK(text.find("pwn") != std::string::npos);
            }
        }
    }
    CHECK(is_plain(report::to_json(report)));
    const attribute::Details details;
    CHECK(is_plain(report::page_data({&report, &details})));
}

TEST_CASE("emphasis is the only thing that steers a terminal", "[printable]") {
    const attribute::Report report = evil_report();
    report::TextOptions options;
    options.color = true;
    std::string text = report::to_text(report, options);
    REQUIRE(text.find("\033[1m") != std::string::npos);
    for (const std::string mark : {"\033[1m", "\033[0m"}) {
        for (size_t at; (at = text.find(mark)) != std::string::npos;) text.erase(at, mark.size());
    }
    CHECK(is_plain(text));
}

TEST_CASE("JSON has the lines of a command, and no other control", "[printable]") {
    attribute::Report report = evil_report();
    report.command = {"python3", "-c", "import os\n\tos.fork()\x1b\xc2\x9b"};
    const auto json = nlohmann::json::parse(report::to_json(report));
    CHECK(json.at("command").at(2) == "import os\n\tos.fork() " + kLost);
}

TEST_CASE("no name passes into a comparison as it is", "[printable]") {
    attribute::Report before = evil_report();
    attribute::Report after = evil_report();
    before.sites[0].pages = 5000;
    before.causes[0].pages = before.totals.copied_pages = 5000;
    after.owners[0].owner = kEvil + "2";
    const compare::Diff diff = compare::compare(before, after);
    report::TextOptions options;
    CHECK(is_plain(report::to_text(diff, options)));
    CHECK(is_plain(report::to_json(diff)));
    const attribute::Details details;
    CHECK(is_plain(report::page_data({&before, &details}, {&after, &details}, diff)));
}

TEST_CASE("no name passes into an export as it is", "[printable]") {
    const TemporaryFolder folder;
    const std::pair<const char*, std::unique_ptr<exports::Writer> (*)(exports::Output*)> formats[] =
        {{"collapsed", exports::collapsed_writer},
         {"jsonl", exports::jsonl_writer},
         {"speedscope", exports::speedscope_writer},
         {"pprof", exports::pprof_writer}};
    for (const auto& [name, make] : formats) {
        CAPTURE(name);
        const std::string path = folder / name;
        exports::Output output(path);
        const auto writer = make(&output);
        exports::TraceFacts facts;
        facts.trace = facts.host = kEvil;
        facts.command = facts.notes = facts.damage = {kEvil};
        writer->begin(facts);
        writer->add(evil_samples());
        writer->finish([](const std::string&) { return kEvil; });
        output.finish();
        const std::string text = text_of_file(path);
        if (std::string(name) == "pprof") {
            // Numbers stand between the names.
            const std::string profile = inflated(text);
            CHECK(profile.find("pwn") != std::string::npos);
            for (const char* each :
                 {"\x1b]0", "\xc2\x9b", "\xc2\x9d", "\xe2\x80\xae", "\xe2\x80\xa8", "\xef\xbb\xbf",
                  "\xed\xa0\x80", "\xf3\xa0\x80\x81"}) {
                CHECK(profile.find(each) == std::string::npos);
            }
        } else {
            CHECK(text.find("pwn") != std::string::npos);
            CHECK(is_plain(text));
        }
    }
}

TEST_CASE("no name passes into a dump as it is", "[printable]") {
    const TemporaryFolder folder;
    {
        session::Writer writer;
        REQUIRE(writer.create((folder / (kEvil.substr(0, 20) + ".cowseg")).c_str(), 7, 77) == 0);
        const auto bytes = static_cast<uint32_t>(kEvil.size());
        trace::ProcessRecord process{};
        process.pid = 7;
        process.role = trace::Role::fork;
        process.command_bytes = process.executable_bytes = bytes;
        write(&writer, RecordType::process, process, kEvil + kEvil);
        write(&writer, RecordType::type, trace::TypeRecord{{}, 0x5000, bytes, 0}, kEvil);
        write_inherited(&writer, {{0x7f0000000000, 4}});
        trace::RuntimeCodeRecord code{};
        code.name_bytes = code.file_bytes = static_cast<uint16_t>(bytes);
        write(&writer, RecordType::runtime_code, code, kEvil + kEvil);
        trace::ObjectValueRecord value{};
        value.text_bytes = bytes;
        write(&writer, RecordType::object_value, value, kEvil);
    }
    const std::string path = folder / "out";
    std::FILE* out = std::fopen(path.c_str(), "we");
    REQUIRE(out != nullptr);
    trace::dump(folder.path(), out);
    REQUIRE(std::fclose(out) == 0);
    const std::string text = text_of_file(path);
    CHECK(text.find("pwn") != std::string::npos);
    CHECK(is_plain(text));
}
