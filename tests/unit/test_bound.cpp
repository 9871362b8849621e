// The bound of a recording's size: the shim's writer held against it, and the recorder's share.
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "observe/share_of_bound.h"
#include "session/budget.h"
#include "session/writer.h"
#include "tests/catch.h"
#include "tests/unit/temporary_folder.h"

using namespace cowscope;
using session::Share;
using trace::RecordType;
namespace fs = std::filesystem;

namespace {

constexpr uint64_t kMiB = uint64_t{1} << 20;

// Gives this program a bound for as long as it lives.
class Bounded {
  public:
    Bounded(const std::string& folder, uint64_t bytes) : folder_(open(folder.c_str(), O_PATH)) {
        session::budget = {};
        REQUIRE(session::budget.open(folder_, bytes, bytes) == 0);
    }
    Bounded(const Bounded&) = delete;
    Bounded& operator=(const Bounded&) = delete;
    ~Bounded() {
        close(folder_);
        session::budget = {};
    }

  private:
    int folder_;
};

uint64_t bytes_in(const std::string& folder) {
    uint64_t bytes = 0;
    for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
        struct stat status {};
        REQUIRE(stat(entry.path().c_str(), &status) == 0);
        bytes += std::max<uint64_t>(static_cast<uint64_t>(status.st_size),
                                    static_cast<uint64_t>(status.st_blocks) * 512);
    }
    return bytes;
}

bool write_event(session::Writer* writer) {
    auto* event = writer->begin<trace::EventRecord>(RecordType::event);
    if (event == nullptr) return false;
    const trace::RecordHeader header = event->header;
    *event = {};
    event->header = header;
    writer->commit();
    return true;
}

void write_end(session::Writer* writer) {
    trace::EndRecord end{};
    end.header = {sizeof(end), RecordType::end, 0};
    end.kind = trace::EndKind::bound;
    writer->append(end.header);
}

}  // namespace

TEST_CASE("writers together stay within the bound, whoever asks first", "[bound]") {
    const TemporaryFolder folder;
    const Bounded bounded(folder.path(), kMiB);
    std::vector<session::Writer> writers(5);
    for (size_t i = 0; i < writers.size(); ++i) {
        REQUIRE(
            writers[i].create((folder / ("process-" + std::to_string(i + 1) + "-1.cowseg")).c_str(),
                              static_cast<pid_t>(i + 1), 1) == 0);
    }
    size_t events = 0;
    size_t refused = 0;
    while (refused < writers.size()) {
        refused = 0;
        for (session::Writer& writer : writers) {
            if (write_event(&writer)) {
                ++events;
            } else {
                CHECK(writer.has_reached_limit());
                ++refused;
            }
        }
    }
    CHECK(session::budget.is_reached());
    CHECK(session::budget.file().reached_ns != 0);
    CHECK(bytes_in(folder.path()) <= kMiB * 7 / 8);
    // Not much less either: windows shrink until what is left is used up.
    CHECK(events * sizeof(trace::EventRecord) > kMiB / 2);

    session::Writer late;
    CHECK(late.create((folder / "process-9-1.cowseg").c_str(), 9, 1) != 0);
    CHECK_FALSE(fs::exists(folder / "process-9-1.cowseg"));

    // No event is lost without a word: none was counted as such, and each process says that its
    // recording ended.
    for (size_t i = 0; i < writers.size(); ++i) {
        writers[i].set_closing(true);
        write_end(&writers[i]);
        writers[i].close();
    }
    CHECK(bytes_in(folder.path()) <= kMiB);
}

TEST_CASE("what a recording ends with finds room behind the bound, as far as there is any",
          "[bound]") {
    const TemporaryFolder folder;
    const Bounded bounded(folder.path(), kMiB);
    session::Writer writer;
    const std::string path = folder / "process-7-1.cowseg";
    REQUIRE(writer.create(path.c_str(), 7, 1) == 0);
    while (write_event(&writer)) {
    }
    REQUIRE(writer.has_reached_limit());
    const auto write_census = [&](size_t runs) {
        auto* census =
            writer.begin<trace::CensusRecord>(RecordType::census, runs * sizeof(trace::PageRun));
        if (census == nullptr) return false;
        std::memset(reinterpret_cast<char*>(census) + sizeof(trace::RecordHeader), 0,
                    sizeof(*census) - sizeof(trace::RecordHeader) + runs * sizeof(trace::PageRun));
        writer.commit();
        return true;
    };
    // Even before it is known to be the last.
    CHECK(write_census(1000));
    CHECK_FALSE(write_event(&writer));
    writer.set_closing(true);
    size_t censuses = 0;
    while (censuses < 100 && write_census(1000)) ++censuses;
    CHECK(censuses > 2);
    CHECK(censuses < 100);
    // With a gap in what is said, the rest would be misread; the end is not.
    CHECK_FALSE(write_census(1));
    write_end(&writer);
    writer.close();
    CHECK(bytes_in(folder.path()) <= kMiB);
    session::budget = {};
    std::ifstream file(path, std::ios::binary);
    trace::SegmentHeader header{};
    file.read(reinterpret_cast<char*>(&header), sizeof(header));
    trace::EndRecord end{};
    file.seekg(static_cast<std::streamoff>(header.committed_bytes - sizeof(end)));
    file.read(reinterpret_cast<char*>(&end), sizeof(end));
    REQUIRE(file.good());
    CHECK(end.header.type == RecordType::end);
    CHECK(end.kind == trace::EndKind::bound);
}

TEST_CASE("without a bound nothing is counted and nothing refused", "[bound]") {
    CHECK_FALSE(session::budget.is_set());
    CHECK(session::budget.take(~uint64_t{0}, Share::ordinary));
    CHECK_FALSE(session::budget.is_reached());
}

TEST_CASE("the file of the bound is taken from nobody else, and only whole", "[bound]") {
    const TemporaryFolder folder;
    const std::string path = folder / trace::kBoundFile;
    const int handle = open(folder.path().c_str(), O_PATH);
    session::Budget budget;
    SECTION("a second program counts into the same") {
        REQUIRE(budget.open(handle, kMiB, kMiB) == 0);
        session::Budget other;
        REQUIRE(other.open(handle, kMiB, kMiB) == 0);
        const uint64_t left = budget.left(Share::ordinary);
        REQUIRE(other.take(100'000, Share::ordinary));
        CHECK(budget.left(Share::ordinary) == left - 100'000);
        other.set_reached();
        CHECK(budget.is_reached());
        CHECK_FALSE(budget.take(1, Share::ordinary));
        CHECK(budget.take(1, Share::closing));
    }
    SECTION("a link") {
        std::ofstream(folder / "there") << std::string(sizeof(trace::BoundFile), 'x');
        fs::create_symlink(folder / "there", path);
        CHECK(budget.open(handle, kMiB, kMiB) != 0);
    }
    SECTION("a FIFO") {
        REQUIRE(mkfifo(path.c_str(), 0600) == 0);
        CHECK(budget.open(handle, kMiB, kMiB) != 0);
    }
    SECTION("one that stays short") {
        std::ofstream(path) << "short";
        CHECK(budget.open(handle, kMiB, kMiB) != 0);
    }
    SECTION("another file of that size") {
        std::ofstream(path) << std::string(sizeof(trace::BoundFile), 'x');
        CHECK(budget.open(handle, kMiB, kMiB) != 0);
    }
    SECTION("one whose count is damaged refuses, and does not overflow") {
        REQUIRE(budget.open(handle, kMiB, kMiB) == 0);
        budget.file().used_bytes = ~uint64_t{0} - 5;
        CHECK_FALSE(budget.take(100, Share::closing));
        CHECK(budget.left(Share::closing) == 0);
    }
    close(handle);
}

TEST_CASE("the recorder's own files keep to its share of the bound", "[bound]") {
    const TemporaryFolder folder;
    observe::ShareOfBound share(kMiB);
    const auto name = [&](size_t i) { return folder / ("file-" + std::to_string(i)); };
    size_t written = 0;
    while (written < 1000 && share.replace(name(written), std::string(5000, 'x')) == 0) ++written;
    CHECK(written < 1000);
    CHECK(bytes_in(folder.path()) <= kMiB / trace::kRecorderPart);
    CHECK(bytes_in(folder.path()) > kMiB / trace::kRecorderPart / 2);
    CHECK_FALSE(fs::exists(name(written)));
    CHECK(share.replace(name(0), std::string(6000, 'y')) == observe::kNoRoomInBound);
    CHECK(fs::file_size(name(0)) == 5000);
    // The last one has room of its own.
    CHECK(share.replace(folder / "last", std::string(20'000, 'z'), true) == 0);
    CHECK(bytes_in(folder.path()) <= kMiB / trace::kRecorderPart);

    SECTION("files that are replaced count once") {
        observe::ShareOfBound other(kMiB);
        for (int i = 0; i < 1000; ++i) {
            REQUIRE(other.replace(folder / "again", std::string(5000, 'x')) == 0);
        }
    }
    SECTION("and without a bound any number is") {
        observe::ShareOfBound unbounded;
        CHECK(unbounded.replace(folder / "large", std::string(kMiB, 'x')) == 0);
    }
}
