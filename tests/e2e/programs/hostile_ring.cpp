// Programs into whose memory the kernel writes without a call of libc's: by an io_uring, or a
// system call of the program's own.
#include <linux/io_uring.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include <atomic>

#include "tree_cases.h"

using namespace tree;

namespace {

constexpr size_t kRead = 32;
constexpr unsigned char kContent = 0x5a;

using Call = long (*)(long number, long a, long b, long c, long d);

long by_libc(long number, long a, long b, long c, long d) {
    return syscall(number, a, b, c, d, nullptr, 0);
}
// As liburing does it: no function that anybody could stand before.
long by_instruction(long number, long a, long b, long c, long d) {
    long result = number;
    register long fourth asm("r10") = d;
    register long fifth asm("r8") = 0;
    register long sixth asm("r9") = 0;
    asm volatile("syscall"
                 : "+a"(result)
                 : "D"(a), "S"(b), "d"(c), "r"(fourth), "r"(fifth), "r"(sixth)
                 : "rcx", "r11", "memory");
    if (result < 0) {
        errno = static_cast<int>(-result);
        return -1;
    }
    return result;
}

int file_of_content() {
    const int fd = memfd_create("content", MFD_CLOEXEC);
    require(fd >= 0, "memfd_create");
    unsigned char page[kPageBytes];
    std::memset(page, kContent, sizeof(page));
    for (size_t i = 0; i < kRead; ++i) {
        require(write(fd, page, sizeof(page)) == sizeof(page), "write of content");
    }
    return fd;
}

struct Ring {
    Call call = by_libc;
    int fd = -1;
    bool is_polled = false;
    std::atomic<unsigned>* submitted = nullptr;
    unsigned* order = nullptr;
    io_uring_sqe* entries = nullptr;
    std::atomic<unsigned>* done = nullptr;
    io_uring_cqe* results = nullptr;

    Ring(Call how, unsigned flags) : call(how), is_polled((flags & IORING_SETUP_SQPOLL) != 0) {
        io_uring_params params{};
        params.flags = flags;
        fd = static_cast<int>(
            call(SYS_io_uring_setup, kRead, reinterpret_cast<long>(&params), 0, 0));
        require(fd >= 0, "io_uring_setup");
        require((params.features & IORING_FEAT_SINGLE_MMAP) != 0, "one mapping for both queues");
        auto* rings = map_at(params.cq_off.cqes + params.cq_entries * sizeof(io_uring_cqe),
                             IORING_OFF_SQ_RING);
        submitted = reinterpret_cast<std::atomic<unsigned>*>(rings + params.sq_off.tail);
        order = reinterpret_cast<unsigned*>(rings + params.sq_off.array);
        done = reinterpret_cast<std::atomic<unsigned>*>(rings + params.cq_off.tail);
        results = reinterpret_cast<io_uring_cqe*>(rings + params.cq_off.cqes);
        entries = reinterpret_cast<io_uring_sqe*>(
            map_at(params.sq_entries * sizeof(io_uring_sqe), IORING_OFF_SQES));
    }
    unsigned char* map_at(size_t bytes, long offset) const {
        // By an instruction, too, where the calls are: mmap has six arguments.
        register long flags asm("r10") = MAP_SHARED | MAP_POPULATE;
        register long from asm("r8") = fd;
        register long at asm("r9") = offset;
        long result = SYS_mmap;
        asm volatile("syscall"
                     : "+a"(result)
                     : "D"(0L), "S"(bytes), "d"(static_cast<long>(PROT_READ | PROT_WRITE)),
                       "r"(flags), "r"(from), "r"(at)
                     : "rcx", "r11", "memory");
        require(result > 0, "mmap of the ring");
        return reinterpret_cast<unsigned char*>(result);
    }

    // Reads the content into `pages` pages from `to` on, with one entry each.
    void read(int content, unsigned char* to, unsigned pages, unsigned char flags = 0) {
        const unsigned before = done->load();
        for (unsigned i = 0; i < pages; ++i) {
            io_uring_sqe& entry = entries[i];
            entry = {};
            entry.opcode = IORING_OP_READ;
            entry.flags = flags;
            entry.fd = content;
            entry.off = i * kPageBytes;
            entry.addr = reinterpret_cast<uint64_t>(to + i * kPageBytes);
            entry.len = kPageBytes;
            order[i] = i;
        }
        submitted->fetch_add(pages);
        const unsigned wake = is_polled ? IORING_ENTER_SQ_WAKEUP : 0;
        require(call(SYS_io_uring_enter, fd, is_polled ? 0 : pages, is_polled ? 0 : pages,
                     static_cast<long>(wake | (is_polled ? 0 : IORING_ENTER_GETEVENTS))) >= 0,
                "io_uring_enter");
        while (done->load() - before < pages) usleep(200);
        for (unsigned i = 0; i < pages; ++i) {
            require(results[before + i].res == static_cast<int>(kPageBytes), "a read's result");
            require(to[i * kPageBytes + kPageBytes - 1] == kContent, "what was read");
        }
        account::add_written(account::Kind::copied, to, pages, 1);
    }
};

// In a child that has written nothing yet.
void ring_of_child(unsigned setup_flags, unsigned char entry_flags) {
    const int content = file_of_content();
    wait_for_child(start_child([=] {
        Ring ring(by_libc, setup_flags);
        ring.read(content, region, kRead, entry_flags);
    }));
}
void ring() {
    ring_of_child(0, 0);
}
void ring_with_workers() {
    ring_of_child(0, IOSQE_ASYNC);
}
void ring_that_polls() {
    ring_of_child(IORING_SETUP_SQPOLL, 0);
}

// Made before the fork and used behind it, without a function of libc's.
void ring_of_parent() {
    const int content = file_of_content();
    Ring ring(by_instruction, 0);
    wait_for_child(start_child([&] { ring.read(content, region, kRead); }));
}
void ring_in_parent() {
    const int content = file_of_content();
    Ring ring(by_instruction, 0);
    const pid_t child = start_child([] { wait_for_step(kParentDone); });
    ring.read(content, region, kRead);
    reach_step(kParentDone);
    wait_for_child(child);
}

// Nobody can know of this one, until the process is tracked.
void ring_by_instructions() {
    const int content = file_of_content();
    wait_for_child(start_child([=] {
        write_copied(at(kRead), 128);
        Ring ring(by_instruction, 0);
        ring.read(content, region, kRead);
    }));
}

// No ring: read(2), as a program calls it that has no libc of its own.
void read_by_number() {
    const int content = file_of_content();
    wait_for_child(start_child([=] {
        require(lseek(content, 0, SEEK_SET) == 0, "lseek");
        require(syscall(SYS_read, content, region, kRead * kPageBytes) == kRead * kPageBytes,
                "read");
        account::add_written(account::Kind::copied, region, kRead, 1);
    }));
}

const Case kCases[] = {
    {"ring", ring},
    {"ring-with-workers", ring_with_workers},
    {"ring-that-polls", ring_that_polls},
    {"ring-of-parent", ring_of_parent},
    {"ring-in-parent", ring_in_parent},
    {"ring-by-instructions", ring_by_instructions},
    {"read-by-number", read_by_number},
};

}  // namespace

int main(int argc, char** argv) {
    return run_named(kCases, argc, argv);
}
