"""Runs a real program with and without `cowscope run` and holds the two against each other.

A test calls `begin`, then `both` for each program, then `finish`. What a program prints, its exit
status and the files that it leaves must be the same; no process of it may be left; and the report
must add up.
"""

import ctypes
import json
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

SKIPPED = 77
PR_SET_CHILD_SUBREAPER = 36
# No program of these tests takes longer on a slow machine. A hang is a failure.
LIMIT_SECONDS = 60


def skip(reason):
    print(f"SKIPPED: {reason}; nothing was tested with it", flush=True)
    sys.exit(SKIPPED)


def installed(*names):
    """The first of these programs that is installed, or None."""
    paths = (shutil.which(name, path="/usr/bin:/bin:/usr/sbin:/sbin") for name in names)
    return next((path for path in paths if path), None)


def find(*names):
    """The first of these programs that is installed, or the end of the test."""
    return installed(*names) or skip(f"this machine has no {' or '.join(names)}")


def unpacked(*packages):
    """Where these packages of the machine's own suite lie, unpacked beside the build.

    They are not installed, because they would bring a service that starts with the machine. What
    they need besides comes with the packages that scripts/setup --tests installs.
    """
    folder = os.path.join(os.path.dirname(os.path.abspath(sys.argv[1])), "tests/real/packages",
                          packages[0])
    if os.path.isdir(folder):
        return folder
    for tool in ("apt-get", "dpkg-deb"):
        find(tool)
    new = f"{folder}.new"
    shutil.rmtree(new, ignore_errors=True)
    os.makedirs(new)
    done = subprocess.run(["apt-get", "-q", "download", *packages], cwd=new, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, universal_newlines=True)
    if done.returncode != 0:
        skip(f"{packages[0]} is neither installed nor could apt-get download it: {done.stdout}")
    for name in os.listdir(new):
        subprocess.run(["dpkg-deb", "-x", name, "."], cwd=new, check=True)
        os.unlink(os.path.join(new, name))
    os.rename(new, folder)
    return folder


def library(name):
    """The path of a shared library as the dynamic linker knows it, or the end of the test."""
    listed = subprocess.run(["/sbin/ldconfig", "-p"], stdout=subprocess.PIPE, check=True,
                            universal_newlines=True).stdout
    found = re.search(rf"^\s*{re.escape(name)} \(.*x86-64.*\) => (\S+)$", listed, re.MULTILINE)
    return found.group(1) if found else skip(f"this machine has no {name}")


def first_line(*command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          universal_newlines=True, check=True)
    return next(line for line in done.stdout.splitlines() if line.strip())


def wait_until(holds, what, seconds=30):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = holds()
        if found:
            return found
        time.sleep(0.02)
    raise TimeoutError(f"waited {seconds} seconds in vain until {what}")


def talk(address, request):
    """All that a server answers: `address` is a path of a socket, or a port of this machine."""
    family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
    with socket.socket(family) as connection:
        connection.settimeout(20)
        connection.connect(address if isinstance(address, str) else ("127.0.0.1", address))
        connection.sendall(request.encode())
        answer = b""
        while True:
            more = connection.recv(65536)
            if not more:
                return answer.decode()
            answer += more


def get(address, path):
    """Status line and body of a page."""
    answer = talk(address, f"GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n")
    head, _, body = answer.partition("\r\n\r\n")
    return head.splitlines()[0] + "\n" + body


def answers(address):
    try:
        with socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET) as one:
            one.connect(address if isinstance(address, str) else ("127.0.0.1", address))
        return True
    except OSError:
        return False


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def descendants(of):
    """Processes below this one that are not yet collected, by /proc."""
    parents = {}
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            with open(f"/proc/{entry}/stat", encoding="utf-8", errors="replace") as stat:
                parents[int(entry)] = int(stat.read().rsplit(")", 1)[1].split()[1])
        except (OSError, IndexError):
            continue
    found, level = [], [of]
    while level:
        level = [pid for pid, parent in parents.items() if parent in level]
        found += level
    return found


def command_line(pid):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return ""


def files_below(folder):
    return sorted(os.path.relpath(os.path.join(base, name), folder)
                  for base, folders, names in os.walk(folder) for name in folders + names)


def shared_memory():
    return {name for name in os.listdir("/dev/shm")}


class Report:
    """What `cowscope report --format json` says of one recorded run."""

    def __init__(self, content):
        self.content = content
        self.totals = content["totals"]
        self.processes = content["processes"]
        self.sites = content["sites"]
        self.has_witness = content["witness"] == "trap"

    def pages(self, *causes):
        return sum(row["pages"] for row in self.content["causes"] if row["cause"] in causes)

    def copied(self):
        return self.totals["copied_pages"]

    def by_children(self):
        return sum(each["copied_pages"] for each in self.processes if each["role"] == "fork")

    def main_cause(self):
        return self.content["causes"][0]["cause"] if self.content["causes"] else "-"


class Test:
    def __init__(self, cowscope, version, as_nobody=False):
        self.cowscope = cowscope
        self.version = version
        self.made = 0
        self.wrong = 0
        self.rows = []
        self.user = {}
        self.folder = tempfile.mkdtemp(prefix="cowscope-real-")
        if as_nobody and os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            self.user = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
            os.chown(self.folder, nobody.pw_uid, nobody.pw_gid)
        # What a program leaves behind comes to us, and not to init.
        if ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
            sys.exit("prctl(PR_SET_CHILD_SUBREAPER) failed")

    def that(self, holds, message):
        self.made += 1
        if not holds:
            self.wrong += 1
            print(f"WRONG: {message}", flush=True)

    def same(self, plain, watched, what):
        self.that(plain == watched,
                  f"{what} differs\n--- without cowscope\n{plain}\n"
                  f"--- with cowscope\n{watched}\n---")

    def write(self, name, text):
        """A file that the program reads, readable for whatever user it runs as."""
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(path, 0o755 if text.startswith("#!") else 0o644)
        return path

    def both(self, name, command, drive=None, prepare=None, env=None, status=0, order=sorted,
             min_forks=0, **options):
        """Runs `command` in a new folder, once alone and once under `cowscope run`.

        drive(process, folder) uses the program while it runs; what it returns is held against the
        other run. prepare(folder) comes before each. `order` is sorted where processes print side
        by side. min_forks is how many forked processes the report must have at least.
        """
        runs = {}
        trace = os.path.join(self.folder, f"{name}.cow")
        for kind in ("plain", "watched"):
            folder = os.path.join(self.folder, "run")
            os.mkdir(folder)
            if self.user:
                os.chown(folder, self.user["user"], self.user["group"])
            if prepare:
                prepare(folder)
            words = command(folder) if callable(command) else list(command)
            if kind == "watched":
                words = [self.cowscope, "run", "--quiet", "-o", trace, "--"] + words
            runs[kind] = self.run_once(f"{name} ({kind})", words, folder, drive, env or {}, options)
            shutil.rmtree(folder)
        plain, watched = runs["plain"], runs["watched"]
        # As a shell says it, and cowscope: 128 + the number of the signal.
        if plain["status"] is not None and plain["status"] < 0:
            plain["status"] = 128 - plain["status"]
        self.that(plain["status"] == status,
                  f"{name}: without cowscope the status is {plain['status']} and not {status}: "
                  f"{plain['stdout']}{plain['stderr']}")
        self.same(plain["status"], watched["status"], f"{name}: the exit status")
        for stream in ("stdout", "stderr"):
            text = watched[stream]
            if stream == "stderr":
                # The report follows the program's own words.
                text = re.split(r"^cowscope  ", text, maxsplit=1, flags=re.MULTILINE)[0]
            self.same("\n".join(order(plain[stream].splitlines())),
                      "\n".join(order(text.splitlines())), f"{name}: {stream}")
        self.same(plain["driven"], watched["driven"], f"{name}: what it answered")
        self.same(plain["files"], watched["files"], f"{name}: the files that it left")
        self.that(plain["status"] is not None and plain["left"] == [],
                  f"{name}: without cowscope it left {plain['left']}")
        self.that(watched["left"] == [], f"{name}: with cowscope it left {watched['left']}")
        self.that(not watched["shared"], f"{name}: left in /dev/shm: {watched['shared']}")
        return self.read(name, trace, min_forks)

    def run_once(self, name, words, folder, drive, env, options):
        environment = {"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "LANG": "C.UTF-8", "HOME": folder,
                       "TMPDIR": folder, **env}
        before = shared_memory()
        driven = None
        out, err = (tempfile.TemporaryFile("w+") for _ in range(2))
        began = time.monotonic()
        process = subprocess.Popen(words, cwd=folder, env=environment, stdin=subprocess.DEVNULL,
                                   stdout=out, stderr=err, start_new_session=True, **self.user,
                                   **options)
        try:
            if drive:
                driven = drive(process, folder)
            status = process.wait(LIMIT_SECONDS)
        except (subprocess.TimeoutExpired, TimeoutError, OSError) as error:
            status = None
            self.that(False, f"{name}: {error}; there are "
                             f"{[command_line(pid) for pid in descendants(os.getpid())]}")
        left = self.left_over(status is None)
        if status is None:
            process.wait()
        texts = []
        for stream in (out, err):
            stream.seek(0)
            # Process numbers differ from run to run.
            text = stream.read().replace(folder, "FOLDER")
            texts.append(re.sub(r"(?i)(?<=\[)\d{2,}(?=\])|(?<=pid[ :])\s*\d+", "PID", text))
            stream.close()
        print(f"{name}: {time.monotonic() - began:.2f} s, status {status}", flush=True)
        return {"status": status, "stdout": texts[0], "stderr": texts[1], "driven": driven,
                "files": files_below(folder), "left": left,
                "shared": {n for n in shared_memory() - before if "cow" in n}}

    @staticmethod
    def left_over(at_once):
        """Command lines of what still runs a moment after the end. It is ended here."""
        end = time.monotonic() + (0 if at_once else 3)
        while True:
            try:
                while os.waitpid(-1, os.WNOHANG)[0] != 0:
                    pass
            except ChildProcessError:
                return []
            running = [pid for pid in descendants(os.getpid()) if command_line(pid)]
            if time.monotonic() > end:
                found = [command_line(pid) for pid in running]
                for pid in running:
                    try:
                        os.kill(pid, signal.SIGKILL)
                    except ProcessLookupError:
                        pass
                time.sleep(0.2)
                return found
            time.sleep(0.02)

    def read(self, name, trace, min_forks):
        """The report of a trace, once it adds up."""
        done = subprocess.run([self.cowscope, "report", "--format", "json", trace],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              universal_newlines=True)
        self.that(done.returncode == 0, f"{name}: cowscope report: {done.stderr}")
        if done.returncode != 0:
            self.finish()
        report = Report(json.loads(done.stdout))
        totals, processes = report.totals, report.processes
        self.that(totals["processes"] == len(processes), f"{name}: totals.processes")
        for field in ("copied_pages", "inherited_pages", "witnessed_pages", "lost_events"):
            self.that(totals[field] == sum(each[field] for each in processes),
                      f"{name}: {field} of the processes do not sum to {totals[field]}")
        self.that(sum(row["pages"] for row in report.content["causes"]) == report.copied(),
                  f"{name}: the causes do not sum to {report.copied()}")
        # Of a child that executes soon the inherited pages are not listed.
        self.that(all(each["copied_pages"] <= each["inherited_pages"] for each in processes
                      if each["role"] == "fork" and each["inherited_pages"]),
                  f"{name}: a child copied more than it inherited")
        self.that(0 <= totals["explained"] <= 1, f"{name}: explained is {totals['explained']}")
        forks = sum(each["role"] == "fork" for each in processes)
        self.that(forks >= min_forks, f"{name}: {forks} forks in the report, not {min_forks}")
        root = processes[0]
        self.that(root["role"] == "root" and root["exit"]["kind"] in ("exit", "signal", "exec"),
                  f"{name}: the end of the first process is {root['exit']}")
        if not report.has_witness and forks:
            # Which pages were copied is told all the same, and no more.
            print(f"NOTE: no witness on this machine: causes of {name} are not checked", flush=True)
        self.rows.append((name, len(processes), report))
        return report

    def share_of(self, report, least, *causes):
        """At least this share of the copies has one of these causes."""
        if not report.has_witness:
            return
        pages = report.pages(*causes)
        found = ", ".join(f"{row['cause']} {row['pages']}" for row in report.content["causes"])
        sites = "".join(f"\n  {site['pages']} {site['cause']} {site['function']} ({site['module']}) "
                        f"{site['instruction']}: {site['evidence']}" for site in report.sites[:12])
        self.that(pages >= least * report.copied(),
                  f"{pages} of {report.copied()} pages are {' or '.join(causes)}, which is below "
                  f"{least:.0%}: {found}{sites}")

    def finish(self):
        shutil.rmtree(self.folder, ignore_errors=True)
        for name, processes, report in self.rows:
            explained = f"{report.totals['explained']:.1%}" if report.copied() else "-"
            causes = ", ".join(f"{row['cause']} {row['pages']}"
                               for row in report.content["causes"][:4])
            print(f"RESULT | {name} | {self.version} | {processes} | {report.copied():,} | "
                  f"{causes} | {explained} | lost {report.totals['lost_events']}")
        for name, _, report in self.rows:
            for note in report.content["notes"]:
                print(f"{name}: note: {note}")
        print(f"{self.made} checks, {self.wrong} wrong")
        sys.exit(1 if self.wrong or not self.made else 0)


def begin(*version, as_nobody=False):
    """The test of the cowscope that the command line names."""
    return Test(os.path.abspath(sys.argv[1]), first_line(*version), as_nobody)
