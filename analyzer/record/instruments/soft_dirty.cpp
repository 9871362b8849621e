// The tracker `soft-dirty`.
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>

#include <fmt/format.h>

#include "preload/format/kernel_abi.h"
#include "record/instruments.h"
#include "record/instruments/missing.h"
#include "record/instruments/probe_pages.h"

namespace cowscope::record {

namespace {

bool take_steps(ProbeOutcome& outcome) {
    volatile char* pages = populated_pages(outcome);
    if (!pages) return false;

    outcome.step = ProbeStep::open;
    const int clear_refs = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);
    if (clear_refs < 0) return fail(outcome, errno);

    outcome.step = ProbeStep::read_table;
    const int pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
    if (pagemap < 0) return fail(outcome, errno);

    // Documentation/admin-guide/mm/soft-dirty.rst: 4 clears the bits of the whole address space.
    // The write succeeds on kernels that have no such bits, too.
    outcome.step = ProbeStep::protect;
    if (write(clear_refs, "4", 1) != 1) return fail(outcome, errno);

    *written_page(pages) = 2;

    outcome.step = ProbeStep::scan;
    std::array<uint64_t, kProbePages> entries{};
    const auto offset = static_cast<off_t>(reinterpret_cast<uintptr_t>(pages) / arch::kPageBytes *
                                           sizeof(uint64_t));
    const ssize_t got = pread(pagemap, entries.data(), sizeof(entries), offset);
    if (got != static_cast<ssize_t>(sizeof(entries))) return fail(outcome, got < 0 ? errno : EIO);

    outcome.step = ProbeStep::verify;
    for (size_t page = 0; page < kProbePages; ++page) {
        const bool dirty = (entries[page] & kernel::kPagemapSoftDirty) != 0;
        if (dirty != (page == kWrittenPage)) return fail(outcome, 0);
    }
    outcome.step = ProbeStep::done;
    return true;
}

Capability explain(const ProbeOutcome& outcome, const Machine&) {
    if (outcome.ok()) return {true, 0, {}, {}};
    if (outcome.killed_by != 0) return unexpected(outcome, "soft-dirty");
    switch (outcome.step) {
        case ProbeStep::open:
        case ProbeStep::protect:
            return missing(
                outcome,
                fmt::format("/proc/self/clear_refs cannot be written: {}", describe(outcome.error)),
                "mount /proc writable (mount -t proc proc /proc), on a kernel with "
                "CONFIG_PROC_PAGE_MONITOR");
        case ProbeStep::read_table:
        case ProbeStep::scan:
            return unreadable_page_table(outcome);
        case ProbeStep::verify:
            return missing(outcome, "the kernel was built without CONFIG_MEM_SOFT_DIRTY",
                           "a kernel with CONFIG_MEM_SOFT_DIRTY, such as Debian's and Ubuntu's");
        default:
            return unexpected(outcome, "soft-dirty");
    }
}

void probe(ProbeOutcome& outcome) {
    take_steps(outcome);
}

}  // namespace

constinit const Instrument kSoftDirty = {"soft-dirty", probe, explain};

}  // namespace cowscope::record
