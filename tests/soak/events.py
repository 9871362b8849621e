"""usage: events.py COWSCOPE PROGRAMS SECONDS [--any-rate]

Records 50,000 first writes a second for so long (tests/e2e/programs/event_writer.cpp) and holds the
report against the program's own count: every write there, none lost. Where the machine is too slow
for the rate that is a failure, but for --any-rate. What it took is printed.
"""

import json
import os
import subprocess
import sys
import tempfile
import time

RATE = 50_000
OTHER_COPIES = 64  # of each child's stack and libraries

cowscope, programs, seconds = sys.argv[1:4]
wrong = []


def that(condition, problem):
    if not condition:
        wrong.append(problem)


def run(command):
    """What it printed, the seconds it took, of these on a processor, and its MiB at most."""
    start = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    text = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    that(process.returncode == 0, f"{command[:2]} ended with {process.returncode}")
    return text, time.monotonic() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss // 1024


def size_mib(folder):
    return sum(entry.stat().st_size for entry in os.scandir(folder)) / 2**20


with tempfile.TemporaryDirectory(prefix="cowscope-soak-") as folder:
    trace = os.path.join(folder, "t.cow")
    text, _, used, _ = run([cowscope, "record", "--quiet", "--sample", "1", "-o", trace, "--",
                            os.path.join(programs, "event_writer"), str(RATE), seconds])
    done = json.loads(text)
    rate = done["pages"] / done["seconds"]
    print(f"{done['pages']:,} writes by {done['children']:,} children in {done['seconds']:.0f} s: "
          f"{rate:,.0f} a second; {used:.0f} s on processors; a trace of {size_mib(trace):,.0f} MiB")
    if "--any-rate" not in sys.argv:
        # The last round may have been late.
        that(rate > 0.98 * RATE, f"only {rate:,.0f} writes a second")

    text, took, _, memory = run([cowscope, "report", "--format", "json", trace])
    print(f"the report: {took:.1f} s, {memory:,} MiB")
    report = json.loads(text)
    totals = report["totals"]
    print(f"{totals['copied_pages']:,} copies, {totals['witnessed_pages']:,} witnessed, "
          f"{totals['lost_events']:,} lost")
    for note in report["notes"]:
        print("note:", note)
    that(totals["lost_events"] == 0, "events were lost")
    children = [each for each in report["processes"] if each["role"] == "fork"]
    that(len(children) == done["children"], f"{len(children)} children")
    each_wrote = done["pages"] // done["children"]
    for child in children:
        that(child["census"] == "final", f"process {child['pid']} has no final census")
        that(each_wrote <= child["copied_pages"] <= each_wrote + OTHER_COPIES,
             f"process {child['pid']} copied {child['copied_pages']} pages, not {each_wrote}")
    if report["witness"] == "trap":
        that(totals["witnessed_pages"] >= done["pages"], "writes were not witnessed")
    that(totals["copied_pages"] >= done["pages"], "copies are missing")

for problem in wrong[:10]:
    print("WRONG:", problem)
print(f"{len(wrong)} wrong")
sys.exit(1 if wrong else 0)
