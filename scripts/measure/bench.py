"""The performance table: what cowscope costs, each figure a ratio to the same program without it.

Programs that are held against each other run at the same time on one CPU (groups.py); each figure
is the median over the rounds of the ratio within a round, with the quartiles in brackets. The
program without cowscope is there twice in a group: the others are held against the mean of the two,
and the ratio of one to the other says what a ratio of 1 looks like here.
Time is CPU time of the whole command with all its processes, the recorder among them (costs.py).
"""

import argparse
import json
import os
import re
import sys
import time

import bars
import costs
import groups
import growth
import measuring
import recorders
import tables
import workloads
from measuring import MeasuringError, say

PYTHONS = ['3.11', '3.13']


def buffer_size(text):
    """As perf's -m has it, without the number of pages that it takes too."""
    if not re.fullmatch('[1-9][0-9]*[KMG]', text):
        raise argparse.ArgumentTypeError('%r is no size such as 64M' % text)
    return text


def parse_options():
    parser = argparse.ArgumentParser(prog='scripts/bench', allow_abbrev=False,
                                     description='Measures what cowscope costs. ' +
                                     'Without options: the table, in a quarter of an hour.')
    parser.add_argument('--build', metavar='DIR', default=os.path.join(measuring.SOURCE, 'build'),
                        help='use the build that is there, and set up nothing')
    parser.add_argument('--growth', action='store_true',
                        help='how the cost grows with the entries and the children, instead: '
                        'an hour')
    parser.add_argument('--rounds', type=int, default=7, metavar='N',
                        help='rounds of runs (default %(default)s; fewer are no result)')
    parser.add_argument('--entries', type=int, default=2000000, metavar='N',
                        help='entries of the maps (default %(default)s)')
    parser.add_argument('--copies', type=int, default=1000000, metavar='N',
                        help='copies of the long run (default %(default)s)')
    parser.add_argument('--events', type=int, default=5000000, metavar='N',
                        help='events of the long report (default %(default)s)')
    parser.add_argument('--only', metavar='WHAT',
                        choices=['cpp', 'python', 'copies', 'report'], action='append',
                        help='cpp, python, copies or report; may be given again')
    parser.add_argument('--python', action='append', metavar='PATH',
                        help='an interpreter (default: 3.11 and 3.13 of this machine)')
    parser.add_argument('--perf-buffer', metavar='SIZE', type=buffer_size,
                        help="perf's for dwarf stacks, for each CPU: 64M holds nearly all samples, "
                        "and takes a minute or two more (default: perf's own, which loses half)")
    parser.add_argument('--cpus', metavar='LIST',
                        help='run on these CPUs, a group of programs on each (default: two)')
    parser.add_argument('--cold', action='store_true',
                        help='do not write to all free memory first')
    parser.add_argument('-o', dest='output', metavar='DIR',
                        help='for bench.json, bench.md and traces (default: bench/ in the build)')
    options = parser.parse_args()
    if min(options.rounds, options.entries, options.copies, options.events) < 1:
        parser.error('numbers count from 1')
    options.only = options.only or ['cpp', 'python', 'copies', 'report']
    options.perf_buffer = options.perf_buffer or ''
    options.output = options.output or os.path.join(options.build, 'bench')
    return options


# --- what is measured

def find_pythons(options):
    if options.python:
        return [(measuring.python_version(path), path) for path in options.python]
    found = measuring.find_pythons()
    chosen = []
    for version in PYTHONS:
        paths = [path for name, path in found.items() if name.startswith(version + '.')]
        if paths:
            chosen.append((measuring.python_version(paths[-1]), paths[-1]))
        else:
            say('SKIPPED: no Python %s on this machine; nothing was measured with it' % version)
    return chosen


def measure_table(options, tools, program, cpus, clock, keep):
    """Calls keep(figures) after each workload."""
    workload_list = []
    if 'cpp' in options.only:
        workload_list.append(workloads.cpp(program, options.entries, 2))
    if 'python' in options.only:
        workload_list += [workloads.python(path, version, options.entries, 2)
                          for version, path in find_pythons(options)]
    for workload in workload_list:
        try:
            found, members = costs.measure_workload(tools, workload, costs.GROUPS, cpus,
                                                    options.rounds)
        except groups.NoRoomError as error:
            say('SKIPPED: %s: %s' % (workload.name, error))
            continue
        clock.lap(workload.name)
        costs.measure_reports(found, members, options.rounds)
        clock.lap('its reports')
        remove_traces(members)
        keep(found)


def measure_all(options, tools, program, cpus, clock, results):
    """Into `results`, which are written after each part: a run that is broken off has the first."""
    results.update(workloads=[], long_run=None, long_report=None)

    def keep(found):
        results['workloads'].append(found)
        write_table(options, results)

    measure_table(options, tools, program, cpus, clock, keep)
    if 'copies' in options.only:
        workload = costs.long_run(program, options.copies, 1)
        try:
            results['long_run'], members = costs.measure_workload(
                tools, workload, costs.LONG_RUN_GROUPS, cpus, options.rounds, rounds_alone=1)
            remove_traces(members)
        except groups.NoRoomError as error:
            say('SKIPPED: %s: %s' % (workload.name, error))
        clock.lap(workload.name)
    if 'report' in options.only:
        results['long_report'] = costs.measure_long_report(tools, program, options.events)
        clock.lap('the long report')


def remove_traces(members):
    for folder in {member.tools.folder for member in members.values()}:
        measuring.remove(folder)


class Clock:
    """Says how long each part took."""

    def __init__(self):
        self._start = self._last = time.monotonic()

    def lap(self, what):
        now = time.monotonic()
        say('%s: took %.0f s' % (what, now - self._last))
        self._last = now

    def finish(self):
        say('took %.1f minutes' % ((time.monotonic() - self._start) / 60))


# --- what is written

def as_json(value):
    if isinstance(value, (measuring.Series, bars.Bar)):
        return value.as_json()
    raise TypeError(type(value).__name__)


def write_results(options, results, text, name):
    with open(os.path.join(options.output, name + '.json'), 'w', encoding='utf-8') as file:
        json.dump(results, file, default=as_json, indent=1)
        file.write('\n')
    with open(os.path.join(options.output, name + '.md'), 'w', encoding='utf-8') as file:
        file.write(text)
    return text


def write_table(options, results):
    results['bars'] = bars.all_of(results)
    return write_results(options, results, tables.to_markdown(results), 'bench')


def print_results(options, text, name):
    print(text)
    say('written: %s/%s.json and .md' % (options.output, name))


def prepare(options):
    if options.cpus:
        os.sched_setaffinity(0, {int(cpu) for cpu in options.cpus.split(',')})
    os.makedirs(options.output, exist_ok=True)
    tools = recorders.Recorders(os.path.join(options.build, 'cowscope'),
                                recorders.find_perf(options.output, options.perf_buffer),
                                options.output, recorders.find_floor(options.build),
                                options.perf_buffer)
    program = os.path.join(options.build, 'string_map')
    recorders.check_cowscope_can(tools, [program, '--entries', '20000'])
    measuring.remove(tools.trace(recorders.EXACT))
    if not options.cold:
        say('touched %.1f GiB of free memory' % (measuring.touch_free_memory() / (1 << 20)))
    return tools, program


def main():
    clock = Clock()
    options = parse_options()
    tools, program = prepare(options)
    cpus = groups.usable_cpus(are_named=options.cpus is not None)
    clock.lap('getting ready')
    results = {'schema': 'cowscope.bench/1', 'machine': measuring.machine(tools.cowscope),
               'perf': measuring.first_line_of(tools.perf, '--version') if tools.perf
               else 'no perf', 'perf_buffer': options.perf_buffer, 'rounds': options.rounds,
               'cpus': cpus}
    if options.growth:
        results['growth'] = growth.measure(tools, program, cpus, options.rounds)
        text = write_results(options, results, growth.to_markdown(results), 'growth')
        print_results(options, text, 'growth')
    else:
        measure_all(options, tools, program, cpus, clock, results)
        print_results(options, write_table(options, results), 'bench')
    clock.finish()
    return 0


if __name__ == '__main__':
    try:
        sys.exit(main())
    except MeasuringError as error:
        say('bench: %s' % error)
        sys.exit(2)
