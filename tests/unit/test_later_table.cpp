// The reader of what was counted behind a recording's bound, held against torn and wrong files.
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "base/error.h"
#include "tests/catch.h"
#include "tests/unit/temporary_folder.h"
#include "trace/aggregates.h"

using namespace cowscope;
namespace fs = std::filesystem;

namespace {

constexpr uint64_t kMiB = uint64_t{1} << 20;

// Of one place, whose code object has a name.
struct Table {
    trace::AggregateHeader header{};
    trace::AggregateSlot slot{};
    std::vector<trace::AggregateCode> codes{{5, 0, trace::kWhole}};
    trace::RuntimeCodeRecord code{};
    std::string text = "readmain.py\x01\x02";
    std::string behind;

    Table() {
        std::memcpy(header.magic, trace::kAggregateMagic, sizeof(header.magic));
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
        slot.runtime_depth = 1;
        slot.runtime_frames[0] = {0x3000, 8, 1};
        header.code_count = 1;
        header.text_bytes = static_cast<uint32_t>(sizeof(code) + text.size());
        header.runtime_version = 0x030b07f0;
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
        for (const trace::AggregateCode& entry : codes) {
            file.write(reinterpret_cast<const char*>(&entry), sizeof(entry));
        }
        file.write(reinterpret_cast<const char*>(&code), sizeof(code));
        file << text << behind;
        REQUIRE(file.good());
    }
};

std::string error_of_table(const std::string& path) {
    try {
        trace::read_aggregates(path);
    } catch (const Error& error) {
        return error.what();
    }
    return "no error";
}

}  // namespace

TEST_CASE("a table of what came later is read, and a wrong one is one clear line", "[bound]") {
    const TemporaryFolder folder;
    const std::string path = folder / "later-7-77.cowlater";
    Table table;
    SECTION("a good one") {
        table.write(path);
        const trace::Later later = trace::read_aggregates(path);
        CHECK(later.pid == 7);
        CHECK(later.created_ns == 77);
        CHECK(later.counts.copies == 5);
        REQUIRE(later.sites.size() == 1);
        CHECK(later.sites[0].copies == 5);
        CHECK(later.sites[0].ips == std::vector<uint64_t>{0x1000, 0x2000});
        REQUIRE(later.sites[0].runtime_frames.size() == 1);
        CHECK(later.sites[0].runtime_frames[0].code == 0x3000);
        CHECK(later.sites[0].runtime_frames[0].instruction_offset == 8);
        CHECK(later.runtime_version == 0x030b07f0);
        REQUIRE(later.codes.count(1) == 1);
        const trace::RuntimeCode& code = later.codes.at(1);
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
        const trace::Later later = trace::read_aggregates(path);
        REQUIRE(later.sites.size() == 1);
        CHECK(later.sites[0].ips.size() == 2);
        CHECK(later.codes.empty());
    }
    SECTION("a name that is not there") {
        table.slot.runtime_frames[0].code_number = GENERATE(2u, 0xffffffffu);
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
        const trace::Later later = trace::read_aggregates(path);
        REQUIRE(later.sites.size() == 1);
        CHECK(later.sites[0].copies == 5);
        CHECK(later.sites[0].ips.empty());
    }
    SECTION("or before it was counted") {
        table.slot.copies = 0;
        table.slot.is_whole = 0;
        table.write(path);
        CHECK(trace::read_aggregates(path).sites.empty());
    }
    SECTION("an impossible depth") {
        table.slot.depth = static_cast<uint8_t>(GENERATE(0, 33, 255));
        table.write(path);
        CHECK(error_of_table(path) == path + ": offset 128: slot record: has an impossible depth");
    }
    SECTION("an impossible depth of Python's") {
        table.slot.runtime_depth = 9;
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
