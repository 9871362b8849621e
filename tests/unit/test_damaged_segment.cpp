// The reader of segments against torn and wrong files.
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "base/error.h"
#include "session/writer.h"
#include "tests/catch.h"
#include "tests/unit/segment_fixture.h"
#include "tests/unit/temporary_folder.h"
#include "tests/unit/trace_errors.h"
#include "trace/process_trace.h"
#include "trace/trace.h"

using namespace cowscope;

namespace {

void patch(const std::string& path, std::streamoff offset, const std::string& bytes) {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(offset);
    file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

uint64_t offset_of(const std::string& path, RecordType type) {
    trace::SegmentReader reader(path);
    while (const auto record = reader.next()) {
        if (record->type == type) return record->offset;
    }
    FAIL("no such record");
    return 0;
}

}  // namespace

TEST_CASE("a torn segment keeps what stands before the tear, at every length") {
    TemporaryFolder folder;
    const std::string whole = folder / "process-123-999.cowseg";
    write_segment(whole);
    const uint64_t committed = trace::SegmentReader(whole).header().committed_bytes;
    size_t readable = 0;
    for (uint64_t length = 0; length < committed; length += 8) {
        const std::string torn = folder / "torn.cowseg";
        std::filesystem::copy_file(whole, torn, std::filesystem::copy_options::overwrite_existing);
        std::filesystem::resize_file(torn, length);
        try {
            const trace::ProcessTrace process = trace::load_process(torn);
            REQUIRE(process.damage);
            CHECK(process.damage->find("torn.cowseg") != std::string::npos);
            ++readable;
        } catch (const Error& error) {
            // Nothing of use: the tear is before the process record's end.
            CHECK(length <= offset_of(whole, RecordType::mappings));
            CHECK(std::string(error.what()).find('\n') == std::string::npos);
        }
    }
    CHECK(readable > 20);
}

TEST_CASE("a segment says what machine it is of, and one that does not is of the first one") {
    TemporaryFolder folder;
    const std::string path = folder / "process-123-999.cowseg";
    write_segment(path);
    CHECK(trace::SegmentReader(path).header().machine == trace::kMachine);
    CHECK(trace::SegmentReader(path).header().page_size == trace::kPageBytes);
    patch(path, offsetof(trace::SegmentHeader, machine), std::string(2, '\0'));
    CHECK(trace::SegmentReader(path).next().has_value());
}

TEST_CASE("what is no segment is refused in one line that says why") {
    TemporaryFolder folder;
    const std::string path = folder / "process-123-999.cowseg";
    write_segment(path);
    SECTION("no magic") {
        patch(path, 0, "NOTACOW!");
        CHECK(error_of(path).find("not a cowscope segment") != std::string::npos);
    }
    SECTION("another machine") {
        const uint16_t machine = 183;  // EM_AARCH64
        patch(path, offsetof(trace::SegmentHeader, machine),
              {reinterpret_cast<const char*>(&machine), sizeof(machine)});
        CHECK(error_of(path).find("recorded on machine 183") != std::string::npos);
    }
    SECTION("pages of another size") {
        const uint32_t page_size = 64 * 1024;
        patch(path, offsetof(trace::SegmentHeader, page_size),
              {reinterpret_cast<const char*>(&page_size), sizeof(page_size)});
        CHECK(error_of(path).find("page size 65536") != std::string::npos);
    }
    SECTION("a later version") {
        const uint32_t version = trace::kVersion + 1;
        patch(path, 8, std::string(reinterpret_cast<const char*>(&version), 4));
        CHECK(error_of(path).find("version") != std::string::npos);
    }
    SECTION("unknown features") {
        patch(path, 16, std::string("\x01", 1));
        CHECK(error_of(path).find("features") != std::string::npos);
    }
    SECTION("an empty file") {
        std::filesystem::resize_file(path, 0);
        CHECK(error_of(path).find("too short") != std::string::npos);
    }
    SECTION("a folder") {
        std::filesystem::remove(path);
        std::filesystem::create_directory(path);
        CHECK(error_of(path).find("not a regular file") != std::string::npos);
    }
}

TEST_CASE("damage names file, offset and kind of record") {
    TemporaryFolder folder;
    const std::string path = folder / "process-123-999.cowseg";
    write_segment(path);
    const auto damage = [&](RecordType type, std::streamoff field, const std::string& bytes) {
        const uint64_t offset = offset_of(path, type);
        patch(path, static_cast<std::streamoff>(offset) + field, bytes);
        const auto found = trace::load_process(path).damage;
        REQUIRE(found);
        CHECK(found->find(path) == 0);
        CHECK(found->find("offset " + std::to_string(offset)) != std::string::npos);
        return *found;
    };
    const std::string huge("\xff\xff\xff\x7f", 4);
    SECTION("an impossible length") {
        CHECK(damage(RecordType::event, 0, huge).find("event record") != std::string::npos);
    }
    SECTION("a length of zero") {
        CHECK(damage(RecordType::site, 0, std::string(4, '\0')).find("site record") !=
              std::string::npos);
    }
    SECTION("more runs than there is room for") {
        CHECK(damage(RecordType::census, offsetof(trace::CensusRecord, run_count), huge)
                  .find("claims") != std::string::npos);
    }
    SECTION("a stack of impossible depth") {
        CHECK(damage(RecordType::stack, offsetof(trace::StackRecord, depth), huge)
                  .find("stack record") != std::string::npos);
    }
    SECTION("a Python stack of impossible depth") {
        CHECK(damage(RecordType::runtime_stack, offsetof(trace::RuntimeStackRecord, depth), huge)
                  .find("claims") != std::string::npos);
    }
    SECTION("a line table longer than its record") {
        CHECK(damage(RecordType::runtime_code, offsetof(trace::RuntimeCodeRecord, line_table_bytes),
                     huge)
                  .find("claims") != std::string::npos);
    }
    SECTION("a value longer than its record") {
        CHECK(damage(RecordType::object_value, offsetof(trace::ObjectValueRecord, text_bytes), huge)
                  .find("claims") != std::string::npos);
    }
    SECTION("a run beyond the address space") {
        CHECK(damage(RecordType::inherited, sizeof(trace::InheritedRecord) + 8,
                     std::string(8, '\x7f'))
                  .find("impossible") != std::string::npos);
    }
    SECTION("a census of a generation that never began") {
        CHECK(damage(RecordType::census, offsetof(trace::CensusRecord, epoch), huge)
                  .find("never began") != std::string::npos);
    }
}

TEST_CASE("records of a type that this version does not know are skipped") {
    TemporaryFolder folder;
    const std::string path = folder / "process-123-999.cowseg";
    write_segment(path);
    const uint64_t offset = offset_of(path, RecordType::type);
    patch(path, static_cast<std::streamoff>(offset) + 4, std::string("\x4d\x00", 2));
    const trace::ProcessTrace process = trace::load_process(path);
    CHECK_FALSE(process.damage);
    CHECK(process.types.empty());
    CHECK(process.end);
}
