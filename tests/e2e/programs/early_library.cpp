// A library that is initialised before cowscope's, as every library is that a program is linked
// with: its handler runs first in a forked child.
#include "early_library.h"

#include <pthread.h>
#include <sys/mman.h>

unsigned char* handler_pages = nullptr;
bool handler_writes = true;

namespace {

[[gnu::noinline]] void write_in_child() {
    if (!handler_writes) return;
    for (size_t i = 0; i < kHandlerPages; ++i) {
        const_cast<volatile unsigned char*>(handler_pages)[i * 4096] = 2;
    }
}

__attribute__((constructor)) void start() {
    void* memory = mmap(nullptr, kHandlerPages * 4096, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return;
    madvise(memory, kHandlerPages * 4096, MADV_NOHUGEPAGE);
    handler_pages = static_cast<unsigned char*>(memory);
    for (size_t i = 0; i < kHandlerPages; ++i) handler_pages[i * 4096] = 1;
    pthread_atfork(nullptr, nullptr, write_in_child);
}

}  // namespace
