// In a process that has forked, cancels threads in the midst of calls that wait, and prints which
// calls have let them end.
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

int full_pipe = -1;
int empty_pipe = -1;
int full_socket = -1;
int empty_socket = -1;
int listener = -1;
int epoll = -1;
char fifo[] = "/tmp/cancelled-calls-XXXXXX";
char room[65536];

void prepare() {
    int ends[2];
    if (pipe(ends) != 0) std::abort();
    empty_pipe = ends[0];
    if (pipe(ends) != 0) std::abort();
    full_pipe = ends[1];
    fcntl(full_pipe, F_SETFL, O_NONBLOCK);
    while (write(full_pipe, room, 4096) > 0) {
    }
    fcntl(full_pipe, F_SETFL, 0);
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0) std::abort();
    full_socket = ends[0];
    while (send(full_socket, room, sizeof(room), MSG_DONTWAIT) > 0) {
    }
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0) std::abort();
    empty_socket = ends[0];
    listener = socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un nameless = {};
    nameless.sun_family = AF_UNIX;
    if (bind(listener, reinterpret_cast<sockaddr*>(&nameless), sizeof(sa_family_t)) != 0 ||
        listen(listener, 1) != 0) {
        std::abort();
    }
    epoll = epoll_create1(0);
    close(mkstemp(fifo));
    unlink(fifo);
    if (mkfifo(fifo, 0600) != 0) std::abort();
}

struct Call {
    const char* name;
    void (*wait)();
};

iovec piece() {
    return {room, sizeof(room)};
}

// No number that is below what is open.
constexpr int kNumbers = 1000;
pollfd polled[kNumbers];

const Call kCalls[] = {
    {"read", [] { (void)!read(empty_pipe, room, 1); }},
    {"readv",
     [] {
         const iovec to = piece();
         (void)!readv(empty_pipe, &to, 1);
     }},
    {"recv", [] { recv(empty_socket, room, 1, 0); }},
    {"recvfrom", [] { recvfrom(empty_socket, room, 1, 0, nullptr, nullptr); }},
    {"recvmsg",
     [] {
         msghdr message = {};
         recvmsg(empty_socket, &message, 0);
     }},
    {"write", [] { (void)!write(full_pipe, room, sizeof(room)); }},
    {"writev",
     [] {
         const iovec from = piece();
         (void)!writev(full_pipe, &from, 1);
     }},
    {"send", [] { send(full_socket, room, sizeof(room), 0); }},
    {"sendto", [] { sendto(full_socket, room, sizeof(room), 0, nullptr, 0); }},
    {"sendmsg",
     [] {
         iovec from = piece();
         msghdr message = {};
         message.msg_iov = &from;
         message.msg_iovlen = 1;
         sendmsg(full_socket, &message, 0);
     }},
    {"accept", [] { accept(listener, nullptr, nullptr); }},
    {"accept4", [] { accept4(listener, nullptr, nullptr, 0); }},
    {"open", [] { open(fifo, O_RDONLY); }},
    {"openat", [] { openat(AT_FDCWD, fifo, O_RDONLY); }},
    {"creat", [] { creat(fifo, 0600); }},
    {"epoll_wait",
     [] {
         epoll_event event;
         epoll_wait(epoll, &event, 1, -1);
     }},
    {"poll",
     [] {
         for (pollfd& each : polled) each = {empty_pipe, POLLIN, 0};
         poll(polled, kNumbers, -1);
     }},
    {"ppoll", [] { ppoll(polled, kNumbers, nullptr, nullptr); }},
    {"select",
     [] {
         fd_set set;
         FD_ZERO(&set);
         FD_SET(empty_pipe, &set);
         select(empty_pipe + 1, &set, nullptr, nullptr, nullptr);
     }},
    {"pselect",
     [] {
         fd_set set;
         FD_ZERO(&set);
         FD_SET(empty_pipe, &set);
         pselect(empty_pipe + 1, &set, nullptr, nullptr, nullptr, nullptr);
     }},
    {"splice", [] { splice(empty_pipe, nullptr, full_pipe, nullptr, 1, 0); }},
    {"fcntl",
     [] {
         // The parent has it locked.
         struct flock lock = {};
         lock.l_type = F_WRLCK;
         fcntl(0, F_SETLKW, &lock);
     }},
};

void* wait_in(void* call) {
    static_cast<const Call*>(call)->wait();
    return nullptr;
}

// Whether the thread sleeps. It has nothing to wait for but its call.
bool is_asleep(pid_t tid) {
    char path[64];
    std::snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
    std::FILE* const file = std::fopen(path, "r");
    char state = 0;
    const bool is_read = file != nullptr && std::fscanf(file, "%*d (%*[^)]) %c", &state) == 1;
    if (file != nullptr) std::fclose(file);
    return is_read && state == 'S';
}

void cancel_all() {
    prepare();
    for (const Call& call : kCalls) {
        static pid_t tid;
        static const Call* current;
        current = &call;
        __atomic_store_n(&tid, 0, __ATOMIC_RELEASE);
        pthread_t thread;
        if (pthread_create(
                &thread, nullptr,
                [](void*) -> void* {
                    __atomic_store_n(&tid, gettid(), __ATOMIC_RELEASE);
                    return wait_in(const_cast<Call*>(current));
                },
                nullptr) != 0) {
            std::abort();
        }
        while (__atomic_load_n(&tid, __ATOMIC_ACQUIRE) == 0 || !is_asleep(tid)) usleep(1000);
        pthread_cancel(thread);
        void* result = nullptr;
        pthread_join(thread, &result);
        std::printf("%s: %s\n", call.name, result == PTHREAD_CANCELED ? "cancelled" : "went on");
        std::fflush(stdout);
    }
    unlink(fifo);
}

unsigned char memory[100 * 4096];

}  // namespace

int main() {
    // One that is not a cancellation point is not left at all.
    alarm(60);
    char file[] = "/tmp/cancelled-calls-lock-XXXXXX";
    const int locked = mkstemp(file);
    unlink(file);
    dup2(locked, 0);
    struct flock lock = {};
    lock.l_type = F_WRLCK;
    if (fcntl(0, F_SETLK, &lock) != 0) return 97;
    for (unsigned char& byte : memory) byte = 1;
    const pid_t child = fork();
    for (unsigned char& byte : memory) byte = 2;
    if (child == 0) {
        cancel_all();
        std::exit(0);
    }
    int status = 0;
    return waitpid(child, &status, 0) == child && status == 0 ? 0 : 98;
}
