"""Go with cgo: its runtime has signal handlers and stacks of its own, and C code in it forks."""

import os
import subprocess

from support import begin, find

SOURCE = """
package main

/*
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
static char *block;
static void fill(int pages) { block = malloc(pages * 4096L); memset(block, 1, pages * 4096L); }
static int fork_and_write(int pages) {
    pid_t pid = fork();
    if (pid == 0) {
        for (int i = 0; i < pages; i++) block[i * 4096L + 8] = 2;
        _exit(block[8]);
    }
    int status = 0;
    waitpid(pid, &status, 0);
    return WEXITSTATUS(status);
}
*/
import "C"

import (
    "fmt"
    "os"
    "os/exec"
    "sync"
)

func crash(p *int) (said string) {
    defer func() { said = fmt.Sprint("recovered: ", recover()) }()
    return fmt.Sprint(*p)
}

func main() {
    C.fill(1000)
    var all sync.WaitGroup
    for i := 0; i < 3; i++ {
        all.Add(1)
        go func() {
            defer all.Done()
            fmt.Println("C's child ended with", C.fork_and_write(1000))
        }()
    }
    all.Wait()
    for i := 0; i < 3; i++ {
        said, err := exec.Command("/bin/sh", "-c", fmt.Sprint("echo child; exit ", i)).Output()
        fmt.Println(string(said), err)
    }
    fmt.Println(crash(nil))
    os.Exit(12)
}
"""

go = find("go")
find("gcc")
test = begin(go, "version")
test.write("main.go", SOURCE)
program = os.path.join(test.folder, "program")
subprocess.run([go, "build", "-o", program, "main.go"], check=True, cwd=test.folder, timeout=120,
               env={"PATH": "/usr/bin:/bin", "HOME": test.folder, "CGO_ENABLED": "1",
                    "GO111MODULE": "off",
                    "GOCACHE": f"{test.folder}/cache"})
report = test.both("go", [program], status=12, min_forks=3)
test.that(report.by_children() >= 3000,
          f"three children wrote 1,000 pages each and copied {report.by_children()}")
test.share_of(report, 0.9, "store")
test.finish()
