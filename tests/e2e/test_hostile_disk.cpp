// The place where a trace is written fills up or goes away.
#include <sys/mount.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
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

// A file system in a file, which can be made to go wrong: ext4 becomes read-only then.
class FailingDisk {
  public:
    FailingDisk(const std::string& image, std::string folder) : folder_(std::move(folder)) {
        fs::create_directory(folder_);
        std::ofstream(image).close();
        fs::resize_file(image, size_t{32} << 20);
        if (run_program({"mkfs.ext4", "-q", "-F", image}).status() != 0) return;
        const Words options = {"mount", "-o", "loop,errors=remount-ro", image, folder_};
        is_mounted_ = run_program(options).status() == 0;
        const RunResult device = run_program({"findmnt", "-no", "SOURCE", folder_});
        const std::string name = device.out.substr(0, device.out.find('\n'));
        switch_ = "/sys/fs/ext4/" + fs::path(name).filename().string() + "/trigger_fs_error";
        is_mounted_ = is_mounted_ && access(switch_.c_str(), W_OK) == 0;
    }
    FailingDisk(const FailingDisk&) = delete;
    FailingDisk& operator=(const FailingDisk&) = delete;
    ~FailingDisk() { umount2(folder_.c_str(), MNT_DETACH); }
    bool is_mounted() const { return is_mounted_; }
    // Of a shell.
    std::string command_to_fail() const { return "echo 1 > " + switch_; }

  private:
    std::string folder_;
    std::string switch_;
    bool is_mounted_ = false;
};

// A file system in a file that writes nothing again where it was: a page that has been written back
// needs new room when it is changed.
class MovingDisk {
  public:
    MovingDisk(const std::string& image, std::string folder) : folder_(std::move(folder)) {
        fs::create_directory(folder_);
        std::ofstream(image).close();
        fs::resize_file(image, size_t{128} << 20);
        if (run_program({"mkfs.btrfs", "-q", "-f", image}).status() != 0) return;
        is_mounted_ = run_program({"mount", "-o", "loop", image, folder_}).status() == 0;
    }
    MovingDisk(const MovingDisk&) = delete;
    MovingDisk& operator=(const MovingDisk&) = delete;
    ~MovingDisk() { umount2(folder_.c_str(), MNT_DETACH); }
    bool is_mounted() const { return is_mounted_; }

  private:
    std::string folder_;
    bool is_mounted_ = false;
};

// Of a shell: runs paused_writer, and `meanwhile` while its child waits.
std::string paused_script(const std::string& talk, uint64_t pages, const std::string& end,
                          const std::string& meanwhile) {
    return program_of_tests("paused_writer") + " " + talk + " " + std::to_string(pages) + " 1 " +
           end + " & while [ ! -e " + talk + "/ready ]; do sleep 0.01; done; " + meanwhile +
           "; touch " + talk + "/go " + talk + "/reap; ";
}

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

TEST_CASE("a full disk that moves what is written again costs records, never the program",
          "[hostile]") {
    const TemporaryFolder folder;
    const MovingDisk disk(folder / "image", folder / "disk");
    if (!disk.is_mounted()) {
        WARN("SKIPPED: this machine mounts no btrfs in a file (root, loop devices, btrfs-progs)");
        return;
    }
    constexpr uint64_t kPages = 4'000;
    const std::string talk = folder / "talk";
    fs::create_directory(talk);
    // Until nothing more fits, in steps as small as they come; and all is written back.
    const std::string fill = "dd if=/dev/zero of=" + folder / "disk/filler" + " bs=1M 2>" + talk +
                             "/dd; dd if=/dev/zero of=" + folder / "disk/rest" + " bs=4096 2>>" +
                             talk + "/dd; sync -f " + folder / "disk" + "; sync";
    RunOptions options;
    options.timeout = std::chrono::seconds(240);
    const std::string trace = folder / "disk/t.cow";
    const std::string bounded = GENERATE(std::string(""), "--max-trace");
    CAPTURE(bounded);
    const Words bound = bounded.empty() ? Words{} : Words{bounded, "2M"};
    const RunResult run = run_program(
        joined(joined(joined({kCowscope, "record", "--quiet"}, bound),
                      {"-o", trace, "--", "/bin/sh", "-c"}),
               {paused_script(talk, kPages, "goes_on", fill) + "wait $!; echo status $?; exit 5"}),
        options);
    CAPTURE(run.out, run.err);
    CHECK_FALSE(run.timed_out);
    CHECK(run.status() == 5);
    CHECK(run.out == "status 0\n");
    std::ifstream said(talk + "/dd");
    const std::string dd((std::istreambuf_iterator<char>(said)), std::istreambuf_iterator<char>());
    CHECK(contains(dd, "No space left"));
    // What was committed before is there.
    const Json report = report_json(trace);
    check_consistent(report);
    CHECK(report["totals"]["copied_pages"] >= kPages / 2);
}

TEST_CASE("a disk that was full for a while costs only what was said meanwhile", "[hostile]") {
    const TemporaryFolder folder;
    const SmallDisk disk(folder / "disk", size_t{4} << 20);
    if (!disk.is_mounted()) {
        WARN("SKIPPED: only root can make a small file system");
        return;
    }
    constexpr uint64_t kPages = 4'000;
    const std::string talk = folder / "talk";
    fs::create_directory(talk);
    const std::string filler = folder / "disk/filler";
    const std::string fill = "dd if=/dev/zero of=" + filler + " bs=4096 2>" + talk + "/dd";
    // More is given up meanwhile than there is room for.
    const std::string script = paused_script(talk, kPages, "gives_up", fill) + "while [ ! -e " +
                               talk + "/done ]; do sleep 0.01; done; rm " + filler + "; touch " +
                               talk + "/end; wait $!; exit 5";
    RunOptions options;
    options.timeout = std::chrono::seconds(60);
    const std::string trace = folder / "disk/t.cow";
    const RunResult run = run_program({kCowscope, "record", "--quiet", "--witness", "off", "-o",
                                       trace, "--", "/bin/sh", "-c", script},
                                      options);
    CAPTURE(run.out, run.err);
    CHECK(run.status() == 5);
    std::ifstream said(talk + "/dd");
    const std::string dd((std::istreambuf_iterator<char>(said)), std::istreambuf_iterator<char>());
    CHECK(contains(dd, "No space left"));
    const Json report = report_json(trace);
    check_consistent(report);
    CHECK_FALSE(find_note(report, {"found no room"}).empty());
    std::ifstream ready(talk + "/ready");
    int child = 0;
    ready >> child;
    const Json process = find_process(report, child, "fork");
    CAPTURE(process.dump(1));
    REQUIRE_FALSE(process.is_null());
    CHECK(process["exit"]["kind"] == "exit");
    CHECK(process["census"] == "final");
    CHECK(process["copied_pages"] >= kPages / 2);
}

// The kernel makes nothing read-only that has files open for writing (fs/namespace.c,
// sb_prepare_remount_readonly()).
TEST_CASE("a disk stays writable while a program is recorded on it", "[hostile]") {
    const TemporaryFolder folder;
    const SmallDisk disk(folder / "disk", size_t{8} << 20);
    if (!disk.is_mounted()) {
        WARN("SKIPPED: only root can make a small file system");
        return;
    }
    const std::string remount = "mount -o remount,ro '" + folder / "disk" + "' 2>&1; echo $?";
    const std::string script = "(exit 3); " + remount + "; " + kPageWriter + " > '" +
                               folder / "truth" + "'; echo status $?; exit 5";
    const std::string trace = folder / "disk/t.cow";
    const RunResult run =
        run_cowscope({"record", "--quiet", "-o", trace, "--", "/bin/sh", "-c", script});
    CAPTURE(run.out, run.err);
    CHECK(run.status() == 5);
    CHECK(contains(run.out, "busy"));
    CHECK(contains(run.out, "status 0"));
    CHECK(run.err.empty());
    const Json report = report_json(trace);
    check_consistent(report);
    CHECK(find_note(report, {"found no room"}).empty());
    // The shell waits with all signals blocked (dash, jobs.c, waitproc()): a copy that it makes
    // there has no place. It waits for three.
    for (const Json& process : report["processes"]) {
        CAPTURE(process.dump(1));
        CHECK(process["lost_events"] <= (process["role"] == "root" ? 3 : 0));
    }
    // Nobody holds it now.
    CHECK(run_program({"/bin/sh", "-c", remount}).out == "0\n");
    CHECK(run_cowscope({"report", trace}).status() == 0);
}

TEST_CASE("a disk that turns read-only costs records, never the program", "[hostile]") {
    const TemporaryFolder folder;
    const FailingDisk disk(folder / "image", folder / "disk");
    if (!disk.is_mounted()) {
        WARN("SKIPPED: this machine mounts no ext4 in a file (root, loop devices, e2fsprogs)");
        return;
    }
    // A child that writes half of its pages before and half behind, then programs that start when
    // nothing can be written any more.
    constexpr uint64_t kPages = 40'000;
    const std::string talk = folder / "talk";
    const std::string script =
        program_of_tests("paused_writer") + " " + talk + " " + std::to_string(kPages) +
        " 1 goes_on & while [ ! -e " + talk + "/ready ]; do sleep 0.01; done; " + "$FAIL; touch " +
        talk + "/go " + talk + "/reap; wait $!; echo status $?; " + kPageWriter + " > " + talk +
        "/truth; echo status $?; (x=1; exit 3); echo status $?; exit 5";
    RunOptions options;
    options.timeout = std::chrono::seconds(60);
    const std::string trace = folder / "disk/t.cow";
    const auto run_with = [&](const Words& command, const std::string& fail) {
        fs::remove_all(talk);
        fs::create_directory(talk);
        options.environment = {"FAIL=" + fail};
        return run_program(joined(command, {"/bin/sh", "-c", script}), options);
    };
    const RunResult alone = run_with({}, "true");
    CAPTURE(alone.err);
    REQUIRE(alone.status() == 5);

    const RunResult run = run_with({kCowscope, "record", "--quiet", "-o", trace, "--"},
                                   "eval " + disk.command_to_fail());
    CAPTURE(run.err);
    CHECK_FALSE(run.timed_out);
    CHECK(run.status() == 5);
    CHECK(run.out == alone.out);
    // What was lost is said once, by the recorder.
    CHECK(line_count(run.err) == line_count(alone.err) + 1);
    CHECK(contains(run.err, "Read-only file system"));
    const Json report = report_json(trace);
    check_consistent(report);
    CHECK(lost_events(report) > 0);
    CHECK_FALSE(find_note(report, {"found no room", "read-only"}).empty());
    CHECK(report["totals"]["copied_pages"] >= kPages / 2);
    CHECK(report["totals"]["copied_pages"] <= 2 * kPages);
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

TEST_CASE("what a fork found no room to say does not hide the copies behind it", "[hostile]") {
    constexpr uint64_t kWritten = 3 * 4000;
    const TemporaryFolder folder;
    const SmallDisk disk(folder / "disk", size_t{4} << 20);
    if (!disk.is_mounted()) {
        WARN("SKIPPED: only root can mount a disk; nothing was tested");
        return;
    }
    const RunResult run =
        run_cowscope({"record", "--sample", "1", "-o", folder / "disk/t.cow", "--",
                      program_of_tests("full_disk_forks"), folder / "disk"});
    CAPTURE(run.err);
    REQUIRE(run.status() == 0);
    const Json report = report_json(folder / "disk/t.cow");
    const Json root = processes_of(report, "root").at(0);
    uint64_t seen = 0;
    for (const Json& site : report["sites"]) {
        if (contains(site["function"].get<std::string>(), "write_pages")) {
            seen += site["pages"].get<uint64_t>();
        }
    }
    const uint64_t lost = root["lost_events"].get<uint64_t>();
    CAPTURE(seen, lost, root.dump(1));
    CHECK(seen <= kWritten);
    CHECK(seen + lost >= kWritten);
}
