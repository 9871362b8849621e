// Memory that comes to where inherited pages stood, in so few pages that the witness alone looks:
// PROGRAM CASE prints the account. None of it is a copy.
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstring>
#include <thread>

#include "memory_cases.h"

using namespace cases;

namespace {

constexpr size_t kFew = 50;

int file;

void open_file() {
    file = memfd_create("content", MFD_CLOEXEC);
    require(file >= 0, "memfd");
    const std::string content(kPages * kPageBytes, 'x');
    require(write(file, content.data(), content.size()) == static_cast<ssize_t>(content.size()),
            "write");
}
void map_file(int flags) {
    map(kPages, flags, region, file);
}

void share_over() {
    map_file(MAP_SHARED | MAP_FIXED);
    write_kept(region, kFew);
}
void share_anew() {
    unmap(region, kPages);
    map_file(MAP_SHARED | MAP_FIXED_NOREPLACE);
    write_kept(region, kFew);
}
void map_over() {
    map_file(MAP_PRIVATE | MAP_FIXED);
    write_fresh(region, kFew);
}
void map_anew() {
    unmap(region, kPages);
    map_file(MAP_PRIVATE | MAP_FIXED_NOREPLACE);
    write_fresh(region, kFew);
}
void move_over() {
    unsigned char* other = map(kPages, MAP_PRIVATE, nullptr, file);
    void* moved = mremap(other, kPages * kPageBytes, kPages * kPageBytes,
                         MREMAP_MAYMOVE | MREMAP_FIXED, region);
    require(moved == region, "mremap");
    write_fresh(region, kFew);
}
void move_away() {
    unsigned char* room = map(kPages);
    void* moved = mremap(region, kPages * kPageBytes, kPages * kPageBytes,
                         MREMAP_MAYMOVE | MREMAP_FIXED, room);
    require(moved == room, "mremap");
    map_file(MAP_SHARED | MAP_FIXED_NOREPLACE);
    write_kept(region, kFew);
    // What has moved is shared still.
    write_copied(room, 10);
}
void attach_over() {
    const int id = shmget(IPC_PRIVATE, kPages * kPageBytes, IPC_CREAT | 0600);
    require(id >= 0, "shmget");
    void* attached = shmat(id, region, SHM_REMAP);
    require(shmctl(id, IPC_RMID, nullptr) == 0, "shmctl");
    require(attached == region, "shmat");
    std::memset(region, 1, kFew * kPageBytes);
    write_kept(region, kFew);
}
void call_kernel() {
    require(syscall(SYS_munmap, region, kPages * kPageBytes) == 0, "munmap");
    const long mapped = syscall(SYS_mmap, region, kPages * kPageBytes, PROT_READ | PROT_WRITE,
                                MAP_PRIVATE | MAP_FIXED_NOREPLACE, file, 0);
    require(mapped == reinterpret_cast<long>(region), "mmap");
    write_fresh(region, kFew);
}
void call_kernel_over() {
    const long mapped = syscall(SYS_mmap, region, kPages * kPageBytes, PROT_READ | PROT_WRITE,
                                MAP_SHARED | MAP_FIXED, file, 0);
    require(mapped == reinterpret_cast<long>(region), "mmap");
    write_kept(region, kFew);
}
void map_file_before() {
    open_file();
    unmap(region, kPages);
    map_file(MAP_PRIVATE | MAP_FIXED_NOREPLACE);
    fill(region, kPages);
}
void discard_file() {
    advise(region, kPages, MADV_DONTNEED);
    // A page of a file that was protected leaves a mark that looks like one that is swapped out.
    account::write_pages(account::Kind::fresh, region, kFew, 1, false);
}
// The first thread ends, and another one goes on.
void outlive_first_thread() {
    std::thread([] {
        // Until the kernel has nothing more to tell of the first one.
        const auto has_memory = [] {
            char text[64];
            const int maps = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
            const bool has = maps >= 0 && read(maps, text, sizeof(text)) > 0;
            close(maps);
            return has;
        };
        while (has_memory()) usleep(200);
        write_copied(region, 100);
        write_fresh(map(100), 100);
        std::exit(0);
    }).detach();
    pthread_exit(nullptr);
}

const Case kCases[] = {
    {"share-over", open_file, share_over, no_more},
    {"share-anew", open_file, share_anew, no_more},
    {"map-over", open_file, map_over, no_more},
    {"map-anew", open_file, map_anew, no_more},
    {"move-over", open_file, move_over, no_more},
    {"move-away", open_file, move_away, no_more},
    {"attach-over", no_more, attach_over, no_more},
    {"syscall", open_file, call_kernel, no_more},
    {"syscall-over", open_file, call_kernel_over, no_more},
    {"discard-file", map_file_before, discard_file, no_more},
    {"first-thread-gone", no_more, outlive_first_thread, no_more},
};

}  // namespace

int main(int argc, char** argv) {
    return run_named(kCases, argc, argv);
}
