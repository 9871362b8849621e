// What the recorder reads of other processes in /proc, and how it knows of their end.
#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <filesystem>
#include <string>
#include <thread>

#include "base/clock.h"
#include "base/other_process.h"
#include "base/read_file.h"
#include "observe/outside_scan.h"
#include "tests/catch.h"
#include "tests/unit/outside_fixture.h"

using namespace cowscope;
using namespace cowscope::observe;

namespace {

// A child that has ended and was not waited for.
class Zombie {
  public:
    template <typename Body>
    explicit Zombie(Body&& body) : pid_(fork()) {
        if (pid_ == 0) {
            body();
            _exit(0);
        }
        REQUIRE(pid_ > 0);
        siginfo_t info{};
        while (waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOWAIT) != 0) {
            REQUIRE(errno == EINTR);
        }
    }
    ~Zombie() { waitpid(pid_, nullptr, 0); }
    Zombie(const Zombie&) = delete;
    Zombie& operator=(const Zombie&) = delete;
    pid_t pid() const { return pid_; }

  private:
    pid_t pid_;
};

trace::FateRecord fate_of(const Zombie& zombie, const trace::ProcessRecord& process,
                          bool may_inspect = true) {
    const auto other = OtherProcess::open(zombie.pid());
    REQUIRE(other);
    const auto status = other->status();
    REQUIRE(status);
    CHECK(status->is_zombie());
    CHECK(other->may_inspect());
    return fate_of_zombie(*status, may_inspect, process, monotonic_ns());
}

constexpr trace::EndKind kUnknown{0};

}  // namespace

TEST_CASE("a process whose first thread has ended has its memory still", "[outside]") {
    const pid_t child = fork();
    if (child == 0) {
        std::thread([] {
            while (true) pause();
        }).detach();
        // Not pthread_exit(), which unwinds the test with it.
        syscall(SYS_exit, 0);
    }
    REQUIRE(child > 0);
    const auto process = OtherProcess::open(child);
    REQUIRE(process);
    const auto has_first = [&] {
        const auto status = OtherProcess::open(child)->status();
        return status && status->state != 'Z';
    };
    while (has_first()) usleep(1000);
    const auto other = OtherProcess::open(child);
    CHECK_FALSE(other->status()->is_zombie());
    const FileDescriptor maps = other->open_file("maps");
    REQUIRE(maps.is_open());
    const auto text = read_all(maps.get(), 1 << 20);
    REQUIRE(text);
    CHECK(text->find("[stack]") != std::string::npos);
    const trace::Mappings mappings(*text, 0);
    // Tests that came before may have left files mapped that are not there any more.
    const std::string program = std::filesystem::read_symlink("/proc/self/exe");
    const auto file =
        std::find_if(mappings.all().begin(), mappings.all().end(),
                     [&](const trace::Mapping& each) { return each.path == program; });
    REQUIRE(file != mappings.all().end());
    CHECK(other->open_mapped(file->start, file->end, file->path).is_open());
    CHECK(other->open_file("pagemap").is_open());
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
}

TEST_CASE("a process's status is read whatever its name is", "[outside]") {
    const std::string numbers =
        " S 41 7 7 0 -1 64 100 0 0 0 1 2 0 0 20 0 3 0 634900 3133440 394 184 94 94 14 0 0 0 0 0 0 "
        "0 0 0 17 1 0 0 0 0 0 94 94 94 14 14 14 14 9\n";
    const std::string name = GENERATE(std::string("a"), "a b) R 1 (", "", ") Z 1");
    const auto status = parse_process_status("12 (" + name + ")" + numbers);
    REQUIRE(status);
    CHECK(status->state == 'S');
    CHECK(status->parent == 41);
    CHECK(status->is_still_forked_image());
    CHECK(status->threads == 3);
    CHECK(status->user_ticks == 1);
    CHECK(status->system_ticks == 2);
    CHECK(status->start_ticks == 634900);
    CHECK(status->resident_pages == 394);
    CHECK(status->exit_code == 9);
    CHECK_FALSE(status->is_zombie());
    for (const std::string rubbish : {"", "12", "12 (a", "12 (a) S", "12 (a) S x", "()"}) {
        CHECK_FALSE(parse_process_status(rubbish));
    }
    CHECK_FALSE(parse_process_status("12 (a)" + numbers.substr(0, numbers.size() - 3)));
}

TEST_CASE("a zombie's end is told for the forked child that it was, and for no other",
          "[outside]") {
    // A child makes its segment when it has been forked. That may take long, under a sanitizer.
    SECTION("an exit status") {
        const Zombie zombie([] { _exit(3); });
        const trace::ProcessRecord process = forked_now();
        const trace::FateRecord fate = fate_of(zombie, process);
        CHECK(fate.kind == trace::EndKind::exit);
        CHECK(fate.value == 3);
        CHECK(fate.gone_ns != 0);
    }
    SECTION("a signal") {
        const Zombie zombie([] { raise(SIGKILL); });
        const trace::ProcessRecord process = forked_now();
        const trace::FateRecord fate = fate_of(zombie, process);
        CHECK(fate.kind == trace::EndKind::signal);
        CHECK(fate.value == SIGKILL);
    }
    SECTION("not where the kernel would not say") {
        const Zombie zombie([] {});
        CHECK(fate_of(zombie, forked_now(), false).kind == kUnknown);
    }
    SECTION("not of a process that became another program") {
        const Zombie zombie([] { execl("/bin/true", "true", nullptr); });
        CHECK(fate_of(zombie, forked_now()).kind == kUnknown);
    }
    SECTION("not of an image, another parent's child, or one of another time") {
        const Zombie zombie([] { _exit(3); });
        trace::ProcessRecord process = forked_now();
        CHECK(fate_of(zombie, process).kind == trace::EndKind::exit);
        process.role = trace::Role::image;
        CHECK(fate_of(zombie, process).kind == kUnknown);
        process = forked_now();
        process.parent_pid = 1;
        CHECK(fate_of(zombie, process).kind == kUnknown);
        process = forked_now();
        process.start_ns -= 5'000'000'000;
        CHECK(fate_of(zombie, process).kind == kUnknown);
        process.start_ns += 10'000'000'000;
        CHECK(fate_of(zombie, process).kind == kUnknown);
    }
}

TEST_CASE("a process whose first thread has ended is no zombie", "[outside]") {
    ProcessStatus status;
    status.state = 'Z';
    status.threads = 2;
    CHECK_FALSE(status.is_zombie());
    status.threads = 1;
    CHECK(status.is_zombie());
    status.state = 'S';
    CHECK_FALSE(status.is_zombie());
}
