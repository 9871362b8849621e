#include "tests/fuzz/mutations.h"

#include <algorithm>
#include <cstring>
#include <iterator>

#include "preload/format/aggregate_format.h"
#include "preload/format/runtime_format.h"
#include "trace/heap_owners.h"
#include "trace/outside.h"

namespace cowscope::fuzz {
namespace {

using Random = std::mt19937_64;
namespace format = cowscope::trace;

uint64_t below(Random* random, uint64_t end) {
    return end == 0 ? 0 : (*random)() % end;
}

bool one_in(Random* random, uint64_t chances) {
    return below(random, chances) == 0;
}

// Most of the values at which something can go wrong, and small ones, which are ids and counts.
uint64_t telling_number(Random* random) {
    constexpr uint64_t kTelling[] = {0,
                                     1,
                                     7,
                                     8,
                                     0x7f,
                                     0xff,
                                     0xfff,
                                     0x1000,
                                     0xffff,
                                     0x10000,
                                     0x7fffffff,
                                     0x80000000,
                                     0xffffffff,
                                     0x100000000,
                                     uint64_t{1} << 40,
                                     (uint64_t{1} << 47) - 0x1000,
                                     (uint64_t{1} << 56) - 0x1000,
                                     uint64_t{1} << 56,
                                     (uint64_t{1} << 63) - 1,
                                     uint64_t{1} << 63,
                                     ~uint64_t{0} - 0xfff,
                                     ~uint64_t{0}};
    switch (below(random, 4)) {
        case 0:
            return kTelling[below(random, std::size(kTelling))];
        case 1:
            return below(random, 8);
        case 2:
            return 0x400000 + below(random, 256) * 0x1000;
        default:
            return (*random)() >> below(random, 64);
    }
}

// The fixed parts of the records, in bytes.
struct Shape {
    uint16_t type;
    size_t bytes;
};

Shape shape_of(Kind kind, Random* random) {
    using Type = format::RecordType;
    const auto shape = [](Type type, size_t bytes) {
        return Shape{static_cast<uint16_t>(type), bytes};
    };
    static const Shape kOutside[] = {shape(format::kSamplesRecord, sizeof(format::SamplesRecord)),
                                     shape(Type::census, sizeof(format::CensusRecord)),
                                     shape(format::kFateRecord, sizeof(format::FateRecord))};
    static const Shape kOwners[] = {shape(format::kLookRecord, sizeof(format::LookRecord)),
                                    shape(format::kOwnerRecord, sizeof(format::OwnerRecord)),
                                    shape(format::kRangesRecord, sizeof(format::RangesRecord))};
    static const Shape kSegment[] = {
        shape(Type::process, sizeof(format::ProcessRecord)),
        shape(Type::loss, sizeof(format::LossRecord)),
        shape(Type::mappings, sizeof(format::MappingsRecord)),
        shape(Type::inherited, sizeof(format::InheritedRecord)),
        shape(Type::stack, sizeof(format::StackRecord)),
        shape(Type::site, sizeof(format::SiteRecord)),
        shape(Type::exemplar, sizeof(format::ExemplarRecord)),
        shape(Type::type, sizeof(format::TypeRecord)),
        shape(Type::event, sizeof(format::EventRecord)),
        shape(Type::census, sizeof(format::CensusRecord)),
        shape(Type::memory, sizeof(format::MemoryRecord)),
        shape(Type::fork, sizeof(format::ForkRecord)),
        shape(Type::end, sizeof(format::EndRecord)),
        shape(Type::note, sizeof(format::NoteRecord)),
        shape(Type::protect, sizeof(format::ProtectRecord)),
        shape(Type::discarded, sizeof(format::DiscardedRecord)),
        shape(Type::account, sizeof(format::AccountRecord)),
        shape(Type::epoch, sizeof(format::EpochRecord)),
        shape(Type::moved, sizeof(format::MovedRecord)),
        shape(Type::runtime, sizeof(format::RuntimeRecord)),
        shape(Type::runtime_thread, sizeof(format::RuntimeThreadRecord)),
        shape(Type::runtime_code, sizeof(format::RuntimeCodeRecord)),
        shape(Type::runtime_stack, sizeof(format::RuntimeStackRecord)),
        shape(Type::object_value, sizeof(format::ObjectValueRecord))};
    if (kind == Kind::outside) return kOutside[below(random, std::size(kOutside))];
    if (kind == Kind::owners) return kOwners[below(random, std::size(kOwners))];
    return kSegment[below(random, std::size(kSegment))];
}

void set_length(std::string* record) {
    record->resize(std::max<size_t>((record->size() + 7) / 8 * 8, sizeof(format::RecordHeader)));
    put(record, 0, static_cast<uint32_t>(record->size()));
}

// A record of the file's kind with numbers in its fields, and something behind them.
std::string new_record(Kind kind, Random* random) {
    const Shape shape = shape_of(kind, random);
    std::string record(shape.bytes, '\0');
    for (size_t at = sizeof(format::RecordHeader); at < record.size();) {
        if (one_in(random, 2) && at % 8 == 0) {
            put(&record, at, telling_number(random));
            at += 8;
        } else {
            put(&record, at, static_cast<uint32_t>(below(random, 4)));
            at += 4;
        }
    }
    const size_t behind = below(random, 5) * 16;
    for (size_t at = 0; at < behind; at += 8) {
        const uint64_t number = telling_number(random);
        record.append(reinterpret_cast<const char*>(&number), sizeof(number));
    }
    set_length(&record);
    put(&record, 4, shape.type);
    if (one_in(random, 4)) put(&record, 6, static_cast<uint16_t>(1u << below(random, 13)));
    return record;
}

std::string new_header(uint8_t process) {
    format::SegmentHeader header{};
    std::memcpy(header.magic, format::kMagic, sizeof(header.magic));
    header.version = format::kVersion;
    header.header_bytes = sizeof(header);
    header.page_size = format::kPageBytes;
    header.machine = format::kMachine;
    header.pid = 100u + process;
    header.created_ns = 1000u + process;
    return {reinterpret_cast<const char*>(&header), sizeof(header)};
}

template <typename Record>
void append(std::string* bytes, const Record& record) {
    bytes->append(reinterpret_cast<const char*>(&record), sizeof(record));
}

// That was reached.
std::string new_bound() {
    format::BoundFile bound{};
    std::memcpy(bound.magic, format::kBoundMagic, sizeof(bound.magic));
    bound.version = format::kBoundVersion;
    bound.limit_bytes = format::kLeastMaxTrace;
    bound.reached_ns = 1001;
    std::string bytes;
    append(&bytes, bound);
    return bytes;
}

// A table with two places, of which one names a code object.
std::string new_later(uint8_t process) {
    format::AggregateHeader header{};
    std::memcpy(header.magic, format::kAggregateMagic, sizeof(header.magic));
    header.version = format::kBoundVersion;
    header.slot_count = 2;
    header.created_ns = 1000u + process;
    header.pid = 100u + process;
    header.slot_bytes = sizeof(format::AggregateSlot);
    const std::string text("code.py!", 8);
    header.code_count = 1;
    header.text_bytes = static_cast<uint32_t>(sizeof(format::RuntimeCodeRecord) + text.size());
    header.texts_used = header.text_bytes;
    header.runtime_version = 0x030b07f0;
    std::string bytes;
    append(&bytes, header);
    for (uint32_t key = 1; key <= header.slot_count; ++key) {
        format::AggregateSlot slot{};
        slot.key = slot.copies = key;
        slot.is_whole = format::kWhole;
        slot.depth = slot.runtime_depth = 1;
        slot.runtime_frames[0].code_number = key - 1;
        append(&bytes, slot);
    }
    append(&bytes, format::AggregateCode{1, 0, format::kWhole});
    format::RuntimeCodeRecord code{};
    code.header = {header.text_bytes, format::RecordType::runtime_code, 0};
    code.first_line = 1;
    code.name_bytes = code.line_table_bytes = 1;
    code.file_bytes = 6;
    append(&bytes, code);
    return bytes + text;
}

File new_file(Kinds kinds, Random* random) {
    File file;
    file.kind = kinds[below(random, kinds.size())];
    file.process = static_cast<uint8_t>(below(random, kProcesses));
    if (is_framed(file)) {
        file.header = new_header(file.process);
    } else if (file.kind == Kind::bound) {
        file.records.push_back(new_bound());
    } else if (file.kind == Kind::later) {
        file.records.push_back(new_later(file.process));
    } else {
        file.records.emplace_back(
            R"({"command":["a"],"start_ns":1,"end_ns":2,"exit":{"kind":"exit","value":0},"notes":[]})");
    }
    return file;
}

void mutate_bytes(std::string* bytes, Random* random) {
    if (bytes->empty()) {
        bytes->push_back('[');
        return;
    }
    const size_t at = below(random, bytes->size());
    switch (below(random, 4)) {
        case 0:
            (*bytes)[at] = static_cast<char>((*random)());
            break;
        case 1:
            bytes->insert(at, std::string(1 + below(random, 64), (*bytes)[at]));
            break;
        case 2:
            bytes->erase(at, 1 + below(random, 8));
            break;
        default:
            bytes->insert(at, bytes->substr(below(random, bytes->size()), below(random, 32)));
            break;
    }
}

void mutate_field(std::string* record, Random* random) {
    constexpr size_t kStart = sizeof(format::RecordHeader);
    if (record->size() <= kStart) return;
    const size_t words = (record->size() - kStart) / 4;
    const size_t at = kStart + below(random, words) * 4;
    switch (below(random, 5)) {
        case 0:
            put(record, at / 8 * 8, telling_number(random));
            break;
        case 1:
            put(record, at, static_cast<uint32_t>(telling_number(random)));
            break;
        case 2:
            (*record)[kStart + below(random, record->size() - kStart)] =
                static_cast<char>((*random)());
            break;
        case 3:  // one more or less
            put(record, at, get<uint32_t>(*record, at) + (one_in(random, 2) ? 1 : ~uint32_t{0}));
            break;
        default:
            put(record, 6,
                static_cast<uint16_t>(get<uint16_t>(*record, 6) ^ (1u << below(random, 13))));
            break;
    }
}

// A file of numbers: its fields change, and seldom its length.
void mutate_numbers(std::string* bytes, Random* random) {
    if (bytes->size() < sizeof(uint64_t) || one_in(random, 16)) {
        mutate_bytes(bytes, random);
        return;
    }
    const size_t at = below(random, bytes->size() / sizeof(uint64_t)) * sizeof(uint64_t);
    switch (below(random, 3)) {
        case 0:
            put(bytes, at, telling_number(random));
            break;
        case 1:
            put(bytes, at + below(random, 2) * 4, static_cast<uint32_t>(telling_number(random)));
            break;
        default:
            (*bytes)[at + below(random, sizeof(uint64_t))] = static_cast<char>((*random)());
            break;
    }
}

void mutate_records(File* file, Random* random) {
    auto& records = file->records;
    const size_t at = below(random, records.size() + 1);
    const auto place = records.begin() + static_cast<std::ptrdiff_t>(at);
    if (records.empty() || one_in(random, 4)) {
        records.insert(place, new_record(file->kind, random));
        return;
    }
    std::string& record = records[at % records.size()];
    switch (below(random, 9)) {
        case 0:
            records.erase(records.begin() + static_cast<std::ptrdiff_t>(at % records.size()));
            break;
        case 1: {
            const std::string again = record;
            records.insert(place, again);
            break;
        }
        case 2:
            std::swap(record, records[below(random, records.size())]);
            break;
        case 3:  // longer or shorter, and still sound
            record.resize(std::min<size_t>(below(random, record.size() + 64), 0xffff));
            set_length(&record);
            break;
        case 4:  // many of them
            for (size_t left = below(random, 32); left != 0 && records.size() < 512; --left) {
                const std::string again = records[at % records.size()];
                records.insert(records.begin() + static_cast<std::ptrdiff_t>(at % records.size()),
                               again);
            }
            break;
        case 5:
            if (one_in(random, 8)) put(&record, 0, static_cast<uint32_t>(telling_number(random)));
            mutate_field(&record, random);
            break;
        default:
            mutate_field(&record, random);
            break;
    }
}

void set_committed(File* file) {
    uint64_t bytes = file->header.size();
    for (const std::string& record : file->records) bytes += record.size();
    put(&file->header, offsetof(format::SegmentHeader, committed_bytes), bytes);
}

}  // namespace

void mutate(Files* files, Kinds kinds, Random* random) {
    if (files->empty() || (files->size() < kMostFiles && one_in(random, 24))) {
        files->push_back(new_file(kinds, random));
    }
    const size_t at = below(random, files->size());
    File& file = (*files)[at];
    const uint64_t choice = below(random, 40);
    if (choice == 0 && files->size() > 1) {
        files->erase(files->begin() + static_cast<std::ptrdiff_t>(at));
    } else if (choice == 1) {
        file.process = static_cast<uint8_t>(below(random, kProcesses));
    } else if (!is_framed(file)) {
        if (file.records.empty()) file.records.emplace_back();
        const auto change = file.kind == Kind::recording ? mutate_bytes : mutate_numbers;
        change(&file.records.front(), random);
    } else {
        if (file.header.size() != kHeaderBytes) file.header = new_header(file.process);
        mutate_records(&file, random);
        set_committed(&file);
        if (choice == 2) {
            put(&file.header, below(random, kHeaderBytes / 4) * 4,
                static_cast<uint32_t>(telling_number(random)));
        }
        if (choice == 3) {
            put(&file.header, offsetof(format::SegmentHeader, committed_bytes),
                telling_number(random));
        }
    }
}

void cross(Files* files, const Files& other, Random* random) {
    for (const File& theirs : other) {
        const auto same = std::find_if(files->begin(), files->end(), [&](const File& file) {
            return file.kind == theirs.kind && file.process == theirs.process;
        });
        if (same == files->end()) {
            if (files->size() < kMostFiles && one_in(random, 2)) files->push_back(theirs);
            continue;
        }
        if (!is_framed(theirs) || theirs.records.empty()) continue;
        const size_t from = below(random, theirs.records.size());
        const size_t count = 1 + below(random, theirs.records.size() - from);
        const auto start = theirs.records.begin() + static_cast<std::ptrdiff_t>(from);
        const size_t at = below(random, same->records.size() + 1);
        same->records.insert(same->records.begin() + static_cast<std::ptrdiff_t>(at), start,
                             start + static_cast<std::ptrdiff_t>(count));
        set_committed(&*same);
    }
}

}  // namespace cowscope::fuzz
