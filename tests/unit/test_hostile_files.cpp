// The files of a trace that wish us ill: links, FIFOs, sizes and names. What segments hold is
// test_hostile_trace.cpp's.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "attribute/recording_file.h"
#include "base/error.h"
#include "base/printable.h"
#include "base/write_file.h"
#include "cli/record_options.h"
#include "observe/segment_tail.h"
#include "tests/catch.h"
#include "tests/unit/outside_fixture.h"
#include "tests/unit/temporary_folder.h"
#include "tests/unit/trace_errors.h"
#include "trace/dump.h"
#include "trace/trace.h"

using namespace cowscope;
using observe::Segment;
namespace fs = std::filesystem;

namespace {

void write_text(const std::string& path, const std::string& text) {
    std::ofstream file(path, std::ios::binary);
    file << text;
    REQUIRE(file.good());
}

std::string text_of(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

}  // namespace

TEST_CASE("no link in a trace is followed, and nothing but regular files is read", "[hostile]") {
    const TemporaryFolder folder;
    const TemporaryFolder elsewhere;
    const std::string path = folder / "process-7-77.cowseg";
    SECTION("a link to a good segment elsewhere") {
        Segment segment(elsewhere / "s.cowseg");
        fs::create_symlink(elsewhere / "s.cowseg", path);
        CHECK(error_of(path) == path + ": a link; a trace has none");
    }
    SECTION("a link to a device") {
        fs::create_symlink("/dev/zero", path);
        CHECK(error_of(path) == path + ": a link; a trace has none");
    }
    SECTION("a FIFO, which nobody writes to") {
        REQUIRE(mkfifo(path.c_str(), 0600) == 0);
        CHECK(error_of(path) == path + ": not a regular file");
    }
    SECTION("a folder") {
        fs::create_directory(path);
        CHECK(error_of(path) == path + ": not a regular file");
    }
    observe::SegmentTail tail(path);
    CHECK_THROWS_AS(tail.read_on(), Error);
}

TEST_CASE("what stands beside the segments is no link either", "[hostile]") {
    const TemporaryFolder folder;
    const TemporaryFolder elsewhere;
    {
        Segment segment(folder / "process-7-77.cowseg");
        Segment other(elsewhere / "other");
    }
    const std::string name = GENERATE(std::string("outside-7-77.cowscan"), "owners-7-77-8.cowown");
    fs::create_symlink(elsewhere / "other", folder / name);
    const trace::Trace trace = trace::load(folder.path());
    REQUIRE(trace.damage.size() == 1);
    CHECK(trace.damage[0] == folder / name + ": a link; a trace has none");
}

TEST_CASE("a recording.json that is a link, a FIFO or huge is a note", "[hostile]") {
    const TemporaryFolder folder;
    const TemporaryFolder elsewhere;
    const std::string path = folder / "recording.json";
    const std::string good =
        R"({"command":["secret"],"start_ns":1,"end_ns":2,"exit":{"kind":"exit","value":0},"notes":[]})";
    SECTION("link") {
        write_text(elsewhere / "r.json", good);
        fs::create_symlink(elsewhere / "r.json", path);
    }
    SECTION("FIFO") {
        REQUIRE(mkfifo(path.c_str(), 0600) == 0);
    }
    SECTION("a hole of 8 GiB") {
        write_text(path, good);
        REQUIRE(truncate(path.c_str(), off_t{8} << 30) == 0);
    }
    const attribute::Recording recording = attribute::read_recording(folder.path());
    CHECK(recording.command.empty());
    REQUIRE(recording.notes.size() == 1);
    CHECK(contains(recording.notes[0], path + ": damaged, left out: "));
}

TEST_CASE("a recording.json of depth, or of impossible numbers, is a note", "[hostile]") {
    const TemporaryFolder folder;
    const std::string path = folder / "recording.json";
    const auto with = [](const std::string& start, const std::string& value) {
        return R"({"command":[],"start_ns":)" + start +
               R"(,"end_ns":9,"exit":{"kind":"exit","value":)" + value + R"(},"notes":[]})";
    };
    const std::string text = GENERATE_COPY(
        with("1e300", "0"), with("-1", "0"), with("1.5", "0"), with("true", "0"),
        with("1", "1e300"), with("1", "2147483648"), with("1", "-2147483649"),
        std::string(2'000'000, '['), std::string(1'000'000, '[') + std::string(1'000'000, ']'));
    CAPTURE(text.substr(0, 90));
    write_text(path, text);
    const attribute::Recording recording = attribute::read_recording(folder.path());
    const bool is_whole = recording.duration_ns.has_value() && recording.exit.has_value();
    CHECK_FALSE(is_whole);
    REQUIRE(recording.notes.size() == 1);
    CHECK(contains(recording.notes[0], path + ": damaged, left out: "));
}

TEST_CASE("a file is written past links, hard links and FIFOs that stand in its way", "[hostile]") {
    const TemporaryFolder folder;
    const TemporaryFolder elsewhere;
    const std::string path = folder / "recording.json";
    const std::string theirs = elsewhere / "theirs";
    write_text(theirs, "precious");
    SECTION("a link to it") {
        fs::create_symlink(theirs, path + ".tmp");
    }
    SECTION("a hard link to it") {
        fs::create_hard_link(theirs, path + ".tmp");
    }
    SECTION("a FIFO that nobody reads") {
        REQUIRE(mkfifo((path + ".tmp").c_str(), 0600) == 0);
    }
    SECTION("the file itself is a link") {
        fs::create_symlink(theirs, path);
    }
    CHECK(replace_file(path, "ours") == 0);
    CHECK(text_of(path) == "ours");
    CHECK(fs::symlink_status(path).type() == fs::file_type::regular);
    CHECK((fs::status(path).permissions() & fs::perms::mask) == fs::perms(0600));
    CHECK(text_of(theirs) == "precious");
}

TEST_CASE("a segment is created for its owner alone, and through no link", "[hostile]") {
    const TemporaryFolder folder;
    const TemporaryFolder elsewhere;
    session::Writer writer;
    const std::string path = folder / "process-7-77.cowseg";
    const mode_t before = umask(0);
    CHECK(writer.create(path.c_str(), 7, 77) == 0);
    umask(before);
    CHECK((fs::status(path).permissions() & fs::perms::mask) == fs::perms(0600));

    const std::string link = folder / "process-8-77.cowseg";
    write_text(elsewhere / "theirs", "precious");
    fs::create_symlink(elsewhere / "theirs", link);
    session::Writer other;
    CHECK(other.create(link.c_str(), 8, 77) != 0);
    CHECK(text_of(elsewhere / "theirs") == "precious");
}

TEST_CASE("names of files steer no terminal", "[hostile]") {
    const TemporaryFolder folder;
    // As C0 and as C1 controls, from right to left, and in no UTF-8.
    const std::string bad =
        "\x1b]0;mine\x07\n\x7f\xc2\x9d"
        "0;\xc2\x9c\xe2\x80\xae\xff.cowseg";
    write_text(folder / bad, "no segment");
    { Segment segment(folder / "\x1b[2J.cowseg"); }
    const std::string out = folder / "out";
    SECTION("of a dump") {
        std::FILE* file = std::fopen(out.c_str(), "we");
        REQUIRE(file != nullptr);
        trace::dump(folder.path(), file);
        REQUIRE(std::fclose(file) == 0);
    }
    SECTION("of an error") {
        const int before = dup(STDERR_FILENO);
        const int file = open(out.c_str(), O_WRONLY | O_CREAT, 0600);
        REQUIRE(dup2(file, STDERR_FILENO) == STDERR_FILENO);
        cli::say(error_of(folder / bad));
        REQUIRE(dup2(before, STDERR_FILENO) == STDERR_FILENO);
        close(before);
        close(file);
        CHECK(contains(text_of(out), "]0;mine"));
    }
    const std::string text = text_of(out);
    CHECK(contains(text, ".cowseg"));
    CHECK(printable(text, LineBreaks::stay) == text);
}
