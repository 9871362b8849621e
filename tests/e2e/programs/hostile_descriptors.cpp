// Programs that close descriptors they do not know, and open files of their own under the numbers.
// Nobody but they may touch these files, or they end with status 98.
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "tree_cases.h"

using namespace tree;

namespace {

constexpr int kNumbers = 1024;

// Every number from 3 on names a new file, in a folder that nobody else knows.
void open_files() {
    const int first = memfd_create("host", 0);
    require(first >= 3, "memfd_create");
    require(write(first, "mine", 4) == 4, "write");
    while (dup(first) < kNumbers - 1) {
    }
}

void require_files(ino_t inode, int lowest) {
    for (int fd = lowest; fd < kNumbers; ++fd) {
        struct stat status;
        require(fstat(fd, &status) == 0, "somebody closed a file of the program's");
        require(status.st_ino == inode, "somebody else has a number of the program's");
        require(status.st_size == 4, "somebody wrote into a file of the program's");
    }
}

ino_t inode_of(int fd) {
    struct stat status;
    require(fstat(fd, &status) == 0, "fstat");
    return status.st_ino;
}

rlimit with_numbers() {
    // Room for the program's own looks at its memory, above.
    rlimit limit{kNumbers + 16, kNumbers + 16};
    require(setrlimit(RLIMIT_NOFILE, &limit) == 0, "setrlimit");
    return limit;
}

// What was closed by then is `close_all`'s business.
void write_and_fork_again(void (*close_all)()) {
    with_numbers();
    wait_for_child(start_child([=] {
        write_copied(region, 100);
        close_all();
        require(fcntl(3, F_GETFD) < 0, "a number is taken that was closed");
        write_copied(at(100), 28);
        open_files();
        const ino_t inode = inode_of(3);
        write_copied(at(128), 28);
        wait_for_child(start_child([=] {
            write_copied(region, 100);
            require(inode_of(3) == inode, "another file");
        }));
        require(inode_of(3) == inode, "another file");
    }));
}

void close_each() {
    for (int fd = 3; fd < kNumbers; ++fd) close(fd);
}
void close_from() {
    closefrom(3);
}
void close_in_range() {
    require(close_range(3, ~0U, 0) == 0, "close_range");
}
void close_unshared() {
    require(close_range(3, ~0U, CLOSE_RANGE_UNSHARE) == 0, "close_range");
}
void close_each_by_number() {
    for (int fd = 3; fd < kNumbers; ++fd) syscall(SYS_close, fd);
}
void close_in_range_by_number() {
    require(syscall(SYS_close_range, 3, ~0U, 0) == 0, "close_range");
}
void by_close() {
    write_and_fork_again(close_each);
}
void by_closefrom() {
    write_and_fork_again(close_from);
}
void by_close_range() {
    write_and_fork_again(close_in_range);
}
void by_close_range_unshared() {
    write_and_fork_again(close_unshared);
}

void by_syscall_close() {
    write_and_fork_again(close_each_by_number);
}
void by_syscall_close_range() {
    write_and_fork_again(close_in_range_by_number);
}

// Takes every number there is.
void by_dup2(int (*take)(int, int)) {
    with_numbers();
    wait_for_child(start_child([=] {
        write_copied(region, 100);
        const int first = memfd_create("host", 0);
        require(write(first, "mine", 4) == 4, "write");
        const ino_t inode = inode_of(first);
        for (int fd = 3; fd < kNumbers; ++fd) {
            if (fd != first) require(take(first, fd) == fd, "dup2");
        }
        require_files(inode, 3);
        write_copied(at(100), 64);
        wait_for_child(start_child([=] {
            require_files(inode, 3);
            account::store_to_shared(region, 16, 1);
            require_files(inode, 3);
        }));
        require_files(inode, 3);
    }));
}
void by_dup2_all() {
    by_dup2([](int from, int to) { return dup2(from, to); });
}
void by_dup3_all() {
    by_dup2([](int from, int to) { return dup3(from, to, O_CLOEXEC); });
}

void by_syscall_dup2() {
    by_dup2([](int from, int to) { return static_cast<int>(syscall(SYS_dup2, from, to)); });
}

// By an instruction of its own.
void close_bare(int fd) {
    long result;
    asm volatile("syscall"
                 : "=a"(result)
                 : "a"(SYS_close), "D"(static_cast<long>(fd))
                 : "rcx", "r11", "memory");
}

// Behind everybody's back.
void by_system_call() {
    with_numbers();
    wait_for_child(start_child([] {
        write_copied(region, 100);
        for (int fd = 3; fd < kNumbers; ++fd) close_bare(fd);
        const int first = memfd_create("host", 0);
        require(first == 3 && write(first, "mine", 4) == 4, "write");
        const ino_t inode = inode_of(first);
        for (int fd = 4; fd < kNumbers; ++fd) require(dup(first) == fd, "dup");
        account::store_to_shared(at(100), 64, 1);
        require_files(inode, 3);
        for (int i = 0; i < 3; ++i) {
            wait_for_child(start_child([=] {
                require_files(inode, 3);
                account::store_to_shared(region, 64, 1);
                require_files(inode, 3);
            }));
        }
        account::store_to_shared(region, 32, 1);
        require_files(inode, 3);
        // The program's own close() acts on its own files.
        for (int fd = 3; fd < kNumbers; ++fd) require(close(fd) == 0, "close");
    }));
}

// As daemons do before their first fork.
void before_the_first_fork() {
    with_numbers();
    closefrom(3);
    open_files();
    const ino_t inode = inode_of(3);
    for (int i = 0; i < 3; ++i) wait_for_child(start_child([] { write_copied(region, 64); }));
    require(inode_of(3) == inode, "another file");
}

// Descriptors are few: what the program can open without anybody's help it can open still.
void with_few(rlim_t most) {
    const rlimit limit{most, most};
    require(setrlimit(RLIMIT_NOFILE, &limit) == 0, "setrlimit");
    for (int i = 0; i < 3; ++i) {
        wait_for_child(start_child([] {
            account::store_to_shared(region, 64, 1);
            const int fd = open("/dev/null", O_RDONLY);
            require(fd < 0 || close(fd) == 0, "close");
        }));
    }
}
void with_few_descriptors() {
    with_few(16);
}
void with_no_descriptors() {
    with_few(3);
}

const Case kCases[] = {
    {"close", by_close},
    {"closefrom", by_closefrom},
    {"close-range", by_close_range},
    {"close-range-unshared", by_close_range_unshared},
    {"close-by-syscall", by_syscall_close},
    {"close-range-by-syscall", by_syscall_close_range},
    {"dup2", by_dup2_all},
    {"dup2-by-syscall", by_syscall_dup2},
    {"dup3", by_dup3_all},
    {"system-call", by_system_call},
    {"before-the-first-fork", before_the_first_fork},
    {"few", with_few_descriptors},
    {"none", with_no_descriptors},
};

}  // namespace

int main(int argc, char** argv) {
    return run_named(kCases, argc, argv);
}
