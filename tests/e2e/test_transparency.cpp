// A recorded program says and ends as it does alone.
#include <csignal>
#include <random>
#include <string>
#include <vector>

#include "tests/catch.h"
#include "tests/e2e/cowscope_program.h"
#include "tests/e2e/pythons.h"
#include "tests/e2e/temporary_folder.h"
#include "tests/e2e/truth.h"

using namespace cowscope::e2e;

namespace {

// Alone, under `record`, under `run`, and with nothing but the library.
void check_same(const Words& program, const std::string& input = "") {
    CAPTURE(program);
    const TemporaryFolder folder;
    RunOptions options;
    options.input = input;
    const RunResult alone = run_program(program, options);
    REQUIRE_FALSE(alone.timed_out);

    const RunResult recorded = run_cowscope(
        joined({"record", "--quiet", "-o", folder / "record.cow", "--"}, program), options);
    CHECK(recorded.status() == alone.status());
    CHECK((recorded.out == alone.out));
    CHECK(recorded.err == alone.err);

    // Its report comes on standard error, behind what the program says there.
    const RunResult ran =
        run_cowscope(joined({"run", "--quiet", "-o", folder / "run.cow", "--"}, program), options);
    CHECK(ran.status() == alone.status());
    CHECK((ran.out == alone.out));
    CHECK(ran.err.rfind(alone.err, 0) == 0);
    CHECK(contains(ran.err.substr(alone.err.size()), "the trace is kept in"));

    options.environment = {"LD_PRELOAD=" + kShim, "COWSCOPE_OUTPUT=" + (folder / "bare.cow")};
    const RunResult preloaded = run_program(program, options);
    CHECK(preloaded.wait_status == alone.wait_status);
    CHECK((preloaded.out == alone.out));
    CHECK(preloaded.err == alone.err);
    CHECK(run_cowscope({"report", folder / "bare.cow"}).status() == 0);
}

std::string random_bytes(size_t count) {
    std::mt19937 random(1);
    std::string bytes(count, '\0');
    for (char& byte : bytes) byte = static_cast<char>(random() & 0xff);
    return bytes;
}

}  // namespace

TEST_CASE("the C++ workload says the same with cowscope and without", "[transparency]") {
    const std::string values =
        GENERATE(std::string("refcounted"), "shared_ptr", "cow-string", "interned", "plain");
    check_same(
        {kStringMap, "--no-memory", "--entries", "20000", "--children", "3", "--values", values});
}

TEST_CASE("the C++ workload's own errors stay its own", "[transparency]") {
    check_same({kStringMap, "--entries", "0"});
    check_same({kStringMap, "--input", "/nowhere"});
}

TEST_CASE("the Python workload says the same with cowscope and without", "[transparency]") {
    const std::string python = debian_python();
    COWSCOPE_REQUIRE_INTERPRETER(python, "/usr/bin/python3");
    check_same({python, kPythonWorkload, "--entries", "20000", "--processes", "3"});
    check_same({python, kPythonWorkload, "--entries", "20000", "--processes", "3", "--intern",
                "--read", "values"});
}

TEST_CASE("Python's ways to start processes work as ever", "[transparency]") {
    const std::string python = debian_python();
    COWSCOPE_REQUIRE_INTERPRETER(python, "/usr/bin/python3");
    check_same({python, "-c",
                "import os, subprocess, sys, signal, threading\n"
                "print(subprocess.run(['/bin/echo', 'hello'], stdout=subprocess.PIPE).stdout)\n"
                "print(subprocess.check_output('echo $0 | tr a-z A-Z; exit 0', shell=True))\n"
                "print(os.system('exit 3') >> 8, os.popen('echo popen').read())\n"
                "sys.stdout.flush()\n"
                "pid = os.fork()\n"
                "if pid == 0:\n"
                "    os.kill(os.getpid(), signal.SIGTERM)\n"
                "print(os.waitpid(pid, 0)[1])\n"
                "signal.signal(signal.SIGTERM, lambda *_: print('handled'))\n"
                "os.kill(os.getpid(), signal.SIGTERM)\n"
                "print(signal.getsignal(signal.SIGTRAP), signal.getsignal(signal.SIGHUP))\n"
                "thread = threading.Thread(target=lambda: print('thread'))\n"
                "thread.start(); thread.join()\n"
                "print(sorted(os.listdir('/proc/self/fd')) and 'descriptors')\n"
                "print('last words', file=sys.stderr)\n"
                "sys.exit(9)\n"});
}

TEST_CASE("an exit status comes through", "[transparency]") {
    const std::string status = GENERATE(std::string("0"), "1", "2", "7", "127", "255");
    check_same({"/bin/sh", "-c", "exit " + status});
}

TEST_CASE("a signal's end comes through as 128 + n", "[transparency]") {
    const int signal =
        GENERATE(SIGKILL, SIGTERM, SIGINT, SIGHUP, SIGSEGV, SIGABRT, SIGUSR1, SIGTRAP);
    CAPTURE(signal);
    const Words program = {"/bin/sh", "-c", "kill -" + std::to_string(signal) + " $$"};
    check_same(program);
    // Forked first, so that the shim handles what it handles.
    check_same({"/bin/sh", "-c", "/bin/true; (exit 0); kill -" + std::to_string(signal) + " $$"});
    const TemporaryFolder folder;
    CHECK(record(folder / "t.cow", program).status() == 128 + signal);
}

TEST_CASE("standard input reaches the program", "[transparency]") {
    check_same({"/bin/cat"}, random_bytes(1'000'000));
    check_same({"/bin/sh", "-c", "cat | cat | (read -r first; echo \"$first\"; wc -c)"},
               "a line\nand\nmore\n");
}

TEST_CASE("both streams and the status of a script stay as they are", "[transparency]") {
    check_same({"/bin/sh", "-c",
                "echo out; echo err >&2; (echo child; exit 4); echo $?; "
                "for i in 1 2 3; do (echo $i) & wait; done; ls /nowhere; echo more >&2; exit 3"});
    check_same({"/bin/bash", "-c",
                "set -o pipefail; trap 'echo term' TERM; kill -TERM $$; "
                "x=$(seq 1000 | sort -r | head -n 1); echo \"$x\"; coproc cat; exec 3>&-; "
                "echo ${BASHPID+set}; exit 11"});
}

TEST_CASE("a program that is killed in its children says so itself", "[transparency]") {
    check_same({"/bin/bash", "-c",
                // What bash says of them holds their ids.
                "exec 2>/dev/null; for s in TERM INT HUP KILL USR1; do "
                "bash -c \"kill -$s \\$\\$\"; echo $s $?; done"});
}
