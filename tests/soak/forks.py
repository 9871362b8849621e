"""usage: forks.py COWSCOPE PROGRAMS MINUTES [--forks N] [--blocked] [--keep FOLDER]

Records a parent that forks children one after the other for so long, under threads and timers
(tests/e2e/programs/forking_parent.cpp), and holds the report against the program's own account of
what each process wrote first. Now and then the disk that the trace is on is full for a second; that
needs root, for a file system of its own, and is left out, loudly, elsewhere.

What has to be: every child that ended while the disk had room is there with exactly the pages that it
wrote; what the parent and its threads wrote is there, or told as lost; the trace is whole; and the
parent has the memory and the descriptors that it had after ten forks.
"""

import argparse
import collections
import ctypes
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time

OTHER_COPIES = 96  # of a child's stack and libraries
# Of a program whose threads allocate, without cowscope; a leak of a page a fork is 400 MiB in an hour.
MORE_MEMORY_KB = 4096
MORE_DESCRIPTORS = 12
FULL_SECONDS = 1.0
WHOLE_BYTES = 12 << 30
MS_REMOUNT = 32
# Around a time without room: what was written just before may not have been accounted for yet.
MARGIN_SECONDS = 1.0

wrong = []


def that(condition, problem):
    if not condition:
        wrong.append(problem)


class Disk:
    """A file system for the trace, which can be made full; a plain folder where none can be had."""

    def __init__(self, folder):
        self.folder = os.path.join(folder, "disk")
        os.mkdir(self.folder)
        self.libc = ctypes.CDLL(None, use_errno=True)
        self.is_own = self._mount(0, WHOLE_BYTES)
        self.windows = []

    def _mount(self, flags, size):
        options = f"size={size}".encode()
        return self.libc.mount(b"none", self.folder.encode(), b"tmpfs", flags, options) == 0

    def fill(self, seconds):
        start = time.monotonic()
        while True:
            room = os.statvfs(self.folder)
            # No smaller than what is in use, which may have grown since.
            if self._mount(MS_REMOUNT, (room.f_blocks - room.f_bfree + 4) * room.f_frsize):
                break
        time.sleep(seconds)
        that(self._mount(MS_REMOUNT, WHOLE_BYTES), "the disk does not get its room back")
        self.windows.append((start, time.monotonic()))

    def had_room(self, start, end):
        return all(end < first - MARGIN_SECONDS or start > last + MARGIN_SECONDS
                   for first, last in self.windows)

    def close(self):
        if self.is_own:
            self.libc.umount2(self.folder.encode(), 2)  # MNT_DETACH


def run(command):
    """What it printed, and the MiB and seconds that it took."""
    start = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    text = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    that(process.returncode == 0, f"{' '.join(command[:2])} ended with {process.returncode}")
    return text, usage.ru_maxrss // 1024, time.monotonic() - start


def size_mib(folder):
    return sum(entry.stat().st_size for entry in os.scandir(folder)) / 2**20


def pages_of(report, function):
    """And the processes that they are of are not told apart."""
    return sum(site["pages"] for site in report["sites"] if site["function"].startswith(function))


def check_parent(report, account, row, without_trace):
    """without_trace: the rounds whose child is missing. The report cannot know that it shared pages."""
    rounds = account["rounds"]
    truth = {
        "written_by_parent": sum(each[4] for each in rounds),
        "written_by_thread": 2 * sum(each[5] for each in rounds),
    }
    lost = row["lost_events"]
    excused = sum(each[4] + 2 * each[5] for each in without_trace)
    missing = 0
    for function, pages in truth.items():
        seen = pages_of(report, function)
        print(f"{function}: {pages:,} pages, {seen:,} of them witnessed")
        that(seen <= pages, f"{function}: {seen} pages of {pages}")
        missing += pages - seen
    print(f"the parent has lost {lost:,}, and wrote {excused:,} beside children without a trace")
    that(missing <= lost + excused, f"{missing} pages of the parent's are missing, {lost} are told as "
         f"lost, {excused} were beside children without a trace")


def check_memory(account):
    tenth = account["memory"][0]
    print("forks, resident and virtual KiB, descriptors:")
    step = max(1, len(account["memory"]) // 12)
    shown = account["memory"][::step]
    for forks, resident, size, descriptors in shown + account["memory"][-1:]:
        print(f"  {forks:>9,} {resident:>9,} {size:>9,} {descriptors:>4}")
    for forks, resident, size, descriptors in account["memory"]:
        that(resident <= tenth[1] + MORE_MEMORY_KB,
             f"after {forks} forks {resident} KiB are resident, {tenth[1]} after ten")
        that(size <= tenth[2] + MORE_MEMORY_KB,
             f"after {forks} forks there are {size} KiB, {tenth[2]} after ten")
        # Two for each thread that writes, and what a tracker needs.
        that(descriptors <= tenth[3] + MORE_DESCRIPTORS,
             f"after {forks} forks {descriptors} descriptors are open, {tenth[3]} after ten")


def take_row(rows, start, end):
    """Of the process that lived in these seconds."""
    slack = 0.5
    for row in rows:
        if start - slack <= row["start_ns"] * 1e-9 <= end + slack:
            rows.remove(row)
            return row
    return None


def check_children(report, account, disk):
    # Numbers are used again, by grandchildren too.
    rows = collections.defaultdict(list)
    for row in sorted(report["processes"], key=lambda row: row["start_ns"]):
        if row["parent"] == account["pid"] and row["role"] == "fork":
            rows[row["pid"]].append(row)
    # Times in a report count from where the recording began, which is a little before the program.
    parent = next(row for row in report["processes"] if row["pid"] == account["pid"])
    origin = account["started"] - parent["start_ns"] * 1e-9
    copied = 0
    without_trace = []
    excused = 0
    for start, end, pid, pages, parent_pages, thread_pages, kind in account["rounds"]:
        had_room = disk.had_room(start, end)
        row = take_row(rows[pid], start - origin, end - origin)
        if row is None:
            without_trace.append([start, end, pid, pages, parent_pages, thread_pages, kind])
            excused += not had_room
            that(not had_room, f"the child {pid} is missing")
            continue
        if not had_room:
            continue
        copied += pages
        more = 2 * pages if kind == "g" else pages
        that(pages <= row["copied_pages"] <= more + OTHER_COPIES,
             f"the child {pid} ({kind}) copied {row['copied_pages']} pages, not {pages}")
        that(row["lost_events"] == 0, f"the child {pid} lost {row['lost_events']} events")
        if kind != "k":
            that(row["census"] == "final", f"the child {pid} ({kind}) has no final census")
    print(f"{len(without_trace):,} children are missing, {excused:,} of them because the disk was full; the others "
          f"wrote {copied:,} pages")
    # By whom, over all of them: where the disk was full, less.
    expected = sum(each[3] for each in account["rounds"])
    seen = pages_of(report, "written_by_child")
    print(f"written_by_child: {expected:,} pages, {seen:,} of them witnessed")
    that(copied <= seen <= expected, f"written_by_child: {seen} pages, of at least {copied}")
    return without_trace


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("cowscope")
    parser.add_argument("programs")
    parser.add_argument("minutes", type=float)
    parser.add_argument("--forks", type=int, default=100_000)
    parser.add_argument("--blocked", action="store_true",
                        help="some of the parent's copies are made with all signals blocked")
    parser.add_argument("--keep", help="a new folder that the account and the report stay in")
    options = parser.parse_args()
    if options.keep:
        os.mkdir(options.keep)
    with tempfile.TemporaryDirectory(prefix="cowscope-soak-") as scratch:
        folder = options.keep or scratch
        disk = Disk(scratch)
        if not disk.is_own:
            print("LEFT OUT: a full disk (no file system of its own can be mounted)")
        try:
            soak(options, folder, disk)
        finally:
            disk.close()
    for problem in wrong[:20]:
        print("WRONG:", problem)
    print(f"{len(wrong)} wrong")
    sys.exit(1 if wrong else 0)


def soak(options, folder, disk):
    trace = os.path.join(disk.folder, "t.cow")
    account_path = os.path.join(folder, "account.json")
    seconds = options.minutes * 60
    ended = threading.Event()

    def fill_now_and_then():
        # Three times in half a minute, and twenty times in an hour.
        pause = min(seconds / 4, 180)
        # Not at the end, when the last censuses are written.
        last = time.monotonic() + seconds - 3 * FULL_SECONDS
        while disk.is_own and not ended.wait(pause) and time.monotonic() < last:
            disk.fill(FULL_SECONDS)

    filling = threading.Thread(target=fill_now_and_then)
    filling.start()
    program = os.path.join(options.programs, "forking_parent")
    command = [options.cowscope, "record", "--quiet", "--sample", "1", "-o", trace, "--", program,
               str(seconds), str(options.forks), account_path]
    _, memory, took = run(command + (["blocked"] if options.blocked else []))
    ended.set()
    filling.join()
    with open(account_path, encoding="utf-8") as file:
        account = json.load(file)
    rounds = account["rounds"]
    print(f"{len(rounds):,} forks in {took:.0f} s, {account['ticks']:,} ticks of timers, the disk was full "
          f"{len(disk.windows)} times; the trace has {size_mib(trace):,.0f} MiB, the recorder took "
          f"{memory:,} MiB")
    check_memory(account)

    text, memory, took = run([options.cowscope, "report", "--format", "json", trace])
    print(f"the report: {took:.1f} s, {memory:,} MiB")
    if options.keep:
        with open(os.path.join(folder, "report.json"), "wb") as file:
            file.write(text)
    report = json.loads(text)
    # Many tell the same of one process each.
    notes = collections.Counter(re.sub(r"[0-9]+", "N", note) for note in report["notes"])
    for note, count in notes.items():
        print(f"note, {count} times: {note}")
        # A list of mappings may find no room behind its first part.
        is_cut = disk.windows and "a list without its end" in note
        that("damaged" not in note or is_cut, "the trace is damaged")
    totals = report["totals"]
    print(f"{totals['copied_pages']:,} copies, {totals['witnessed_pages']:,} witnessed, "
          f"{totals['lost_events']:,} lost")
    roots = [row for row in report["processes"] if row["pid"] == account["pid"]]
    that(len(roots) == 1, f"the parent is there {len(roots)} times")
    if roots:
        that(roots[0]["census"] == "final", "the parent has no final census")
        without_trace = check_children(report, account, disk)
        if report["witness"] == "trap":
            check_parent(report, account, roots[0], without_trace)
    if not disk.windows and not options.blocked:
        that(totals["lost_events"] == 0, "events were lost")


main()
