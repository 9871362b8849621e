// A process with a thread that blocks all signals, and writes pages while a child shares them. Its
// account says which were copied.
//
//   blocked_threads before|after|child    blocked before the first fork, behind it, or in a child
#include <pthread.h>

#include <atomic>
#include <csignal>

#include "sharing_child.h"
#include "tree_cases.h"

using namespace tree;

namespace {

constexpr size_t kMany = 2000;
unsigned char* many;
std::atomic<bool> is_told{false};
std::atomic<bool> is_blocked{false};
std::atomic<bool> may_write{false};
std::atomic<bool> is_done{false};
std::atomic<bool> may_end{false};

template <typename Condition>
void wait_for(const Condition& condition) {
    while (!condition) usleep(500);
}

void* write_blocked(void*) {
    wait_for(is_told);
    sigset_t all;
    sigfillset(&all);
    require(pthread_sigmask(SIG_SETMASK, &all, nullptr) == 0, "pthread_sigmask");
    is_blocked = true;
    wait_for(may_write);
    account::store_to_shared(many, kMany, 1);
    account::add_written(account::Kind::copied, many, kMany, 1);
    is_done = true;
    // It never opens them again.
    wait_for(may_end);
    return nullptr;
}

void block() {
    is_told = true;
    wait_for(is_blocked);
}

void write_beside(bool blocks_first) {
    pthread_t thread;
    require(pthread_create(&thread, nullptr, write_blocked, nullptr) == 0, "pthread_create");
    if (blocks_first) block();
    SharingChild child;
    if (!blocks_first) block();
    may_write = true;
    wait_for(is_done);
    child.end();
    may_end = true;
    pthread_join(thread, nullptr);
}

const Case kCases[] = {
    {"before", [] { write_beside(true); }},
    {"after", [] { write_beside(false); }},
    {"child", [] { wait_for_child(start_child([] { write_beside(true); })); }},
};

}  // namespace

int main(int argc, char** argv) {
    many = map(kMany);
    account::fill(many, kMany);
    return run_named(kCases, argc, argv);
}
