// `cowscope html` as a command: where the page goes, and what it refuses. What the page shows is
// tested in a browser (tests/page).
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "tests/catch.h"
#include "tests/e2e/cowscope_program.h"
#include "tests/e2e/other_user.h"
#include "tests/e2e/temporary_folder.h"
#include "tests/e2e/truth.h"

using namespace cowscope::e2e;
namespace fs = std::filesystem;

namespace {

// A folder that holds a trace, "t.cow".
class WithTrace {
  public:
    WithTrace() {
        record_successfully(trace(), {kStringMap, "--entries", "1000", "--children", "1"});
        options_.folder = folder_.path().string();
    }
    std::string trace() const { return folder_ / "t.cow"; }
    std::string operator/(const std::string& name) const { return folder_ / name; }
    RunResult html(const Words& arguments) const {
        return run_cowscope(joined({"html"}, arguments), options_);
    }
    void write(const std::string& name, const std::string& text) const {
        std::ofstream(folder_ / name) << text;
    }

  private:
    TemporaryFolder folder_;
    RunOptions options_;
};

void check_page(const std::string& file) {
    CAPTURE(file);
    const std::string page = read_file(file);
    CHECK(page.rfind("<!doctype html>", 0) == 0);
    CHECK(contains(page, "</html>"));
    // One file, and nothing that a network would have to bring.
    CHECK_FALSE(contains(page, " src="));
    CHECK_FALSE(contains(page, "@import"));
}

}  // namespace

TEST_CASE("html writes TRACE.html here, and says so", "[html]") {
    const WithTrace folder;
    const bool is_named = GENERATE(true, false);
    const RunResult result = folder.html(is_named ? Words{"t.cow/"} : Words{});
    CAPTURE(result.err);
    REQUIRE(result.status() == 0);
    CHECK(result.out.empty());
    // Where no trace is named, which one it is.
    CHECK(line_count(result.err) == (is_named ? 1 : 2));
    CHECK(contains(result.err, "t.cow, the newest trace here") == !is_named);
    CHECK(contains(result.err, "t.html"));
    check_page(folder / "t.html");
    // An earlier page is replaced.
    CHECK(folder.html({"t.cow"}).status() == 0);
    check_page(folder / "t.html");
}

TEST_CASE("html writes where -o says", "[html]") {
    const WithTrace folder;
    CHECK(folder.html({"t.cow", "-o", "page"}).status() == 0);
    check_page(folder / "page");
    CHECK_FALSE(fs::exists(folder / "t.html"));

    const RunResult out = folder.html({"t.cow", "-o", "-"});
    CHECK(out.status() == 0);
    CHECK(out.err.empty());
    CHECK(out.out == read_file(folder / "page"));

    CHECK(folder.html({"t.cow", "-o", "/dev/null"}).status() == 0);
    CHECK(fs::is_character_file("/dev/null"));

    // Empty files are nobody's, and links lead to what they name.
    folder.write("empty", "");
    fs::create_symlink("empty", folder / "link");
    CHECK(folder.html({"t.cow", "-o", "link"}).status() == 0);
    CHECK(fs::is_symlink(folder / "link"));
    check_page(folder / "empty");
}

TEST_CASE("html --diff writes BEFORE-AFTER.html here, or where -o says", "[html]") {
    const WithTrace folder;
    fs::copy(folder / "t.cow", folder / "later.cow", fs::copy_options::recursive);
    const RunResult result = folder.html({"--diff", "t.cow/", "later.cow"});
    CAPTURE(result.err);
    REQUIRE(result.status() == 0);
    CHECK(result.out.empty());
    CHECK(contains(result.err, "t-later.html"));
    check_page(folder / "t-later.html");
    const RunResult out = folder.html({"--diff", "t.cow/", "later.cow", "-o", "-"});
    CHECK(out.status() == 0);
    CHECK(out.out == read_file(folder / "t-later.html"));

    check_refusal(folder.html({"--diff"}));
    check_refusal(folder.html({"--diff", "t.cow"}));
    check_refusal(folder.html({"--diff", "t.cow", "later.cow", "t.cow"}));
    const RunResult nowhere = folder.html({"--diff", "t.cow", "nowhere", "-o", "page"});
    check_refusal(nowhere);
    CHECK(contains(nowhere.err, "nowhere"));
    CHECK_FALSE(fs::exists(folder / "page"));
    folder.write("t-later.html", "mine");
    check_refusal(folder.html({"--diff", "t.cow", "later.cow"}));
    CHECK(read_file(folder / "t-later.html") == "mine");
}

TEST_CASE("html replaces nobody's files", "[html]") {
    const WithTrace folder;
    folder.write("t.html", "<!doctype html><p>mine");
    const RunResult result = folder.html({"t.cow"});
    check_refusal(result);
    CHECK(contains(result.err, "t.html"));
    CHECK(contains(result.err, "-o"));
    CHECK(read_file(folder / "t.html") == "<!doctype html><p>mine");
    check_refusal(folder.html({"t.cow", "-o", "t.cow"}));
    check_refusal(folder.html({"t.cow", "-o", ""}));
}

TEST_CASE("html refuses what is no trace, and places that cannot be written", "[html]") {
    const WithTrace folder;
    fs::create_directory(folder / "nothing");
    for (const std::string& trace : {std::string("nothing"), std::string("nowhere")}) {
        const RunResult result = folder.html({trace});
        check_refusal(result);
        CHECK(contains(result.err, trace));
        CHECK_FALSE(fs::exists(folder / (trace + ".html")));
    }
    for (const std::string& file : {std::string("/nowhere/page.html"), std::string("/proc/page"),
                                    std::string("/dev/full"), std::string(5000, 'x')}) {
        const RunResult result = folder.html({"t.cow", "-o", file});
        check_refusal(result);
        CHECK(contains(result.err, file.substr(0, 99)));
    }
    check_refusal(folder.html({"t.cow", "other.cow"}));
}

TEST_CASE("html in a folder of someone else's is one line", "[html]") {
    const WithTrace folder;
    const TemporaryFolder closed;
    chmod(closed.path().c_str(), 0555);
    const OtherUser user;
    if (user.id() == geteuid()) return;
    RunOptions options;
    options.before_exec = [&] { return user.become(); };
    // The trace is its owner's alone.
    check_refusal(run_program({user.cowscope(), "html", folder.trace(), "-o", "-"}, options));
    check_refusal(
        run_program({user.cowscope(), "html", folder.trace(), "-o", closed / "p.html"}, options));
    CHECK(fs::is_empty(closed.path()));
}
