// Writes inherited pages at a steady rate: event_writer RATE SECONDS
//
// Each tenth of a second a child writes a tenth of RATE pages, in order, and ends. Where that takes
// longer, the next begins at once. Prints what was done, as JSON.
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>

namespace {

constexpr size_t kPageBytes = 4096;
constexpr int kRoundsASecond = 10;
using Clock = std::chrono::steady_clock;

[[noreturn]] void fail(const char* what) {
    std::perror(what);
    std::_Exit(99);
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 3) fail("usage: event_writer RATE SECONDS");
    const size_t pages = std::strtoul(argv[1], nullptr, 10) / kRoundsASecond;
    const auto rounds = std::strtoul(argv[2], nullptr, 10) * kRoundsASecond;
    auto* shared = static_cast<unsigned char*>(mmap(
        nullptr, pages * kPageBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    if (shared == MAP_FAILED) fail("mmap");
    std::memset(shared, 1, pages * kPageBytes);
    const auto start = Clock::now();
    for (uint64_t i = 0; i < rounds; ++i) {
        std::this_thread::sleep_until(start + i * std::chrono::seconds(1) / kRoundsASecond);
        const pid_t child = fork();
        if (child < 0) fail("fork");
        if (child == 0) {
            for (size_t page = 0; page < pages; ++page) {
                static_cast<volatile unsigned char*>(shared)[page * kPageBytes] = 2;
            }
            return 0;
        }
        int status = 0;
        if (waitpid(child, &status, 0) != child || status != 0) fail("a child");
    }
    const std::chrono::duration<double> seconds = Clock::now() - start;
    std::printf("{\"children\": %lu, \"pages\": %lu, \"seconds\": %.3f}\n", rounds, rounds * pages,
                seconds.count());
    return 0;
}
