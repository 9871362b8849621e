// Forks children that write pages which they share with their parent, and tells as JSON on standard
// output which ones each of them wrote: the truth that a trace is held against.
//
//   --pages N       pages that are shared (default 512); each child writes three of four
//   --children C    one after the other (default 1)
//   --fork HOW      fork, _Fork, clone, nested (a child's child writes), vfork, posix_spawn (both
//                   start /bin/true: nothing is written)
//   --stack-step N  each child is forked from N bytes further down in the parent's stack
//   --write HOW     store, read (the kernel writes, read(2)), threads (two of the child's),
//                   blocked (with SIGTRAP blocked), look (no write at all)
//   --fresh N       pages that each child touches first, of memory that was never touched before
//   --end HOW       return, exit, _exit, _Exit, quick_exit, one of the exec family, raise, raised
//                   (by the parent), handled (raised by the parent, the handler exits)
//   --status S      exit status of the children
//   --signal N      for raise, raised and handled
//   --kill SEED     every child is killed with SIGKILL: some when they have written a random number
//                   of pages, some a random time after their birth
//   --parent-writes the parent writes, too: one page of four while its child lives (`pages`), and
//                   half of the child's pages when there is no child any more (`later_pages`)
//   --parent-end HOW  return or killed
#include <alloca.h>
#include <fcntl.h>
#include <sched.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <new>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "page_writer_options.h"

namespace {

constexpr size_t kPageBytes = 4096;
constexpr size_t kCloneStackBytes = 256 * 1024;

// What a child says of itself, in memory that it shares with its parent. `written` counts writes
// that are complete.
struct Slot {
    std::atomic<pid_t> pid;
    pid_t parent;
    std::atomic<uint32_t> written;
    std::atomic<bool> finished;
    std::atomic<bool> released;
    int wait_status;
};

unsigned char* map(size_t bytes, int flags) {
    void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) fail("mmap");
    return static_cast<unsigned char*>(memory);
}

Options options;
unsigned char* region;
unsigned char* untouched;
Slot* slots;
int zeros = -1;

// The pages of a child in the order in which it writes them: never neighbours one after the other.
std::vector<uint32_t> pages_of_child(uint32_t child) {
    constexpr uint32_t kStep = 7919;  // a prime, so that every page has its turn
    std::vector<uint32_t> pages;
    for (uint32_t i = 0; i < options.pages; ++i) {
        const auto page = static_cast<uint32_t>(uint64_t{i} * kStep % options.pages);
        if (page % 4 != (child + 3) % 4) pages.push_back(page);
    }
    return pages;
}

unsigned char* address_of(uint32_t page) {
    // Not always the first byte.
    return region + size_t{page} * kPageBytes + page % kPageBytes;
}

void write_page(uint32_t page) {
    if (options.write == "read") {
        if (read(zeros, address_of(page), 1) != 1) fail("read");
    } else if (options.write == "look") {
        static_cast<void>(*static_cast<volatile unsigned char*>(address_of(page)));
    } else {
        *static_cast<volatile unsigned char*>(address_of(page)) = 0xff;
    }
}

void write_pages(uint32_t child, const std::vector<uint32_t>& pages) {
    Slot& slot = slots[child];
    if (options.write == "threads") {
        const auto half = [&](size_t first) {
            for (size_t i = first; i < pages.size(); i += 2) {
                write_page(pages[i]);
                slot.written.fetch_add(1);
            }
        };
        std::thread one(half, 0);
        std::thread two(half, 1);
        one.join();
        two.join();
        return;
    }
    sigset_t trap;
    sigemptyset(&trap);
    sigaddset(&trap, SIGTRAP);
    if (options.write == "blocked") sigprocmask(SIG_BLOCK, &trap, nullptr);
    for (const uint32_t page : pages) {
        write_page(page);
        slot.written.fetch_add(1);
    }
    if (options.write == "blocked") sigprocmask(SIG_UNBLOCK, &trap, nullptr);
}

int exit_status() {
    return static_cast<int>(options.status);
}

int signal_number() {
    return static_cast<int>(options.signal);
}

void on_handled(int) {
    std::exit(exit_status());
}

// Comes back only for "return".
void end_child(Slot* slot) {
    char program[] = "/bin/true";
    char* const arguments[] = {program, nullptr};
    char* const environment[] = {nullptr};
    const std::string& end = options.end;
    if (options.kill || end == "raised" || end == "handled") {
        if (end == "handled") signal(signal_number(), on_handled);
        slot->finished = true;
        while (true) pause();
    }
    slot->finished = true;
    if (end == "return") return;
    if (end == "exit") std::exit(exit_status());
    if (end == "_exit") _exit(exit_status());
    if (end == "_Exit") std::_Exit(exit_status());
    if (end == "quick_exit") std::quick_exit(exit_status());
    // Not raise(): it blocks signals while it writes to the stack.
    if (end == "raise") kill(getpid(), signal_number());
    if (end == "execv") execv(program, arguments);
    if (end == "execve") execve(program, arguments, environ);
    if (end == "execve-empty") execve(program, arguments, environment);
    if (end == "clearenv-execv" || end == "clearenv-execvp") {
        clearenv();
        end == "clearenv-execv" ? execv(program, arguments) : execvp("true", arguments);
    }
    if (end == "execvp") execvp("true", arguments);
    if (end == "execvpe") execvpe("true", arguments, environ);
    if (end == "execl") execl(program, program, nullptr);
    if (end == "execlp") execlp("true", program, nullptr);
    if (end == "execle") execle(program, program, nullptr, environ);
    if (end == "fexecve") fexecve(open(program, O_RDONLY | O_CLOEXEC), arguments, environ);
    if (end == "execveat") execveat(AT_FDCWD, program, arguments, environ, 0);
    fail("--end");
}

// Everything that a child does; returns its status where it is to return.
int be_child(uint32_t child) {
    Slot& slot = slots[child];
    slot.pid = getpid();
    slot.parent = getppid();
    write_pages(child, pages_of_child(child));
    for (uint32_t i = 0; i < options.fresh; ++i) untouched[size_t{i} * kPageBytes] = 1;
    if (options.parent_writes) {
        slot.finished = true;
        while (!slot.released) usleep(100);
    }
    end_child(&slot);
    return exit_status();
}

int be_cloned_child(void* child) {
    return be_child(*static_cast<uint32_t*>(child));
}

// In the child's child the work is done, the child only waits for it.
int be_forking_child(uint32_t child) {
    const pid_t pid = fork();
    if (pid < 0) fail("fork");
    if (pid == 0) return be_child(child);
    int status = 0;
    if (waitpid(pid, &status, 0) != pid) fail("waitpid");
    return status == 0 ? 0 : 98;
}

struct Started {
    bool in_child = false;
    int child_status = 0;  // what main() is to return there
};

Started start_child(uint32_t* child) {
    Slot& slot = slots[*child];
    void* room = alloca(size_t{*child} * options.stack_step + 1);
    asm volatile("" : : "r"(room) : "memory");
    if (options.fork == "clone") {
        unsigned char* stack = map(kCloneStackBytes, MAP_PRIVATE | MAP_STACK);
        // The kernel tells the id before the child's first instruction.
        if (clone(be_cloned_child, stack + kCloneStackBytes, CLONE_PARENT_SETTID | SIGCHLD, child,
                  reinterpret_cast<pid_t*>(&slot.pid)) < 0) {
            fail("clone");
        }
        return {};
    }
    if (options.fork == "posix_spawn" || options.fork == "vfork") {
        char program[] = "/bin/true";
        char* const arguments[] = {program, nullptr};
        pid_t pid = 0;
        if (options.fork == "vfork") {
            pid = vfork();
            if (pid == 0) {
                execve(program, arguments, environ);
                _exit(97);
            }
        } else if (posix_spawn(&pid, program, nullptr, nullptr, arguments, environ) != 0) {
            fail("posix_spawn");
        }
        slot.pid = pid;
        return {};
    }
    const pid_t pid = options.fork == "_Fork" ? _Fork() : fork();
    if (pid < 0) fail("fork");
    if (pid == 0) {
        return {true, options.fork == "nested" ? be_forking_child(*child) : be_child(*child)};
    }
    if (options.fork != "nested") slot.pid = pid;
    return {};
}

// Kills one child at a moment of its own choice.
void kill_at_random(uint32_t child) {
    constexpr uint32_t kLongestDelayUs = 4000;  // about what the start of a watched child takes
    std::mt19937 random(options.seed + child);
    Slot& slot = slots[child];
    while (slot.pid == 0) std::this_thread::yield();
    if (child % 3 == 0) {
        const auto delay = std::chrono::microseconds(random() % kLongestDelayUs);
        const auto until = std::chrono::steady_clock::now() + delay;
        while (std::chrono::steady_clock::now() < until) {
        }
    } else {
        const auto target = static_cast<uint32_t>(random() % (options.pages / 4 * 3));
        while (slot.written < target) std::this_thread::yield();
    }
    kill(slot.pid, SIGKILL);
}

void wait_for_child(uint32_t child) {
    Slot& slot = slots[child];
    const bool is_raised = options.end == "raised" || options.end == "handled";
    if (!options.kill && is_raised) {
        while (!slot.finished) usleep(100);
        kill(slot.pid, signal_number());
    }
    const pid_t direct = options.fork == "nested" ? -1 : slot.pid.load();
    while (waitpid(direct, &slot.wait_status, 0) < 0) {
        if (errno != EINTR) fail("waitpid");
    }
}

void write_json_pages(const std::vector<uint32_t>& pages, size_t count) {
    const char* separator = "";
    for (size_t i = 0; i < count; ++i) {
        std::printf("%s\"%p\"", separator,
                    static_cast<void*>(region + size_t{pages[i]} * kPageBytes));
        separator = ",";
    }
}

void write_json(const std::vector<uint32_t>& parent_pages,
                const std::vector<uint32_t>& later_pages) {
    std::printf("{\"region\":{\"start\":\"%p\",\"pages\":%u},\n", static_cast<void*>(region),
                options.pages);
    std::printf("\"parent\":{\"pid\":%d,\"pages\":[", getpid());
    write_json_pages(parent_pages, parent_pages.size());
    std::printf("],\"later_pages\":[");
    write_json_pages(later_pages, later_pages.size());
    std::printf("]},\n\"children\":[");
    for (uint32_t child = 0; child < options.children; ++child) {
        const Slot& slot = slots[child];
        std::printf("%s\n{\"pid\":%d,\"parent\":%d,\"wait_status\":%d,\"fresh\":%u,\"pages\":[",
                    child == 0 ? "" : ",", slot.pid.load(), slot.parent, slot.wait_status,
                    options.fresh);
        if (options.write != "look") write_json_pages(pages_of_child(child), slot.written);
        std::printf("]}");
    }
    std::printf("\n]}\n");
    std::fflush(stdout);
}

void prepare_memory() {
    region = map(size_t{options.pages} * kPageBytes, MAP_PRIVATE);
    for (uint32_t page = 0; page < options.pages; ++page) *address_of(page) = 1;
    untouched = map((size_t{options.fresh} + 1) * kPageBytes, MAP_PRIVATE);
    slots = reinterpret_cast<Slot*>(map(options.children * sizeof(Slot), MAP_SHARED));
    for (uint32_t child = 0; child < options.children; ++child) new (&slots[child]) Slot{};
    zeros = open("/dev/zero", O_RDONLY | O_CLOEXEC);
}

}  // namespace

int main(int argc, char** argv) {
    options = parse_options(argc, argv);
    prepare_memory();
    std::vector<uint32_t> parent_pages;
    std::vector<uint32_t> later_pages;
    for (uint32_t child = 0; child < options.children; ++child) {
        std::thread killer;
        if (options.kill) killer = std::thread(kill_at_random, child);
        const Started started = start_child(&child);
        if (started.in_child) return started.child_status;
        if (options.parent_writes) {
            while (!slots[child].finished) usleep(100);
            for (uint32_t page = 0; page < options.pages; ++page) {
                if (page % 4 != (child + 3) % 4) continue;
                write_page(page);
                parent_pages.push_back(page);
            }
            slots[child].released = true;
        }
        wait_for_child(child);
        if (killer.joinable()) killer.join();
    }
    if (options.parent_writes) {
        for (uint32_t page = 0; page < options.pages; page += 4) {
            write_page(page);
            later_pages.push_back(page);
        }
    }
    write_json(parent_pages, later_pages);
    if (options.parent_end == "killed") kill(getpid(), SIGKILL);
    return 0;
}
