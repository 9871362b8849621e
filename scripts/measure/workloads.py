"""The bundled workloads as command lines, and the figures that they print."""

import dataclasses
import re

from measuring import MeasuringError, PYTHON_WORKLOAD

READING = re.compile(r'^(?:child|worker) \d+: reading took [\d.]+ ms, ([\d.]+) ms of CPU time$',
                     re.MULTILINE)
FORK = re.compile(r'^(?:child|worker) \d+: fork took ([\d.]+) ms, '
                  r'its start ([\d.]+) ms of CPU time$', re.MULTILINE)
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
    fork: float  # mean of the parent's calls


def cpp(program, entries, children, *options):
    common = [program, '--entries', str(entries), '--children', str(children), *options]
    return Workload('C++ string map', common + ['--timing', '--no-memory'], common, children)


def python(interpreter, version, entries, processes, *options):
    common = [interpreter, PYTHON_WORKLOAD, '--entries', str(entries),
              '--processes', str(processes), *options]
    return Workload('Python %s string map' % version, common + ['--timing'],
                    common + ['--memory'], processes)


def times_of(workload, run):
    reading = [float(ms) / 1e3 for ms in READING.findall(run.errors)]
    forks = [(float(fork) / 1e3, float(start) / 1e3) for fork, start in FORK.findall(run.errors)]
    if len(reading) != workload.children or len(forks) != workload.children:
        raise MeasuringError('%s printed no times of its %d children'
                             % (workload.command[0], workload.children))
    return Times(sum(reading), sum(start for _, start in forks),
                 sum(fork for fork, _ in forks) / len(forks))


def private_kb_of(workload, run):
    """Private memory of a child after its reading, as it says itself: the mean."""
    after = [int(kb) for _, kb in MEMORY.findall(run.output)]
    if len(after) != workload.children:
        raise MeasuringError('%s printed no memory of its %d children'
                             % (workload.command[0], workload.children))
    return sum(after) / len(after)
