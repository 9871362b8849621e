// Maps a file that bears an interpreter's name, forks, so that the recorder looks at it, and does
// what it likes with the file meanwhile.
//
//     hostile_interpreter FILE [truncate]
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <string>

int main(int argc, char** argv) {
    if (argc < 2) return 1;
    const int file = open(argv[1], O_RDWR);
    if (file < 0 || mmap(nullptr, 4096, PROT_READ, MAP_PRIVATE, file, 0) == MAP_FAILED) return 3;
    static char memory[1 << 20];
    std::memset(memory, 1, sizeof memory);
    const bool truncates = argc > 2 && std::string(argv[2]) == "truncate";
    for (int round = 0; round < 3; ++round) {
        const pid_t child = fork();
        if (child == 0) {
            for (size_t i = 0; i < 200; ++i) memory[i * 4096] = 2;
            usleep(100'000);
            _exit(0);
        }
        // The recorder looks as soon as it sees the fork.
        if (truncates && ftruncate(file, 0) != 0) return 4;
        waitpid(child, nullptr, 0);
    }
    return 7;
}
