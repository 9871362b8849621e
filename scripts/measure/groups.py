"""Programs that are held against each other run at the same time, on one and the same CPU.

Run one after the other, one and the same command takes 20 % more at one time than at another where
others share the machine's memory or cores. Run together on one CPU, they take turns every few
milliseconds, and whatever disturbs the CPU hits them all alike: only ratios within such a group are
told. Every group has a run without cowscope that the others in it are held against.
"""

import dataclasses
import os

import measuring
from measuring import MeasuringError
from recorders import AGAIN, FLOOR, PLAIN

SPARE_KB = 1 << 20  # of memory, for what else the machine does
MOST_AT_ONCE = 2  # groups, unless CPUs are named: more would get in each other's way


class NoRoomError(MeasuringError):
    """Memory has no room for a single run."""


@dataclasses.dataclass
class Plan:
    """Which groups are run, on which of the CPUs, and how many groups at once."""
    groups: list  # of lists of names
    cpus: list
    at_once: int

    def steps(self, rounds):
        """Lists of (round, group, CPU) that run at once. A group is on another CPU each time."""
        if self.at_once == 1:
            return [[(number, group, self._cpu(place + number))] for number in range(rounds)
                    for place, group in enumerate(self.groups)]
        jobs = [(number, group) for number in range(rounds) for group in self.groups]
        steps = [jobs[at:at + self.at_once] for at in range(0, len(jobs), self.at_once)]
        return [[(number, group, self._cpu(place + step))
                 for place, (number, group) in enumerate(jobs)]
                for step, jobs in enumerate(steps)]

    def _cpu(self, turn):
        return self.cpus[turn % len(self.cpus)]


def make_plan(groups, cpus, member_kb, room_kb):
    """Runs as many of these groups at once as there are CPUs and memory for, and makes smaller ones
    where a single one does not fit: at the worst one program at a time."""
    groups = [group for group in groups if group]
    fitting = max(0, room_kb) // max(1, member_kb)
    largest = max(count_large(group) for group in groups)
    if fitting < 1:
        raise NoRoomError('a run needs %.1f GiB of memory, there is room for %.1f'
                          % (member_kb / (1 << 20), max(0, room_kb) / (1 << 20)))
    if fitting == 1:
        # There is nothing to run together.
        names = dict.fromkeys(name for group in groups for name in group)
        return Plan([[name] for name in names], cpus, 1)
    if fitting < largest:
        groups = [part for group in groups for part in split(group, fitting)]
        largest = max(count_large(group) for group in groups)
    return Plan(groups, cpus, min(len(cpus), fitting // largest))


def count_large(group):
    return sum(name != FLOOR for name in group)


def split(group, most):
    """Into groups of at most that many, a plain run in each; both plain ones in the first."""
    firsts = [name for name in group if name in (PLAIN, AGAIN, FLOOR)]
    others = [name for name in group if name not in firsts]
    room = most - count_large(firsts)
    parts = [firsts + others[:room]]
    left = others[room:]
    return parts + [[PLAIN] + left[at:at + most - 1] for at in range(0, len(left), most - 1)]


def room_kb():
    return measuring.available_kb() - SPARE_KB


def usable_cpus(are_named):
    cpus = sorted(os.sched_getaffinity(0))
    return cpus if are_named else cpus[:MOST_AT_ONCE]


# --- running them

def start_on(cpu, commands):
    """Starts each of the named commands, in this order, on that CPU, where what it starts stays."""
    before = os.sched_getaffinity(0)
    started = {}
    # What is started inherits the CPU.
    os.sched_setaffinity(0, {cpu})
    try:
        for name, command in commands.items():
            started[name] = measuring.Running(command)
    finally:
        os.sched_setaffinity(0, before)
    return started


def finish_all(groups):
    """Waits for the members of all groups. None is left running where one has failed."""
    failures = []

    def finish(running):
        try:
            return running.finish()
        except MeasuringError as error:
            failures.append(error)
            return None

    done = [{name: finish(running) for name, running in group.items()} for group in groups]
    if failures:
        raise failures[0]
    return done


def in_order(group, number):
    """Of starting: another one begins each round, and every second round goes backwards."""
    first = number % len(group)
    turned = group[first:] + group[:first]
    return turned[::-1] if number % 2 else turned


def run_rounds(plan, rounds, tools, command, figures_of):
    """Runs each round's groups, and keeps figures_of(name, run) of each member: numbers by name.
    Returns Members by name."""
    rows = [[] for _ in range(rounds)]
    last_tools = {}
    for step in plan.steps(rounds):
        folders = [tools.in_folder('round-%d-%s' % (number, group[-1].replace(' ', '-')))
                   for number, group, _ in step]
        started = [start_on(cpu, {name: own.command(name, command)
                                  for name in in_order(group, number)})
                   for (number, group, cpu), own in zip(step, folders)]
        for (number, group, _), own, done in zip(step, folders, finish_all(started)):
            rows[number].append({name: figures_of(name, done[name]) for name in group})
            if number == rounds - 1:
                last_tools.update(dict.fromkeys(group, own))
            else:
                # Traces of perf have a GiB, which would be on its way to the disk while others run.
                measuring.remove(own.folder)
    return members_of(rows, last_tools)


# --- what each run is held against

@dataclasses.dataclass
class Member:
    """A program's runs, one a round, and what each of them is held against."""
    runs: list = dataclasses.field(default_factory=list)
    bases: list = dataclasses.field(default_factory=list)
    tools: object = None  # where the traces of its last run are

    def ratios(self, key):
        return measuring.ratios(self.column(key), [base[key] for base in self.bases])

    def added(self, key):
        return measuring.Series([run[key] - base[key]
                                 for run, base in zip(self.runs, self.bases)])

    def column(self, key):
        return [run[key] for run in self.runs]


def members_of(rows, tools):
    """`rows` has for each round the figures by name of each group."""
    found = {}
    for round_groups in rows:
        plains_of_round = {}
        for figures in reversed(round_groups):
            plains_of_round.update(plains_of(figures))
        told = set()
        for figures in round_groups:
            plains = plains_of(figures) if PLAIN in figures else plains_of_round
            for name in figures:
                # The plain run of a later group is there for the others in it.
                if name in told:
                    continue
                told.add(name)
                member = found.setdefault(name, Member(tools=tools.get(name)))
                member.runs.append(figures[name])
                if plains:
                    member.bases.append(base_of(name, plains))
    return found


def plains_of(figures):
    return {name: figures[name] for name in (PLAIN, AGAIN) if name in figures}


def base_of(name, plains):
    """The plain run, or the mean of two, of the same group. Of the plain runs themselves one is
    held against the other. A program that had to run alone is held against those of its round."""
    if name in (PLAIN, AGAIN) or AGAIN not in plains:
        return plains[PLAIN]
    return {key: (plains[PLAIN][key] + plains[AGAIN][key]) / 2 for key in plains[PLAIN]}
