// Pages that a child shares and that the kernel writes for it: PROGRAM CASE prints the account.
#include <pthread.h>
#include <stdio_ext.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <thread>

#include "memory_cases.h"

// What compilers call for them with _FORTIFY_SOURCE.
extern "C" {
ssize_t __read_chk(int, void*, size_t, size_t);
ssize_t __pread_chk(int, void*, size_t, off_t, size_t);
ssize_t __recv_chk(int, void*, size_t, size_t, int);
ssize_t __recvfrom_chk(int, void*, size_t, size_t, int, sockaddr*, socklen_t*);
size_t __fread_chk(void*, size_t, size_t, size_t, FILE*);
}

using namespace cases;

namespace {

constexpr size_t kRead = 60;  // pages: so few that the witness alone looks
constexpr size_t kBytes = kRead * kPageBytes;

int content;     // a file of kBytes
FILE* stream;    // the same
int sockets[2];  // one of them full of content
unsigned char* buffer;

void is_whole(ssize_t got) {
    require(got == static_cast<ssize_t>(kBytes), "a short read");
}

void open_content() {
    content = memfd_create("content", MFD_CLOEXEC);
    require(content >= 0 && ftruncate(content, kBytes) == 0, "memfd");
    for (size_t line = 0; line < kBytes / 64; ++line) {
        require(pwrite(content, "\n", 1, static_cast<off_t>(line * 64 + 63)) == 1, "pwrite");
        require(pwrite(content, "7", 1, static_cast<off_t>(line * 64 + 62)) == 1, "pwrite");
    }
    stream = fdopen(dup(content), "r");
    require(stream != nullptr, "fdopen");
    require(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets) == 0, "socketpair");
    buffer = region;
}
// What the kernel reads into, where libc has its own.
void open_through_region() {
    open_content();
    require(setvbuf(stream, reinterpret_cast<char*>(region), _IOFBF, kBytes) == 0, "setvbuf");
}

// The other end writes while this one waits.
template <typename Receive>
void receive(const Receive& take) {
    std::thread sender([] {
        char piece[kPageBytes] = {};
        for (size_t i = 0; i < kRead; ++i) {
            require(write(sockets[1], piece, sizeof(piece)) == sizeof(piece), "write");
        }
    });
    sender.detach();
    is_whole(take());
}

void read_stream() {
    is_whole(static_cast<ssize_t>(fread(buffer, 1, kBytes, stream)));
}
void read_stream_unlocked() {
    is_whole(static_cast<ssize_t>(fread_unlocked(buffer, kPageBytes, kRead, stream) * kPageBytes));
}
void read_stream_checked() {
    is_whole(static_cast<ssize_t>(__fread_chk(buffer, kBytes, 1, kBytes, stream)));
}
void read_checked() {
    is_whole(__read_chk(content, buffer, kBytes, kBytes));
}
void pread_checked() {
    is_whole(__pread_chk(content, buffer, kBytes, 0, kBytes));
}
void receive_checked() {
    receive([] { return __recv_chk(sockets[0], buffer, kBytes, kBytes, MSG_WAITALL); });
}
void receive_from_checked() {
    receive([] {
        return __recvfrom_chk(sockets[0], buffer, kBytes, kBytes, MSG_WAITALL, nullptr, nullptr);
    });
}
void receive_plain() {
    receive([] { return recv(sockets[0], buffer, kBytes, MSG_WAITALL); });
}
void receive_many() {
    receive([]() -> ssize_t {
        iovec part = {buffer, kBytes};
        mmsghdr message = {};
        message.msg_hdr.msg_iov = &part;
        message.msg_hdr.msg_iovlen = 1;
        require(recvmmsg(sockets[0], &message, 1, MSG_WAITALL, nullptr) == 1, "recvmmsg");
        return message.msg_len;
    });
}
void read_parts() {
    iovec parts[2] = {{buffer, kBytes / 2}, {buffer + kBytes / 2, kBytes / 2}};
    is_whole(preadv2(content, parts, 2, 0, 0));
}
void take_random() {
    for (size_t i = 0; i < kRead; ++i) {
        require(getrandom(at(buffer, i), kPageBytes, 0) == kPageBytes, "getrandom");
    }
}
void read_lines() {
    char* line = nullptr;
    size_t room = 0;
    while (getline(&line, &room, stream) > 0) {
    }
}
void get_lines() {
    char line[128];
    while (fgets(line, sizeof(line), stream) != nullptr) {
    }
}
// Calls that nobody stands in for.
void get_characters() {
    while (fgetc(stream) != EOF) {
    }
}
void scan() {
    int number = 0;
    while (std::fscanf(stream, "%*[^7]%d", &number) == 1) {
    }
}
void call_kernel() {
    long result = SYS_pread64;
    register long offset __asm__("r10") = 0;
    __asm__ volatile("syscall"
                     : "+a"(result)
                     : "D"(static_cast<long>(content)), "S"(buffer), "d"(kBytes), "r"(offset)
                     : "rcx", "r11", "memory");
    is_whole(result);
}

struct Read {
    const char* name;
    void (*before)();
    void (*in_child)();
};
const Read kReads[] = {
    {"fread", open_content, read_stream},
    {"fread_unlocked", open_content, read_stream_unlocked},
    {"__fread_chk", open_content, read_stream_checked},
    {"__read_chk", open_content, read_checked},
    {"__pread_chk", open_content, pread_checked},
    {"__recv_chk", open_content, receive_checked},
    {"__recvfrom_chk", open_content, receive_from_checked},
    {"recv", open_content, receive_plain},
    {"recvmmsg", open_content, receive_many},
    {"preadv2", open_content, read_parts},
    {"getrandom", open_content, take_random},
    {"getline", open_through_region, read_lines},
    {"fgets", open_through_region, get_lines},
    {"fgetc", open_through_region, get_characters},
    {"fscanf", open_through_region, scan},
    {"syscall", open_content, call_kernel},
};

}  // namespace

int main(int argc, char** argv) {
    require(argc == 3, "usage: PROGRAM CASE PARENT_PAGES");
    account::open_book();
    region = map(kPages);
    fill(region, kPages);
    // What the parent copies while the child lives is nobody else's.
    const size_t parent_pages = std::strtoul(argv[2], nullptr, 10);
    second = map(kSecondPages);
    fill(second, kSecondPages);
    for (const Read& each : kReads) {
        if (std::strcmp(each.name, argv[1]) != 0) continue;
        each.before();
        lseek(content, 0, SEEK_SET);
        constexpr size_t kParentDone = 0;
        const pid_t child = account::start_child([&] {
            account::wait_for_step(kParentDone);
            each.in_child();
            account::add_written(account::Kind::copied, region, kRead, 1);
        });
        if (parent_pages != 0) write_copied(second, parent_pages);
        account::reach_step(kParentDone);
        account::wait_for_child(child);
        account::print_book();
        return 0;
    }
    account::fail("no such case");
}
