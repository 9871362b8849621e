"""The bundled workloads as command lines, and the figures that they print."""

import dataclasses
import re

from measuring import MeasuringError, PYTHON_WORKLOAD

READING = re.compile(r'^(?:child|worker) \d+: reading took [\d.]+ ms, ([\d.]+) ms of CPU time$',
                     re.MULTILINE)
FORK = re.compile(r'^(?:child|worker) \d+: fork took ([\d.]+) ms, '
                  r'its start ([\d.]+) ms of CPU time$', re.MULTILINE)
FORK_CPU = re.compile(r"^(?:child|worker) \d+: its fork took ([\d.]+) ms of the parent's CPU time$",
                      re.MULTILINE)
FLOOR = re.compile(r'^(fresh|copied) pages: ([\d.]+) ns a page alone, ([\d.]+) counted, '
                   r'([\d.]+) with a signal$', re.MULTILINE)
MEMORY = re.compile(r'private memory (\d+) kB before, (\d+) kB after$', re.MULTILINE)


@dataclasses.dataclass
class Workload:
    name: str
    command: list  # of a run that measures times
    memory_command: list  # of one that measures its children's memory
    children: int


@dataclasses.dataclass
class Times:
    """Seconds, of all children together."""
    reading_cpu: float
    start_cpu: float  # of the children until their fork had returned
    fork_cpu: float  # mean of the parent's calls, in its own CPU time


def cpp(program, entries, children, *options):
    common = [program, '--entries', str(entries), '--children', str(children), *options]
    return Workload('C++ string map', common + ['--timing', '--no-memory'], common, children)


def python(interpreter, version, entries, processes, *options):
    common = [interpreter, PYTHON_WORKLOAD, '--entries', str(entries),
              '--processes', str(processes), *options]
    return Workload('Python %s string map' % version, common + ['--timing'],
                    common + ['--memory'], processes)


def times_of(workload, run):
    """Of a run with times."""
    reading = seconds_of(READING, run)
    starts = [float(start) / 1e3 for _, start in FORK.findall(run.errors)]
    forks = seconds_of(FORK_CPU, run)
    if not len(reading) == len(starts) == len(forks) == workload.children:
        raise MeasuringError('%s printed no times of its %d children'
                             % (workload.command[0], workload.children))
    return Times(sum(reading), sum(starts), sum(forks) / len(forks))


def seconds_of(pattern, run):
    return [float(ms) / 1e3 for ms in pattern.findall(run.errors)]


def floor_of(run):
    """Seconds of CPU time a page that fault_floor printed, by 'fresh alone', 'copied signal'..."""
    found = {}
    for what, *ns in FLOOR.findall(run.output):
        for kind, text in zip(('alone', 'counted', 'signal'), ns):
            found['%s %s' % (what, kind)] = float(text) / 1e9
    if len(found) != 6:
        raise MeasuringError('fault_floor printed no times')
    return found


def private_kb_of(workload, run):
    """Private memory of a child after its reading, as it says itself: the mean."""
    after = [int(kb) for _, kb in MEMORY.findall(run.output)]
    if len(after) != workload.children:
        raise MeasuringError('%s printed no memory of its %d children'
                             % (workload.command[0], workload.children))
    return sum(after) / len(after)
