// Memory that is kept from children, protected, shared with them on purpose, or of a file.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "memory_cases.h"

using namespace cases;

namespace {

void protect(unsigned char* start, size_t pages, int protection) {
    require(mprotect(start, pages * kPageBytes, protection) == 0, "mprotect");
}

// --- advice --------------------------------------------------------------------------------------

void discard() {
    write_copied(region, 128);
    advise(region, kPages, MADV_DONTNEED);
    write_fresh(region, kPages);
}

void free_lazily() {
    write_copied(region, 128);
    advise(region, kPages, MADV_FREE);
    // Without need for memory nothing is taken: what was shared still is.
    write_copied(at(region, 128), 64);
    write_kept(region, 128);
}

void keep_from_child(int advice) {
    second = map(128);
    fill(second, 128);
    advise(second, 128, advice);
}
void dontfork() {
    keep_from_child(MADV_DONTFORK);
}
void wipeonfork() {
    keep_from_child(MADV_WIPEONFORK);
}
void dofork() {
    dontfork();
    advise(second, 128, MADV_DOFORK);
}
void keeponfork() {
    wipeonfork();
    advise(second, 128, MADV_KEEPONFORK);
}

// What the kernel may take away at any time, and does at a fork. Without it (before Linux 6.11) it
// is memory that is wiped.
void droppable() {
    constexpr int kDroppable = 0x08;  // MAP_DROPPABLE, linux/include/uapi/linux/mman.h
    void* memory =
        mmap(nullptr, 128 * kPageBytes, PROT_READ | PROT_WRITE, kDroppable | MAP_ANONYMOUS, -1, 0);
    account::note_figure("droppable", memory != MAP_FAILED);
    if (memory == MAP_FAILED) return wipeonfork();
    second = static_cast<unsigned char*>(memory);
    fill(second, 128);
}

void without_second() {
    write_copied(region, 64);
    map(128, kThere, second);
    write_fresh(second, 128);
}
void with_empty_second() {
    write_copied(region, 64);
    require(*second == 0, "the memory was not wiped");
    account::write_pages(account::Kind::fresh, second, 128, 1, false);
}
// Never what the child writes, too: a page is copied for the first of two.
void parent_with_own_second() {
    write_copied(at(region, 64), 96);
    write_kept(second, 128);
}
void with_second() {
    write_copied(region, 64);
    write_copied(second, 96);
}
void parent_with_second() {
    write_copied(at(region, 64), 96);
    write_copied(at(second, 96), 32);
}

// --- protection ----------------------------------------------------------------------------------

void protect_before() {
    protect(region, kPages, PROT_READ);
}
void make_writable() {
    protect(region, kPages, PROT_READ | PROT_WRITE);
    write_copied(region, 192);
}
void protect_and_back() {
    write_copied(region, 64);
    protect(region, kPages, PROT_READ);
    protect(region, kPages, PROT_READ | PROT_WRITE);
    write_copied(at(region, 64), 64);
    write_kept(region, 64);
}

volatile sig_atomic_t guard_faults = 0;

void on_guard(int, siginfo_t* info, void*) {
    const auto address = reinterpret_cast<uint64_t>(info->si_addr);
    guard_faults = guard_faults + 1;
    auto* page = reinterpret_cast<void*>(address & ~(kPageBytes - 1));
    if (mprotect(page, kPageBytes, PROT_READ | PROT_WRITE) != 0) _exit(97);
}
void watch_guards() {
    struct sigaction action = {};
    action.sa_sigaction = on_guard;
    action.sa_flags = SA_SIGINFO;
    require(sigaction(SIGSEGV, &action, nullptr) == 0, "sigaction");
}
void guard_before() {
    protect(region, kPages, PROT_NONE);
    second = map(64);
    protect(second, 64, PROT_NONE);
}
void write_to_guards() {
    watch_guards();
    write_copied(region, 128);
    write_fresh(second, 64);
    account::note_figure("guard faults", guard_faults);
}
void write_to_new_guards() {
    watch_guards();
    write_copied(region, 64);
    protect(region, kPages, PROT_NONE);
    write_kept(region, 64);
    write_copied(at(region, 64), 64);
    account::note_figure("guard faults", guard_faults);
}

// --- shared and of files -------------------------------------------------------------------------

void share_before() {
    second = map(128, MAP_SHARED | MAP_ANONYMOUS);
    fill(second, 128);
}
int new_file(const std::string& kind) {
    const char* folder = std::getenv("TMPDIR");
    const int fd = kind == "memfd"
                       ? memfd_create("memory_changes", MFD_CLOEXEC)
                       : open(folder != nullptr ? folder : "/tmp", O_TMPFILE | O_RDWR, 0600);
    require(fd >= 0, "no file");
    const std::string page(kPageBytes, 'x');
    for (size_t i = 0; i < 128; ++i) {
        require(write(fd, page.data(), kPageBytes) == static_cast<ssize_t>(kPageBytes), "write");
    }
    return fd;
}
void memfd_shared() {
    second = map(128, MAP_SHARED, nullptr, new_file("memfd"));
    fill(second, 128);
}
void file_shared() {
    second = map(128, MAP_SHARED, nullptr, new_file("file"));
    fill(second, 128);
}
void write_shared() {
    write_kept(second, 128);
    write_copied(region, 128);
}

volatile unsigned char sink;
void look_at(const unsigned char* start, size_t pages) {
    for (size_t i = 0; i < pages; ++i) sink = start[i * kPageBytes];
}
// A mapping of which a page was written is forked with all its pages.
void file_private() {
    second = map(128, MAP_PRIVATE, nullptr, new_file("file"));
    look_at(second, 128);
    fill(second, 32);
}
void memfd_private() {
    second = map(128, MAP_PRIVATE, nullptr, new_file("memfd"));
    look_at(second, 128);
    fill(second, 32);
}
// One of which none was written is not: the child finds its pages in the file.
void file_unwritten() {
    second = map(128, MAP_PRIVATE, nullptr, new_file("file"));
    look_at(second, 128);
}
void file_read_only() {
    file_private();
    protect(second, 128, PROT_READ);
}
void write_file_pages() {
    write_as_found(second, 96);
    write_copied(region, 64);
}
void write_read_only_file_pages() {
    protect(second, 128, PROT_READ | PROT_WRITE);
    write_file_pages();
}

alignas(kPageBytes) unsigned char data[128 * kPageBytes] = {1};
alignas(kPageBytes) unsigned char bss[128 * kPageBytes];

void fill_image() {
    fill(data, 64);
    fill(bss, 64);
}
void write_image() {
    write_as_found(data, 128);
    write_as_found(bss, 128);
}

const Case kCases[] = {
    {"dontneed", no_more, discard, no_more},
    {"free-lazily", no_more, free_lazily, no_more},
    {"dontfork", dontfork, without_second, parent_with_own_second},
    {"wipeonfork", wipeonfork, with_empty_second, parent_with_own_second},
    {"droppable", droppable, with_empty_second, parent_with_own_second},
    {"dofork", dofork, with_second, parent_with_second},
    {"keeponfork", keeponfork, with_second, parent_with_second},
    {"read-only", protect_before, make_writable, no_more},
    {"read-only-and-back", no_more, protect_and_back, no_more},
    {"guard", guard_before, write_to_guards, no_more},
    {"new-guard", no_more, write_to_new_guards, no_more},
    {"shared", share_before, write_shared, no_more},
    {"memfd-shared", memfd_shared, write_shared, no_more},
    {"file-shared", file_shared, write_shared, no_more},
    {"file-private", file_private, write_file_pages, no_more},
    {"memfd-private", memfd_private, write_file_pages, no_more},
    {"file-unwritten", file_unwritten, write_file_pages, no_more},
    {"file-read-only", file_read_only, write_read_only_file_pages, no_more},
    {"image", fill_image, write_image, no_more},
};

}  // namespace

int main(int argc, char** argv) {
    return run_named(kCases, argc, argv);
}
