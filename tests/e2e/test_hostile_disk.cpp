// The place where a trace is written fills up or goes away.
#include <sys/mount.h>
#include <unistd.h>

#include <filesystem>
#include <string>

#include "tests/catch.h"
#include "tests/e2e/cowscope_program.h"
#include "tests/e2e/report_json.h"
#include "tests/e2e/temporary_folder.h"

using namespace cowscope::e2e;
namespace fs = std::filesystem;

namespace {

const Words kProgram = {kStringMap,   "--entries", "100000",   "--unique",  "100000",
                        "--children", "4",         "--values", "refcounted"};

// A file system of `bytes`, for as long as this lives.
class SmallDisk {
  public:
    SmallDisk(std::string folder, size_t bytes) : folder_(std::move(folder)) {
        fs::create_directory(folder_);
        is_mounted_ = mount("none", folder_.c_str(), "tmpfs", 0,
                            ("size=" + std::to_string(bytes)).c_str()) == 0;
    }
    SmallDisk(const SmallDisk&) = delete;
    SmallDisk& operator=(const SmallDisk&) = delete;
    ~SmallDisk() {
        if (is_mounted_) umount2(folder_.c_str(), MNT_DETACH);
    }
    bool is_mounted() const { return is_mounted_; }

  private:
    std::string folder_;
    bool is_mounted_ = false;
};

uint64_t lost_events(const Json& report) {
    return report["totals"]["lost_events"].get<uint64_t>();
}

}  // namespace

TEST_CASE("a full disk costs records, never the program", "[hostile]") {
    const TemporaryFolder folder;
    // Enough for some of the records; for the files' heads; for nothing.
    const size_t bytes = GENERATE(size_t{512} * 1024, size_t{64} * 1024, size_t{4} * 1024);
    CAPTURE(bytes);
    const SmallDisk disk(folder / "disk", bytes);
    if (!disk.is_mounted()) {
        WARN("SKIPPED: only root can make a small file system");
        return;
    }
    const RunResult alone = run_program(kProgram);
    const RunResult run =
        run_cowscope(joined({"record", "-o", folder / "disk/t.cow", "--"}, kProgram));
    CAPTURE(run.err);
    CHECK(run.status() == alone.status());
    CHECK(line_count(run.out) == line_count(alone.out));
    const RunResult reported = run_cowscope({"report", folder / "disk/t.cow", "--format", "json"});
    CAPTURE(reported.err);
    if (bytes > size_t{256} * 1024) {
        REQUIRE(reported.status() == 0);
        const Json report = Json::parse(reported.out);
        CHECK(lost_events(report) > 0);
        CHECK_FALSE(find_note(report, {"found no room", "disk full"}).empty());
        CHECK(report["totals"]["copied_pages"] > 0);
    } else if (reported.status() != 0) {
        check_refusal(reported);
    }
}

TEST_CASE("a trace folder that is deleted meanwhile is one line", "[hostile]") {
    const TemporaryFolder folder;
    const std::string trace = folder / "t.cow";
    const RunResult run = run_cowscope(
        {"record", "-o", trace, "--", "/bin/sh", "-c",
         "(x=1; :) ; rm -rf '" + trace + "'; (y=2; :); (z=3; sleep 0.6; :); echo here; exit 5"});
    CAPTURE(run.err);
    CHECK(run.status() == 5);
    CHECK(run.out == "here\n");
    CHECK(contains(run.err, trace + " was deleted while the program ran"));
    // Programs that were started later may have left something.
    const RunResult reported = run_cowscope({"report", trace});
    if (reported.status() != 0) check_refusal(reported);
}
