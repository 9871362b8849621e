#include "unwind/frame_descriptions.h"

#include "arch/cpu.h"
#include "unwind/byte_reader.h"

#include "support/poison.h"

namespace cowscope::unwind {
namespace {

constexpr uint8_t kOmitted = 0xff;  // DW_EH_PE_omit

// The table of a module's .eh_frame_hdr: where functions start, in order, and what describes each.
struct TableEntry {
    int32_t location;
    int32_t fde;
};

class Table {
  public:
    Table(uint64_t base, uint64_t start, uint64_t count)
        : base_(base), start_(start), count_(count) {}

    // The description of the last function that starts at or below `ip`; 0 where there is none.
    // `first_location`: of the first function, relative to the table's base. The linker sorts the
    // table; where it is not sorted, what is found is another one.
    uint64_t find(uint64_t ip, int32_t first_location) {
        uint64_t low = 0;
        uint64_t high = count_;
        // Functions are spread about evenly, so their place can be guessed: each look costs a
        // system call. Where they are not, halving finds them.
        uint64_t low_location = base_ + static_cast<uint64_t>(int64_t{first_location});
        uint64_t high_location = 0;
        if (count_ > kWindow) {
            if (!look(count_ - 1, 1)) return 0;
            high_location = location(0);
        }
        for (unsigned steps = 0; high - low > kWindow; ++steps) {
            const bool can_guess = steps < kGuesses && low_location <= ip && ip < high_location;
            const uint64_t at =
                can_guess ? guess(low, high, ip - low_location, high_location - low_location)
                          : low + (high - low) / 2;
            const uint64_t first = at - low < kWindow / 2 ? low : at - kWindow / 2;
            const uint64_t count = high - first < kWindow ? high - first : kWindow;
            if (!look(first, count)) return 0;
            if (location(0) > ip) {
                high = first;
                high_location = location(0);
            } else if (location(count - 1) <= ip) {
                low = first + count - 1;
                low_location = location(count - 1);
            } else {
                return find_in_window(count, ip);
            }
        }
        const uint64_t count = high - low;
        return count != 0 && look(low, count) ? find_in_window(count, ip) : 0;
    }

  private:
    static constexpr uint64_t kWindow = 128;
    static constexpr unsigned kGuesses = 3;

    static uint64_t guess(uint64_t low, uint64_t high, uint64_t into, uint64_t of) {
        // Both are less than 2^33: offsets in the table have 32 bits.
        return low +
               static_cast<uint64_t>(static_cast<unsigned __int128>(into) * (high - low) / of);
    }
    bool look(uint64_t first, uint64_t count) {
        const uint64_t bytes = count * sizeof(TableEntry);
        return read_what_is_there(start_ + first * sizeof(TableEntry), window_, bytes) == bytes;
    }
    uint64_t location(uint64_t index) const {
        return base_ + static_cast<uint64_t>(int64_t{window_[index].location});
    }
    uint64_t find_in_window(uint64_t count, uint64_t ip) const {
        uint64_t low = 0;
        uint64_t high = count;
        while (low < high) {
            const uint64_t middle = low + (high - low) / 2;
            if (location(middle) <= ip) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        return low == 0 ? 0 : base_ + static_cast<uint64_t>(int64_t{window_[low - 1].fde});
    }

    uint64_t base_;
    uint64_t start_;
    uint64_t count_;
    TableEntry window_[kWindow];
};

}  // namespace

uint64_t find_fde(const Module& module, uint64_t ip) {
    constexpr uint8_t kTableOfDataRelative4 = 0x3b;  // what every linker writes
    ByteReader reader(module.eh_frame_header, module.end);
    const auto version = reader.fixed<uint8_t>();
    const auto frame_encoding = reader.fixed<uint8_t>();
    const auto count_encoding = reader.fixed<uint8_t>();
    const auto table_encoding = reader.fixed<uint8_t>();
    if (version != 1 || count_encoding == kOmitted || table_encoding != kTableOfDataRelative4) {
        return 0;
    }
    reader.encoded(frame_encoding, module.eh_frame_header);
    const uint64_t count = reader.encoded(count_encoding, module.eh_frame_header);
    const uint64_t table = reader.position();
    if (!reader.ok() || count > (module.end - table) / sizeof(TableEntry)) return 0;
    const auto first_location = reader.fixed<int32_t>();
    return reader.ok() ? Table(module.eh_frame_header, table, count).find(ip, first_location) : 0;
}

bool read_cie(uint64_t address, const Module& module, Cie* cie) {
    ByteReader reader(address, module.end);
    const auto length = reader.fixed<uint32_t>();
    cie->end = reader.position() + length;
    if (!reader.ok() || length == kExtendedLength || !reader.set_end(cie->end)) return false;
    if (reader.fixed<uint32_t>() != 0) return false;
    const auto version = reader.fixed<uint8_t>();
    // "zPLRSB" is all that there is.
    char letters[8];
    size_t letter_count = 0;
    do {
        if (letter_count == sizeof(letters)) return false;
        letters[letter_count] = reader.fixed<char>();
    } while (letters[letter_count++] != '\0');
    cie->code_alignment = reader.uleb();
    cie->data_alignment = reader.sleb();
    const uint64_t return_register = version == 1 ? reader.fixed<uint8_t>() : reader.uleb();
    if (!reader.ok() || return_register != cpu::kDwarfReturnAddress) return false;
    cie->instructions = reader.position();
    if (letters[0] == '\0') return true;
    if (letters[0] != 'z') return false;
    cie->has_augmentation = true;
    const uint64_t bytes = reader.uleb();
    if (!reader.ok() || bytes > cie->end - reader.position()) return false;
    cie->instructions = reader.position() + bytes;
    for (const char* letter = letters + 1; *letter != '\0'; ++letter) {
        switch (*letter) {
            case 'R':
                cie->pointer_encoding = reader.fixed<uint8_t>();
                break;
            case 'P': {
                // The personality routine is of no use here; only its size matters.
                const auto encoding = reader.fixed<uint8_t>();
                reader.encoded(encoding & 0x0f, 0);
                break;
            }
            case 'L':
                reader.fixed<uint8_t>();
                break;
            case 'S':
                cie->signal_frame = true;
                break;
            default:
                return false;
        }
    }
    return reader.ok();
}

}  // namespace cowscope::unwind
