// The bound of a recording's size: the shim's writer held against it, the recorder's share, and the
// reader of the table of what came later against torn and wrong files.
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "error.h"
#include "record/share_of_bound.h"
#include "segment/budget.h"
#include "segment/writer.h"
#include "tests/catch.h"
#include "tests/unit/temporary_folder.h"
#include "trace/later.h"
#include "trace/process_trace.h"

using namespace cowscope;
using segment::Share;
using trace::RecordType;
namespace fs = std::filesystem;

namespace {

constexpr uint64_t kMiB = uint64_t{1} << 20;

// Gives this program a bound for as long as it lives.
class Bounded {
  public:
    Bounded(const std::string& folder, uint64_t bytes) : folder_(open(folder.c_str(), O_PATH)) {
        segment::budget = {};
        REQUIRE(segment::budget.open(folder_, bytes, bytes) == 0);
    }
    Bounded(const Bounded&) = delete;
    Bounded& operator=(const Bounded&) = delete;
    ~Bounded() {
        close(folder_);
        segment::budget = {};
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

bool write_event(segment::Writer* writer) {
    auto* event = writer->begin<trace::EventRecord>(RecordType::event);
    if (event == nullptr) return false;
    const trace::RecordHeader header = event->header;
    *event = {};
    event->header = header;
    writer->commit();
    return true;
}

void write_end(segment::Writer* writer) {
    trace::EndRecord end{};
    end.header = {sizeof(end), RecordType::end, 0};
    end.kind = trace::EndKind::bound;
    writer->append(end.header);
}

// Of one place, whose code object has a name.
struct Table {
    trace::LaterHeader header{};
    trace::LaterSlot slot{};
    std::vector<trace::LaterCode> codes{{5, 0, trace::kWhole}};
    trace::PythonCodeRecord code{};
    std::string text = "readmain.py\x01\x02";
    std::string behind;

    Table() {
        std::memcpy(header.magic, trace::kLaterMagic, sizeof(header.magic));
        header.version = trace::kBoundVersion;
        header.slot_count = 1;
        header.slot_bytes = sizeof(slot);
        header.pid = 7;
        header.created_ns = 77;
        header.counts.copies = 5;
        header.counts.processes = 2;
        slot.key = 99;
        slot.copies = 5;
        slot.is_whole = 1;
        slot.depth = 2;
        slot.ips[0] = 0x1000;
        slot.ips[1] = 0x2000;
        slot.python_depth = 1;
        slot.python[0] = {0x3000, 8, 1};
        header.code_count = 1;
        header.text_bytes = static_cast<uint32_t>(sizeof(code) + text.size());
        header.python_version = 0x030b07f0;
        code.address = 0x3000;
        code.first_line = 12;
        code.name_bytes = 4;
        code.file_bytes = 7;
        code.line_table_bytes = 2;
    }

    void write(const std::string& path) const {
        std::ofstream file(path, std::ios::binary);
        file.write(reinterpret_cast<const char*>(&header), sizeof(header));
        file.write(reinterpret_cast<const char*>(&slot), sizeof(slot));
        for (const trace::LaterCode& entry : codes) {
            file.write(reinterpret_cast<const char*>(&entry), sizeof(entry));
        }
        file.write(reinterpret_cast<const char*>(&code), sizeof(code));
        file << text << behind;
        REQUIRE(file.good());
    }
};

std::string error_of_table(const std::string& path) {
    try {
        trace::read_later(path);
    } catch (const Error& error) {
        return error.what();
    }
    return "no error";
}

}  // namespace

TEST_CASE("writers together stay within the bound, whoever asks first", "[bound]") {
    const TemporaryFolder folder;
    const Bounded bounded(folder.path(), kMiB);
    std::vector<segment::Writer> writers(5);
    for (size_t i = 0; i < writers.size(); ++i) {
        REQUIRE(
            writers[i].create((folder / ("process-" + std::to_string(i + 1) + "-1.cowseg")).c_str(),
                              static_cast<pid_t>(i + 1), 1) == 0);
    }
    size_t events = 0;
    size_t refused = 0;
    while (refused < writers.size()) {
        refused = 0;
        for (segment::Writer& writer : writers) {
            if (write_event(&writer)) {
                ++events;
            } else {
                CHECK(writer.reached_bound());
                ++refused;
            }
        }
    }
    CHECK(segment::budget.is_reached());
    CHECK(segment::budget.file().reached_ns != 0);
    CHECK(bytes_in(folder.path()) <= kMiB * 7 / 8);
    // Not much less either: windows shrink until what is left is used up.
    CHECK(events * sizeof(trace::EventRecord) > kMiB / 2);

    segment::Writer late;
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
    segment::Writer writer;
    const std::string path = folder / "process-7-1.cowseg";
    REQUIRE(writer.create(path.c_str(), 7, 1) == 0);
    while (write_event(&writer)) {
    }
    REQUIRE(writer.reached_bound());
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
    segment::budget = {};
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
    CHECK_FALSE(segment::budget.is_set());
    CHECK(segment::budget.take(~uint64_t{0}, Share::ordinary));
    CHECK_FALSE(segment::budget.is_reached());
}

TEST_CASE("the file of the bound is taken from nobody else, and only whole", "[bound]") {
    const TemporaryFolder folder;
    const std::string path = folder / trace::kBoundFile;
    const int handle = open(folder.path().c_str(), O_PATH);
    segment::Budget budget;
    SECTION("a second program counts into the same") {
        REQUIRE(budget.open(handle, kMiB, kMiB) == 0);
        segment::Budget other;
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
    record::ShareOfBound share(kMiB);
    const auto name = [&](size_t i) { return folder / ("file-" + std::to_string(i)); };
    size_t written = 0;
    while (written < 1000 && share.replace(name(written), std::string(5000, 'x')) == 0) ++written;
    CHECK(written < 1000);
    CHECK(bytes_in(folder.path()) <= kMiB / trace::kRecorderPart);
    CHECK(bytes_in(folder.path()) > kMiB / trace::kRecorderPart / 2);
    CHECK_FALSE(fs::exists(name(written)));
    CHECK(share.replace(name(0), std::string(6000, 'y')) == record::kNoRoomInBound);
    CHECK(fs::file_size(name(0)) == 5000);
    // The last one has room of its own.
    CHECK(share.replace(folder / "last", std::string(20'000, 'z'), true) == 0);
    CHECK(bytes_in(folder.path()) <= kMiB / trace::kRecorderPart);

    SECTION("files that are replaced count once") {
        record::ShareOfBound other(kMiB);
        for (int i = 0; i < 1000; ++i) {
            REQUIRE(other.replace(folder / "again", std::string(5000, 'x')) == 0);
        }
    }
    SECTION("and without a bound any number is") {
        record::ShareOfBound unbounded;
        CHECK(unbounded.replace(folder / "large", std::string(kMiB, 'x')) == 0);
    }
}

TEST_CASE("a table of what came later is read, and a wrong one is one clear line", "[bound]") {
    const TemporaryFolder folder;
    const std::string path = folder / "later-7-77.cowlater";
    Table table;
    SECTION("a good one") {
        table.write(path);
        const trace::Later later = trace::read_later(path);
        CHECK(later.pid == 7);
        CHECK(later.created_ns == 77);
        CHECK(later.counts.copies == 5);
        REQUIRE(later.sites.size() == 1);
        CHECK(later.sites[0].copies == 5);
        CHECK(later.sites[0].ips == std::vector<uint64_t>{0x1000, 0x2000});
        REQUIRE(later.sites[0].python.size() == 1);
        CHECK(later.sites[0].python[0].code == 0x3000);
        CHECK(later.sites[0].python[0].instruction_offset == 8);
        CHECK(later.python_version == 0x030b07f0);
        REQUIRE(later.codes.count(1) == 1);
        const trace::PythonCode& code = later.codes.at(1);
        CHECK(code.name == "read");
        CHECK(code.file == "main.py");
        CHECK(code.first_line == 12);
        CHECK(code.line_table == std::vector<uint8_t>{1, 2});
    }
    SECTION("who gave names was killed in the midst of it") {
        table.slot.is_whole = trace::kBeingNamed;
        table.codes[0].is_whole = 0;
        table.codes[0].offset = 12345;
        table.write(path);
        const trace::Later later = trace::read_later(path);
        REQUIRE(later.sites.size() == 1);
        CHECK(later.sites[0].ips.size() == 2);
        CHECK(later.codes.empty());
    }
    SECTION("a name that is not there") {
        table.slot.python[0].code_number = GENERATE(2u, 0xffffffffu);
        table.write(path);
        CHECK(error_of_table(path).find("offset 128: slot record: names code ") !=
              std::string::npos);
    }
    SECTION("more code objects, or texts, than there are") {
        if (GENERATE(false, true)) {
            table.header.code_count = GENERATE(100u, 0xffffffffu);
        } else {
            table.header.text_bytes = GENERATE(1000u, 0xffffffffu);
        }
        table.write(path);
        CHECK(error_of_table(path).find(" bytes of their texts, up to byte ") != std::string::npos);
    }
    SECTION("a text elsewhere") {
        table.codes[0].offset = GENERATE(4u, 16u, 0xfffffff8u);
        table.write(path);
        CHECK(error_of_table(path).find("python_code record: ") != std::string::npos);
    }
    SECTION("a text that is too long") {
        switch (GENERATE(0, 1, 2)) {
            case 0:
                table.code.name_bytes = 0xffff;
                break;
            case 1:
                table.code.file_bytes = 10;
                break;
            default:
                table.code.line_table_bytes = 0xffffffff;
        }
        table.write(path);
        CHECK(error_of_table(path) ==
              path + ": offset 584: python_code record: is longer than its room");
    }
    SECTION("many that share a text") {
        table.codes.assign(60'000, {5, 0, trace::kWhole});
        table.header.code_count = 60'000;
        table.write(path);
        CHECK(error_of_table(path).find("is longer than its room") != std::string::npos);
    }
    SECTION("who claimed a slot was killed before it was described") {
        table.slot.is_whole = 0;
        table.slot.depth = 200;
        table.write(path);
        const trace::Later later = trace::read_later(path);
        REQUIRE(later.sites.size() == 1);
        CHECK(later.sites[0].copies == 5);
        CHECK(later.sites[0].ips.empty());
    }
    SECTION("or before it was counted") {
        table.slot.copies = 0;
        table.slot.is_whole = 0;
        table.write(path);
        CHECK(trace::read_later(path).sites.empty());
    }
    SECTION("an impossible depth") {
        table.slot.depth = static_cast<uint8_t>(GENERATE(0, 33, 255));
        table.write(path);
        CHECK(error_of_table(path) == path + ": offset 128: slot record: has an impossible depth");
    }
    SECTION("an impossible depth of Python's") {
        table.slot.python_depth = 9;
        table.write(path);
        CHECK(error_of_table(path) == path + ": offset 128: slot record: has an impossible depth");
    }
    SECTION("more slots than there are") {
        table.header.slot_count = GENERATE(2u, 0xffffffffu);
        table.write(path);
        CHECK(error_of_table(path).find("and has room for 1 of 440") != std::string::npos);
    }
    SECTION("slots of another size") {
        table.header.slot_bytes = GENERATE(0u, 8u, 441u);
        table.write(path);
        CHECK(error_of_table(path).find("claims 1 slots") != std::string::npos);
    }
    SECTION("of another version") {
        table.header.version = 1;
        table.write(path);
        CHECK(error_of_table(path) == path + ": of version 1; this cowscope reads 3");
    }
    SECTION("something else") {
        table.header.magic[0] = 'X';
        table.write(path);
        CHECK(error_of_table(path) == path + ": does not begin as such a file does");
    }
    SECTION("torn anywhere") {
        table.write(path);
        const auto bytes = static_cast<uintmax_t>(
            GENERATE(0, 1, 8, 127, 128, 129, 128 + 431, 128 + 440, 584, 630));
        CAPTURE(bytes);
        fs::resize_file(path, bytes);
        CHECK(error_of_table(path) != "no error");
    }
    SECTION("larger than any") {
        table.behind.assign(2 * kMiB, 'x');
        table.write(path);
        CHECK(error_of_table(path).find("has over 1048576 bytes") != std::string::npos);
    }
    SECTION("a link, which is not followed") {
        table.write(folder / "there");
        fs::create_symlink(folder / "there", path);
        CHECK(error_of_table(path) == path + ": a link; a trace has none");
    }
}

TEST_CASE("what cannot be read of a bound is told, and the rest is there", "[bound]") {
    const TemporaryFolder folder;
    std::vector<std::string> damage;
    CHECK_FALSE(trace::read_bound(folder.path(), &damage).has_value());
    CHECK(damage.empty());

    trace::BoundFile file{};
    std::memcpy(file.magic, trace::kBoundMagic, sizeof(file.magic));
    file.version = trace::kBoundVersion;
    file.limit_bytes = kMiB;
    file.reached_ns = 100;
    file.programs_not_recorded = 3;
    const auto write_bound = [&](size_t bytes) {
        std::ofstream out(folder / trace::kBoundFile, std::ios::binary);
        out.write(reinterpret_cast<const char*>(&file), static_cast<std::streamsize>(bytes));
    };
    write_bound(sizeof(file));
    Table().write(folder / "later-7-77.cowlater");
    std::ofstream(folder / "later-8-88.cowlater") << "torn";
    const auto bound = trace::read_bound(folder.path(), &damage);
    REQUIRE(bound.has_value());
    CHECK(bound->limit_bytes == kMiB);
    CHECK(bound->programs_not_recorded == 3);
    CHECK(bound->later.size() == 1);
    REQUIRE(damage.size() == 1);
    CHECK(damage[0].find("later-8-88.cowlater") != std::string::npos);

    write_bound(100);
    damage.clear();
    CHECK_FALSE(trace::read_bound(folder.path(), &damage).has_value());
    CHECK(damage.size() == 1);
}
