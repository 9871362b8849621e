"""A program built with ASan, and one with another malloc before and after cowscope's library."""

import os
import re
import subprocess
import sys

from support import begin, find, library, skip

SOURCE = """
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <thread>
#include <vector>
#include <sys/wait.h>
#include <unistd.h>

int main() {
    std::map<int, std::string> map;
    for (int i = 0; i < 50000; ++i) map[i] = "a value that is long enough for the heap";
    std::vector<std::thread> threads;
    for (int t = 0; t < 3; ++t) {
        threads.emplace_back([] {
            for (int i = 0; i < 20000; ++i) free(malloc(16 + i % 2000));
        });
    }
#ifdef __SANITIZE_ADDRESS__
    // Its allocator is not safe to fork beside: GCC 12's hangs then, with and without cowscope.
    for (auto& thread : threads) thread.join();
#endif
    for (int child = 1; child <= 3; ++child) {
        if (fork() == 0) {
            for (auto& [key, value] : map) value[0] = 'A';
            for (int i = 0; i < 20000; ++i) free(malloc(16 + i % 2000));
            std::printf("child %d wrote %zu\\n", child, map.size());
            std::exit(child);
        }
    }
#ifndef __SANITIZE_ADDRESS__
    for (auto& thread : threads) thread.join();
#endif
    int sum = 0, status = 0;
    while (wait(&status) > 0) sum += WEXITSTATUS(status);
    std::printf("sum %d\\n", sum);
    return 15;
}
"""

# What ASan finds must be told as ever: its report goes to stderr, and its status is 1.
WRONG_SOURCE = """
#include <cstdlib>
#include <sys/wait.h>
#include <unistd.h>
int main() {
    char* volatile block = static_cast<char*>(malloc(10));
    if (fork() == 0) { *const_cast<char volatile*>(block + 10) = 1; _exit(0); }
    int status = 0;
    wait(&status);
    free(block);
    return WEXITSTATUS(status);
}
"""


def build(test, name, source, *flags):
    program = os.path.join(test.folder, name)
    done = subprocess.run([compiler, "-std=c++20", "-O1", "-g", "-o", program, *flags, "-pthread",
                           test.write(f"{name}.cpp", source)], check=False)
    if done.returncode != 0:
        skip(f"this machine's g++ does not build with {' '.join(flags)}")
    return program


def hold(report, *others):
    # Each map's strings lie on pages of their own, but for the last child that has them.
    test.that(report.by_children() >= 2 * 50000 * 48 / 4096,
              f"children that wrote 50,000 strings copied {report.by_children()} pages")
    test.share_of(report, 0.7, "store", *others)


compiler = find("g++")
kind = sys.argv[2]
test = begin(compiler, "--version")
if kind == "asan":
    program = build(test, "asan", SOURCE, "-fsanitize=address")
    # At the end its search for leaks writes from a task that is no thread of the process, which no
    # witness sees: the census has these pages.
    hold(test.both("asan", [program], status=15, min_forks=3), "kernel")
    hold(test.both("asan without leaks", [program], status=15, min_forks=3,
                   env={"ASAN_OPTIONS": "detect_leaks=0"}))

    # What ASan finds in a child it tells as ever.
    told = []

    def keep_words(lines):
        told.append([line for line in lines if "SUMMARY: AddressSanitizer" in line])
        return [re.sub(r"0x[0-9a-f]+|==\d+==", "", line) for line in told[-1]]

    wrong = build(test, "wrong", WRONG_SOURCE, "-fsanitize=address")
    test.both("asan finds", [wrong], status=1, min_forks=1, order=keep_words)
    test.that(sum("heap-buffer-overflow" in line for lines in told for line in lines) == 2,
              f"ASan should find an overflow in both runs, and says {told}")
else:
    program = build(test, "plain", SOURCE)
    other = library(kind)
    hold(test.both(f"{kind} preloaded", [program], status=15, min_forks=3,
                   env={"LD_PRELOAD": other}))
    # cowscope puts its library first; here it comes after the other one.
    last = test.write("last", "#!/bin/sh\nLD_PRELOAD=$1${LD_PRELOAD:+:$LD_PRELOAD} exec \"$2\"\n")
    hold(test.both(f"{kind} before cowscope's", [last, other, program], status=15, min_forks=3))
test.finish()
