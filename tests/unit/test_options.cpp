// Options of `run` and `record`: their values, where they come from, how they reach the shim, and
// where the program's own arguments begin.
#include <unistd.h>

#include <algorithm>
#include <map>
#include <string>

#include "base/error.h"
#include "cli/parse.h"
#include "record/options.h"
#include "tests/catch.h"

using namespace cowscope;
using record::Choice;
using record::OptionTexts;
using record::RecordOptions;

namespace {

using Variables = std::map<std::string, std::string>;

RecordOptions resolve(const OptionTexts& texts, const Variables& variables = {}) {
    return record::resolve_options(texts, [&](const char* name) -> const char* {
        const auto found = variables.find(name);
        return found == variables.end() ? nullptr : found->second.c_str();
    });
}

Choice parse_tracker(std::string_view source, std::string_view text) {
    return record::parse_choice(record::trackers(), source, text);
}

Choice parse_witness(std::string_view source, std::string_view text) {
    return record::parse_choice(record::witnesses(), source, text);
}

template <typename Call>
std::string error_of(Call&& call) {
    try {
        call();
    } catch (const Error& error) {
        return error.what();
    }
    return "no error";
}

std::string value_of(const std::vector<std::string>& environment, const std::string& name) {
    std::string value = "not set";
    int count = 0;
    for (const std::string& entry : environment) {
        if (entry.rfind(name + '=', 0) != 0) continue;
        value = entry.substr(name.size() + 1);
        ++count;
    }
    REQUIRE(count <= 1);
    return value;
}

}  // namespace

TEST_CASE("options have the documented defaults", "[options]") {
    const RecordOptions options = resolve({});
    CHECK(options.tracker == Choice());
    CHECK(options.witness == Choice());
    CHECK_FALSE(options.sample.has_value());
    CHECK(options.max_stack == 64);
    CHECK_FALSE(options.max_trace.has_value());
    CHECK_FALSE(options.output.has_value());
    CHECK_FALSE(options.quiet);
}

TEST_CASE("every valid value is read, and spelled back the same", "[options]") {
    for (const char* name : {"auto", "userfaultfd", "soft-dirty", "off"}) {
        CHECK(parse_tracker("--tracker", name).name() == name);
    }
    for (const char* name : {"auto", "trap", "off"}) {
        CHECK(parse_witness("--witness", name).name() == name);
    }
    CHECK(parse_tracker("--tracker", "soft-dirty") == Choice(record::kSoftDirty));
    CHECK(parse_witness("--witness", "trap") == Choice(record::kTrap));
    CHECK_FALSE(record::parse_sample("--sample", "auto").has_value());
    CHECK(record::parse_sample("--sample", "1") == 1u);
    CHECK(record::parse_sample("--sample", "1000000000") == 1000000000u);
    CHECK(record::parse_max_stack("--max-stack", "1") == 1);
    CHECK(record::parse_max_stack("--max-stack", "512") == 512);
}

TEST_CASE("an unknown value is an error that lists the valid ones", "[options]") {
    CHECK(error_of([] { parse_tracker("--tracker", "uffd"); }) ==
          "--tracker: unknown value 'uffd'; valid are auto, userfaultfd, soft-dirty, off");
    CHECK(error_of([] { parse_tracker("--tracker", "soft_dirty"); }) != "no error");
    CHECK(error_of([] { parse_witness("COWSCOPE_WITNESS", "perf"); }) ==
          "COWSCOPE_WITNESS: unknown value 'perf'; valid are auto, trap, off");
    for (const char* text :
         {"", "0", "-1", "+1", "1 ", " 1", "1x", "0x10", "1000000001", "4294967297", "1.5"}) {
        CAPTURE(text);
        CHECK(error_of([&] { record::parse_sample("--sample", text); }) ==
              std::string("--sample: unknown value '") + text +
                  "'; valid are auto and whole numbers from 1 to 1000000000");
    }
    for (const char* text : {"", "0", "513", "auto", "99999999999999999999"}) {
        CAPTURE(text);
        CHECK(error_of([&] { record::parse_max_stack("--max-stack", text); }) ==
              std::string("--max-stack: unknown value '") + text +
                  "'; valid are whole numbers from 1 to 512");
    }
}

TEST_CASE("the command line wins over the environment", "[options]") {
    const Variables variables = {{"COWSCOPE_TRACKER", "off"},
                                 {"COWSCOPE_WITNESS", "off"},
                                 {"COWSCOPE_SAMPLE", "7"},
                                 {"COWSCOPE_MAX_STACK", "9"},
                                 {"COWSCOPE_OUTPUT", "there"}};
    SECTION("without options the variables count") {
        const RecordOptions options = resolve({}, variables);
        CHECK(options.tracker == Choice::off());
        CHECK(options.witness == Choice::off());
        CHECK(options.sample == 7u);
        CHECK(options.max_stack == 9);
        CHECK(options.output == "there");
    }
    SECTION("options win") {
        OptionTexts texts;
        texts.tracker = "userfaultfd";
        texts.witness = "trap";
        texts.sample = "auto";
        texts.max_stack = "11";
        texts.output = "here";
        const RecordOptions options = resolve(texts, variables);
        CHECK(options.tracker == Choice(record::kUserfaultfd));
        CHECK(options.witness == Choice(record::kTrap));
        CHECK_FALSE(options.sample.has_value());
        CHECK(options.max_stack == 11);
        CHECK(options.output == "here");
    }
    SECTION("a variable that is empty counts as not set") {
        CHECK(resolve({}, {{"COWSCOPE_TRACKER", ""}}).tracker == Choice());
    }
    SECTION("a variable that is not valid is named") {
        CHECK(error_of([] {
                  resolve({}, {{"COWSCOPE_MAX_STACK", "many"}});
              }) ==
              "COWSCOPE_MAX_STACK: unknown value 'many'; valid are whole numbers from 1 to 512");
    }
    SECTION("values are kept or not") {
        CHECK(error_of([] {
                  resolve({}, {{"COWSCOPE_VALUES", "no"}});
              }) == "COWSCOPE_VALUES: unknown value 'no'; valid are 0, 1");
    }
    SECTION("an output folder needs a name") {
        OptionTexts texts;
        texts.output = "";
        CHECK(error_of([&] { resolve(texts); }) == "-o: the folder has no name");
    }
}

TEST_CASE("sizes of a trace are bytes, or powers of 1024, and at least a MiB", "[options]") {
    const auto size = [](const char* text) { return record::parse_max_trace("--max-trace", text); };
    CHECK(size("1M") == 1'048'576);
    CHECK(size("1048576") == 1'048'576);
    CHECK(size("1024K") == 1'048'576);
    CHECK(size("2G") == uint64_t{2} << 30);
    CHECK(size("8589934591G") == uint64_t{8'589'934'591} << 30);
    CHECK(size("1.5M") == 1'572'864);
    CHECK(size("2MB") == 2'000'000);
    for (const char* text : {"", "0", "1", "1048575", "1023K", "M", "0.9M", "1m", "1MB", "1 M",
                             "-1M", "+1M", "1MM", "8589934592G", "99999999999999999999"}) {
        CAPTURE(text);
        CHECK(error_of([&] { size(text); }) ==
              std::string("--max-trace: unknown value '") + text +
                  "'; valid are sizes of at least 1M, as in 512M, 2G or 1500000");
    }
    CHECK(resolve({}, {{"COWSCOPE_MAX_TRACE", "64M"}}).max_trace == uint64_t{64} << 20);
    OptionTexts texts;
    texts.max_trace = "2M";
    const RecordOptions options = resolve(texts, {{"COWSCOPE_MAX_TRACE", "64M"}});
    CHECK(options.max_trace == uint64_t{2} << 20);
    const auto composed =
        record::compose_environment({"COWSCOPE_MAX_TRACE=64M"}, options, "/s", "/t");
    CHECK(value_of(composed, "COWSCOPE_MAX_TRACE") == "2097152");
}

TEST_CASE("values of objects are kept unless the command line or the environment says not to",
          "[options]") {
    CHECK(resolve({}).values);
    CHECK(resolve({}, {{"COWSCOPE_VALUES", "1"}}).values);
    CHECK_FALSE(resolve({}, {{"COWSCOPE_VALUES", "0"}}).values);
    OptionTexts texts;
    texts.no_values = true;
    CHECK_FALSE(resolve(texts, {{"COWSCOPE_VALUES", "1"}}).values);
}

TEST_CASE("the program's environment gets LD_PRELOAD, COWSCOPE_*, what ASan needs, and no more",
          "[options]") {
    RecordOptions options;
    options.tracker = Choice(record::kSoftDirty);
    options.witness = Choice(record::kTrap);
    options.sample = 16;
    options.max_stack = 32;
    const std::vector<std::string> inherited = {
        "PATH=/bin", "LD_PRELOADER=x",    "odd",
        "EMPTY=",    "COWSCOPE_SAMPLE=3", "COWSCOPE_SHIM=/s/shim.so"};

    const auto composed =
        record::compose_environment(inherited, options, "/lib/libcowscope.so", "/tmp/a:b c");
    CHECK(value_of(composed, "LD_PRELOAD") == "/lib/libcowscope.so");
    CHECK(value_of(composed, "COWSCOPE_TRACKER") == "soft-dirty");
    CHECK(value_of(composed, "COWSCOPE_WITNESS") == "trap");
    CHECK(value_of(composed, "COWSCOPE_SAMPLE") == "16");
    CHECK(value_of(composed, "COWSCOPE_MAX_STACK") == "32");
    CHECK(value_of(composed, "COWSCOPE_OUTPUT") == "/tmp/a:b c");
    CHECK(value_of(composed, "COWSCOPE_VALUES") == "1");
    CHECK(value_of(composed, "COWSCOPE_MAX_TRACE") == "not set");
    // The five that are not ours, in their order, then our eight and ASan's.
    const std::vector<std::string> others(composed.begin(), composed.begin() + 5);
    CHECK(others == std::vector<std::string>{"PATH=/bin", "LD_PRELOADER=x", "odd",
                                             "EMPTY=", "COWSCOPE_SHIM=/s/shim.so"});
    CHECK(value_of(composed, "COWSCOPE_RECORDER") == std::to_string(getpid()));
    CHECK(composed.size() == 14);
}

TEST_CASE("the shim goes before what is preloaded already", "[options]") {
    const auto preload = [](const char* entry) {
        return value_of(record::compose_environment({entry}, {}, "/lib/c.so", "/o"), "LD_PRELOAD");
    };
    CHECK(preload("LD_PRELOAD=/a.so") == "/lib/c.so:/a.so");
    CHECK(preload("LD_PRELOAD=/a.so /b.so:/d.so") == "/lib/c.so:/a.so /b.so:/d.so");
    CHECK(preload("LD_PRELOAD=") == "/lib/c.so");
}

TEST_CASE("ASan is told that its library need not be the first", "[options]") {
    const auto asan = [](const std::vector<std::string>& inherited) {
        return value_of(record::compose_environment(inherited, {}, "/lib/c.so", "/o"),
                        "ASAN_OPTIONS");
    };
    CHECK(asan({}) == "verify_asan_link_order=0");
    CHECK(asan({"ASAN_OPTIONS="}) == "verify_asan_link_order=0");
    CHECK(asan({"ASAN_OPTIONS=detect_leaks=0"}) == "detect_leaks=0:verify_asan_link_order=0");
    // What the user says of it stays.
    CHECK(asan({"ASAN_OPTIONS=verify_asan_link_order=1:detect_leaks=0"}) ==
          "verify_asan_link_order=1:detect_leaks=0");
}

TEST_CASE("a shim that LD_PRELOAD cannot name is refused", "[options]") {
    for (const char* shim : {"/my files/c.so", "/a:b/c.so"}) {
        CAPTURE(shim);
        CHECK(error_of([&] {
                  record::compose_environment({}, {}, shim, "/o");
              }).find("COWSCOPE_SHIM") != std::string::npos);
    }
}

TEST_CASE("the program's arguments go to the program untouched", "[options][cli]") {
    CLI::App app("", "cowscope test");
    std::string output;
    bool quiet = false;
    app.add_option("-o,--output", output);
    app.add_flag("-q,--quiet", quiet);

    using cli::Arguments;
    struct Case {
        Arguments given, own, program;
    };
    const Case cases[] = {
        {{}, {}, {}},
        {{"prog", "-o", "x", "--", "-h"}, {}, {"prog", "-o", "x", "--", "-h"}},
        {{"-o", "d", "--", "prog", "-h"}, {"-o", "d"}, {"prog", "-h"}},
        {{"-o", "d", "prog", "--quiet"}, {"-o", "d"}, {"prog", "--quiet"}},
        {{"-od", "prog"}, {"-od"}, {"prog"}},
        {{"-qo", "d", "prog"}, {"-qo", "d"}, {"prog"}},
        {{"-qod", "prog"}, {"-qod"}, {"prog"}},
        {{"--output=d", "prog"}, {"--output=d"}, {"prog"}},
        {{"--output", "--quiet", "prog"}, {"--output", "--quiet"}, {"prog"}},
        {{"--quiet", "prog", "", "[a]", "%%"}, {"--quiet"}, {"prog", "", "[a]", "%%"}},
        {{"--quiet", "--", "--", "x"}, {"--quiet"}, {"--", "x"}},
        {{"--unknown", "prog"}, {"--unknown"}, {"prog"}},
        {{"--", "-prog"}, {}, {"-prog"}},
        {{"-", "x"}, {}, {"-", "x"}},
        {{"--output"}, {"--output"}, {}},
    };
    for (const Case& c : cases) {
        CAPTURE(c.given);
        const cli::SplitArguments split = cli::split_at_program(app, c.given);
        CHECK(split.own == c.own);
        CHECK(split.program == c.program);
    }
}

TEST_CASE("what is wrong on the command line is named in one line", "[options][cli]") {
    const auto parse_error = [](const cli::Arguments& arguments) {
        CLI::App app("", "cowscope test");
        std::string output;
        app.add_option("-o,--output", output);
        return error_of([&] { cli::parse(app, arguments); });
    };
    CHECK(parse_error({"-o", "d"}) == "no error");
    CHECK(parse_error({"--bogus"}) == "unknown option '--bogus' (see cowscope test -h)");
    CHECK(parse_error({"-x"}) == "unknown option '-x' (see cowscope test -h)");
    CHECK(parse_error({"extra"}) == "unexpected argument 'extra' (see cowscope test -h)");
    CHECK(parse_error({"--output"}) == "option --output needs a value (see cowscope test -h)");
    const std::string repeated = parse_error({"-o", "a", "-o", "b"});
    CHECK(repeated.find("--output") != std::string::npos);
    CHECK(std::count(repeated.begin(), repeated.end(), '\n') == 0);
}
