"""The performance table: what cowscope costs, each figure a ratio to the same program without it.

Runs take turns, so that whatever else the machine does hits all alike; each figure is the median
over the rounds of the ratio within a round, with the quartiles in brackets. The program without
cowscope is run twice in each round: the others are held against the mean of the two, and the ratio
of one to the other says what a ratio of 1 looks like here.
Time is CPU time of the whole command with all its processes, the recorder among them.
"""

import argparse
import json
import os
import sys
import time

import bars
import growth
import measuring
import recorders
import workloads
from measuring import MeasuringError, Series, ratios, say
from recorders import AGAIN, AUTO, CENSUS, EXACT, PERF_DWARF, PERF_G, PLAIN

VARIANTS = [PLAIN, AGAIN, CENSUS, EXACT, AUTO, PERF_G, PERF_DWARF]
COWSCOPE = [CENSUS, EXACT, AUTO]
PYTHONS = ['3.11', '3.13']


def parse_options():
    parser = argparse.ArgumentParser(prog='scripts/bench', allow_abbrev=False,
                                     description='Measures what cowscope costs. ' +
                                     'Without options: the table, in a quarter of an hour.')
    parser.add_argument('--build', metavar='DIR', default=os.path.join(measuring.SOURCE, 'build'),
                        help='use the build that is there, and set up nothing')
    parser.add_argument('--growth', action='store_true',
                        help='how the cost grows with the entries and the children, instead')
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
    parser.add_argument('--cpus', metavar='LIST', help='run on these cores, such as 0,1')
    parser.add_argument('--cold', action='store_true',
                        help='do not write to all free memory first')
    parser.add_argument('-o', dest='output', metavar='DIR',
                        help='for bench.json, bench.md and traces (default: bench/ in the build)')
    options = parser.parse_args()
    if min(options.rounds, options.entries, options.copies, options.events) < 1:
        parser.error('numbers count from 1')
    options.only = options.only or ['cpp', 'python', 'copies', 'report']
    options.output = options.output or os.path.join(options.build, 'bench')
    return options


# --- one workload under every recorder

def measure_workload(tools, workload, names, rounds):
    say('%s: %d rounds of %s' % (workload.name, rounds, ', '.join(names)))

    left = dict.fromkeys(names, rounds)

    def measure(name):
        done = tools.run(name, workload.command)
        left[name] -= 1
        if name in recorders.PERF_OPTIONS and left[name] > 0:
            # A GiB that would be on its way to the disk while others run. The last is looked at.
            measuring.remove(tools.trace(name))
        times = workloads.times_of(workload, done)
        found = {'cpu': done.cpu_seconds, 'reading': times.reading_cpu, 'start': times.start_cpu,
                 'fork': times.fork}
        if name in recorders.PERF_OPTIONS:
            found['samples'] = recorders.perf_samples(done)
            found['lost'] = recorders.perf_lost(done)
        return found

    tools.run(PLAIN, workload.command)  # the first run of a program is none to compare with
    runs = measuring.in_turns(rounds, names, measure)
    baseline = runs[PLAIN]
    if AGAIN in runs:
        baseline = [{key: (one[key] + other[key]) / 2 for key in one}
                    for one, other in zip(runs[PLAIN], runs[AGAIN])]
    variants = {name: figures_of(runs[name], runs[PLAIN] if name in (PLAIN, AGAIN) else baseline)
                for name in names}
    for name in names:
        add_trace_figures(tools, name, runs, baseline, variants)
    return {'name': workload.name, 'command': workload.command, 'children': workload.children,
            'variants': variants}


def column(runs, key):
    return [run[key] for run in runs]


def figures_of(runs, baseline):
    found = {'cpu_seconds': Series(column(runs, 'cpu')),
             'cpu_ratio': ratios(column(runs, 'cpu'), column(baseline, 'cpu')),
             'cpu_added_seconds': Series([mine - base for mine, base in
                                          zip(column(runs, 'cpu'), column(baseline, 'cpu'))]),
             'reading_ratio': ratios(column(runs, 'reading'), column(baseline, 'reading')),
             'fork_ratio': ratios(column(runs, 'fork'), column(baseline, 'fork'))}
    return found


def add_trace_figures(tools, name, runs, baseline, variants):
    """What the trace of the last round tells; those before it are gone."""
    figures = variants[name]
    if name in COWSCOPE:
        report = tools.json_report(name)
        totals = report['totals']
        figures.update(copied_pages=totals['copied_pages'], events=totals['witnessed_pages'],
                       lost_events=totals['lost_events'],
                       inherited_pages=max(process['inherited_pages']
                                           for process in report['processes']))
    elif name in recorders.PERF_OPTIONS:
        figures.update(events=runs[name][-1]['samples'],
                       lost_chunks=max(column(runs[name], 'lost')),
                       copied_pages=variants[EXACT]['copied_pages'])
    else:
        return
    figures['trace_bytes'] = measuring.folder_bytes(tools.trace(name))
    figures['trace_share'] = figures['trace_bytes'] / (figures['copied_pages']
                                                       * measuring.PAGE_BYTES)
    added = [mine['reading'] - base['reading'] for mine, base in zip(runs[name], baseline)]
    figures['us_per_copy'] = Series([each / figures['copied_pages'] * 1e6 for each in added])
    if figures['events']:
        figures['us_per_event'] = Series([each / figures['events'] * 1e6 for each in added])


def measure_memory(tools, workload, found):
    """Private memory that each child has more; reading it takes time, so in runs of its own."""
    def private_kb(name):
        return workloads.private_kb_of(workload, tools.run(name, workload.memory_command))

    plain_kb = private_kb(PLAIN)
    for name in COWSCOPE:
        if name in found['variants']:
            found['variants'][name]['added_private_kb'] = private_kb(name) - plain_kb


def measure_reports(tools, found, rounds):
    """Of perf's a single run, as it takes up to a minute; the bar is far from both."""
    for name, times in ((EXACT, rounds), (PERF_DWARF, 1)):
        if name not in found['variants']:
            continue
        done = [tools.report(name) for _ in range(times)]
        runs = [{'cpu': each.cpu_seconds, 'peak_kb': each.peak_kb} for each in done]
        figures = found['variants'][name]
        figures['report_seconds'] = Series(column(runs, 'cpu'))
        figures['report_peak_kb'] = max(column(runs, 'peak_kb'))
        figures['report_us_per_event'] = Series([seconds / figures['events'] * 1e6
                                                 for seconds in column(runs, 'cpu')])


# --- the workloads

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


def long_run(program, copies, children):
    """One value a page, so that the copies are what takes time."""
    workload = workloads.cpp(program, max(1, copies // children), children, '--length', '4000',
                             '--read', 'iterate')
    workload.name = 'C++, %s copies, %d %s' % (format(copies, ','), children,
                                              'child' if children == 1 else 'children')
    return workload


def measure_long_report(tools, program, events):
    """Several images in one trace, one after the other, as so many children at once would not fit
    into memory."""
    one = long_run(program, min(events, 1000000), 4)
    times = max(1, round(events / 1000000))
    say('a trace of %s events' % format(events, ','))
    tools.run(EXACT, ['/bin/sh', '-c', 'for i in $(seq %d); do "$@" || exit; done' % times, 'sh',
                      *one.command])
    counted = tools.json_report(EXACT)['totals']['witnessed_pages']
    reports = [tools.report(EXACT) for _ in range(3)]
    return {'events': counted, 'trace_bytes': measuring.folder_bytes(tools.trace(EXACT)),
            'report_us_per_event': Series([done.cpu_seconds / counted * 1e6 for done in reports]),
            'report_peak_kb': max(done.peak_kb for done in reports)}


def measure_all(options, tools, program):
    results = {'workloads': [], 'long_run': None, 'long_report': None}
    table = []
    if 'cpp' in options.only:
        table.append(workloads.cpp(program, options.entries, 2))
    if 'python' in options.only:
        table += [workloads.python(path, version, options.entries, 2)
                  for version, path in find_pythons(options)]
    for workload in table:
        found = measure_workload(tools, workload, tools.available(VARIANTS), options.rounds)
        measure_reports(tools, found, options.rounds)
        measure_memory(tools, workload, found)
        results['workloads'].append(found)
    if 'copies' in options.only:
        results['long_run'] = measure_workload(tools, long_run(program, options.copies, 1),
                                               [PLAIN, AUTO], options.rounds)
    if 'report' in options.only:
        results['long_report'] = measure_long_report(tools, program, options.events)
    return results


# --- what is printed

def ratio_text(series):
    low, high = series.quartiles
    return '%.3f (%.3f to %.3f)' % (series.median, low, high)


def number_text(value, form='%.2f'):
    if value is None:
        return '-'
    return form % (value.median if isinstance(value, Series) else value)


def workload_table(found):
    header = ['', 'CPU time of the command', "of the children's reading", 'µs a copy',
              'µs an event', 'KiB more in a child', 'trace, % of the copied bytes',
              'report: s', 'MiB', 'µs an event', 'fork']
    rows = []
    for name, figures in found['variants'].items():
        share = figures.get('trace_share')
        peak_kb = figures.get('report_peak_kb')
        rows.append([name, ratio_text(figures['cpu_ratio']), ratio_text(figures['reading_ratio']),
                     number_text(figures.get('us_per_copy')),
                     number_text(figures.get('us_per_event')),
                     number_text(figures.get('added_private_kb'), '%.0f'),
                     number_text(share and share * 100),
                     number_text(figures.get('report_seconds')),
                     number_text(peak_kb and peak_kb / 1024, '%.0f'),
                     number_text(figures.get('report_us_per_event')),
                     number_text(figures['fork_ratio'])])
    variants = found['variants']
    copied = variants[EXACT if EXACT in variants else AUTO]['copied_pages']
    text = '## %s\n\n%s pages copied; %.2f s of CPU time without cowscope' % (
        found['name'], format(copied, ','), variants[PLAIN]['cpu_seconds'].median)
    if AGAIN in variants:
        text += ', which against itself spreads by %.1f %%' % (
            variants[AGAIN]['cpu_ratio'].spread * 100)
    return text + '.\n\n' + measuring.markdown_table(header, rows) + lost_text(found)


def lost_text(found):
    lost = ['%s: %d %s' % (name, figures[key], what)
            for name, figures in found['variants'].items()
            for key, what in (('lost_events', 'events'), ('lost_chunks', 'chunks of events'))
            if figures.get(key)]
    return '\nLost: %s.\n' % '; '.join(lost) if lost else ''


def to_markdown(results):
    parts = ['# What cowscope costs\n', measuring.machine_line(results['machine']) + '; '
             + results['perf'] + '. %d rounds. Times are ratios to the runs without cowscope in '
             'the same round: median (quartiles).\n' % results['rounds']]
    parts += [workload_table(found) for found in results['workloads']]
    if results['long_run']:
        parts.append(workload_table(results['long_run']))
    long_report = results['long_report']
    if long_report:
        parts.append('## A report of %s events\n\n%.2f µs an event, %.0f MiB at most; %.1f bytes '
                     'of trace an event.\n'
                     % (format(long_report['events'], ','),
                        long_report['report_us_per_event'].median,
                        long_report['report_peak_kb'] / 1024,
                        long_report['trace_bytes'] / long_report['events']))
    if results['rounds'] < bars.FEWEST_ROUNDS:
        parts.append('**%d rounds are no result: it takes %d.**\n' % (results['rounds'],
                                                                   bars.FEWEST_ROUNDS))
    parts.append('## Bars\n\n' + measuring.markdown_table(
        ['what', 'at most', 'measured', ''],
        [[bar.what, bar.limit_text, bar.measured_text, bar.verdict]
         for bar in results['bars']]))
    return '\n'.join(parts)


def as_json(value):
    if isinstance(value, Series):
        return value.as_json()
    if isinstance(value, bars.Bar):
        return value.as_json()
    raise TypeError(type(value).__name__)


def write_results(options, results, text, name):
    with open(os.path.join(options.output, name + '.json'), 'w', encoding='utf-8') as file:
        json.dump(results, file, default=as_json, indent=1)
        file.write('\n')
    with open(os.path.join(options.output, name + '.md'), 'w', encoding='utf-8') as file:
        file.write(text)
    print(text)
    say('written: %s/%s.json and .md' % (options.output, name))


def prepare(options):
    if options.cpus:
        os.sched_setaffinity(0, {int(cpu) for cpu in options.cpus.split(',')})
    os.makedirs(options.output, exist_ok=True)
    tools = recorders.Recorders(os.path.join(options.build, 'cowscope'),
                                recorders.find_perf(options.output), options.output)
    program = os.path.join(options.build, 'string_map')
    recorders.check_cowscope_can(tools, [program, '--entries', '20000'])
    if not options.cold:
        say('touched %.1f GiB of free memory' % (measuring.touch_free_memory() / (1 << 20)))
    return tools, program


def main():
    began = time.monotonic()
    options = parse_options()
    tools, program = prepare(options)
    results = {'schema': 'cowscope.bench/1', 'machine': measuring.machine(tools.cowscope),
               'perf': measuring.first_line_of(tools.perf, '--version') if tools.perf
               else 'no perf', 'rounds': options.rounds}
    if options.growth:
        results['growth'] = growth.measure(tools, program, options.rounds)
        write_results(options, results, growth.to_markdown(results), 'growth')
    else:
        results.update(measure_all(options, tools, program))
        results['bars'] = bars.all_of(results)
        write_results(options, results, to_markdown(results), 'bench')
    for name in VARIANTS:
        measuring.remove(tools.trace(name))
    say('took %.1f minutes' % ((time.monotonic() - began) / 60))
    return 0


if __name__ == '__main__':
    try:
        sys.exit(main())
    except MeasuringError as error:
        say('bench: %s' % error)
        sys.exit(2)
