// Memory that a process and its children write, so that there is something to track, and children
// that must end well.
#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <cstddef>
#include <cstdlib>

namespace touched {

inline unsigned char memory[200 * 4096];

inline void touch() {
    for (size_t i = 0; i < sizeof(memory); i += 4096) memory[i]++;
}

// `work` in a child that has written its memory first. The program ends with status 98 where the
// child does not end with 0.
template <typename Work>
void in_child(Work&& work) {
    const pid_t child = fork();
    if (child == 0) {
        touch();
        work();
        std::exit(0);
    }
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) != child || status != 0) std::_Exit(98);
}

}  // namespace touched
