// A program that is linked statically, or whose file is setuid: the shim is not loaded into it.
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>

int main() {
    std::printf("here as %u\n", geteuid());
    std::fflush(stdout);
    const pid_t child = fork();
    if (child == 0) _exit(3);
    int status = 0;
    if (waitpid(child, &status, 0) != child || WEXITSTATUS(status) != 3) return 99;
    return 7;
}
