"""The tables of the problem that cowscope was made for: memory of a tree of processes that only
reads, just after its workers start and at its peak, with and without interning, by key and over the
values, with and without cowscope, and beside it what cowscope attributes.

Memory is the sum of Pss over the program's processes, sampled from outside.
"""

import argparse
import json
import os
import re
import sys

import measuring
import plot
import recorders
import workloads
from measuring import MeasuringError, say
from recorders import EXACT, PLAIN

# Each worker waits so long before and after it reads. The sample that tells the memory before has
# to be over by then, which is checked; the one that tells the peak falls in the time after, when
# all have to have read: the more they read, the further they are apart.
PAUSE_SECONDS = 4
ENTRIES_A_SECOND_MORE = 2000000
QUICK_PAUSE_SECONDS = 1
# Bytes of memory for each entry of a map, in the parent and in a worker that copies every page of
# its values: CPython 3.6 to 3.11, the largest (30,000,000 entries: 128 of two strs and 45 of the
# dict; 128 in a worker), and some room.
PARENT_BYTES, WORKER_BYTES = 185, 132
SPARE_KB = 1 << 20
MOST_WORKERS = 10
CPP_READS = {'key': 'key', 'values': 'iterate'}
CPP_KINDS = ['refcounted', 'interned', 'shared_ptr', 'cow-string', 'plain']


def size(text):
    """ENTRIES or ENTRIESxWORKERS."""
    entries, _, workers = text.partition('x')
    return int(entries), int(workers) if workers else None


def parse_options():
    parser = argparse.ArgumentParser(prog='scripts/reproduce', allow_abbrev=False,
                                     description='Reproduces the tables of the original problem.')
    parser.add_argument('--build', metavar='DIR', default=os.path.join(measuring.SOURCE, 'build'),
                        help='use the build that is there, and set up nothing')
    parser.add_argument('--size', type=size, action='append', metavar='ENTRIES[xWORKERS]',
                        help='entries and workers, as many as fit into memory where none are given '
                        '(default: 10000000x10 and 30000000); may be given again')
    parser.add_argument('--python', action='append', metavar='PATH',
                        help='an interpreter (default: every one of this machine)')
    parser.add_argument('--only', choices=['cpp', 'python'], metavar='WHAT', help='cpp or python')
    parser.add_argument('--read', choices=['key', 'values'], metavar='ORDER',
                        help='key or values: in this order only, which takes half the time')
    parser.add_argument('--quick', action='store_true',
                        help='200,000 entries, 2 workers, by key: half a minute')
    parser.add_argument('-o', dest='output', metavar='DIR',
                        help='for the tables and plots (default: reproduce/ in the build)')
    options = parser.parse_args()
    options.output = options.output or os.path.join(options.build, 'reproduce')
    options.sizes = options.size or ([(200000, 2)] if options.quick else
                                     [(10000000, 10), (30000000, None)])
    options.reads = ([options.read] if options.read else ['key'] if options.quick else
                     ['key', 'values'])
    return options


def pause_seconds_of(options, entries):
    if options.quick:
        return QUICK_PAUSE_SECONDS
    return PAUSE_SECONDS + entries // ENTRIES_A_SECOND_MORE


def fitting_workers(entries):
    room_kb = measuring.available_kb() - SPARE_KB - entries * PARENT_BYTES // 1024
    return min(MOST_WORKERS, room_kb // (entries * WORKER_BYTES // 1024))


# --- what is run

def python_cases(options, interpreter, version, entries, workers, pause_seconds):
    for read in options.reads:
        for interning in (False, True):
            workload = workloads.python(interpreter, version, entries, workers, '--read', read,
                                        '--pause', str(pause_seconds),
                                        *(['--intern'] if interning else []))
            yield {'program': 'Python ' + version,
                   'values': 'interned' if interning else 'separate', 'read': read,
                   'workload': workload}


def random_cases(interpreter, version, entries, pause_seconds):
    """Random values of four letters, two workers that iterate over the values."""
    for interning in (False, True):
        workload = workloads.python(interpreter, version, entries, 2, '--read', 'values',
                                    '--unique', '0', '--pause', str(pause_seconds),
                                    *(['--intern'] if interning else []))
        yield {'program': 'Python ' + version,
               'values': 'random, %s; 2 workers' % ('interned' if interning else 'separate'),
               'read': 'values',
               'workload': workload}


def cpp_cases(options, program, entries, workers, pause_seconds):
    for read in [CPP_READS[read] for read in options.reads]:
        for kind in CPP_KINDS[:2] if options.quick else CPP_KINDS:
            workload = workloads.cpp(program, entries, workers, '--values', kind, '--read', read,
                                     '--pause', str(pause_seconds))
            yield {'program': 'C++', 'values': kind, 'read': read, 'workload': workload}


# --- one run

def run_watched(tools, name, workload, pause_seconds):
    memory = measuring.TreeMemory(workload.children, has_recorder=name == EXACT)
    command = tools.command(name, workload.command)
    try:
        done = measuring.run(command, watch=memory.watch)
    except MeasuringError:
        memory.finish()
        if memory.ran_out:
            raise MeasuringError('%s: the machine ran out of memory' % ' '.join(command)) from None
        raise
    memory.finish()
    times = workloads.times_of(workload, done)
    started = memory.all_started
    if started is None or memory.first_worker_seconds is None:
        raise MeasuringError('%s: its %d workers were never seen at once'
                             % (' '.join(command), workload.children))
    if started.seconds > memory.first_worker_seconds + pause_seconds:
        raise MeasuringError('%s: a worker may have read before its memory was looked at'
                             % ' '.join(command))
    after = [sample for sample in memory.samples if sample.seconds >= started.seconds]
    return {'started_kb': started.pss_kb, 'peak_kb': max(sample.pss_kb for sample in after),
            'recorder_kb': max(sample.recorder_kb for sample in memory.samples),
            'reading_cpu_seconds': times.reading_cpu,
            'samples': [(round(sample.seconds, 3), sample.pss_kb) for sample in memory.samples]}


def attributed(report):
    totals = report['totals']
    owners = [owner for owner in report.get('owners', []) if owner['owner'] != '(unowned)']
    return {'copied_bytes': totals['copied_bytes'], 'explained': totals['explained'],
            'lost_events': totals['lost_events'],
            'causes': {cause['cause']: cause['bytes'] for cause in report['causes']},
            'first_owner': owners[0]['owner'] if owners else None,
            'first_owner_bytes': owners[0]['pages'] * measuring.PAGE_BYTES if owners else 0,
            'first_site': report['sites'][0]['function'] if report['sites'] else None}


def measure(tools, case, pause_seconds):
    workload = case.pop('workload')
    say('%(program)s, %(values)s values, by %(read)s' % case)
    case['command'] = workload.command
    case['without'] = run_watched(tools, PLAIN, workload, pause_seconds)
    case['with'] = run_watched(tools, EXACT, workload, pause_seconds)
    case['cowscope'] = attributed(tools.json_report(EXACT))
    measuring.remove(tools.trace(EXACT))
    return case


# --- what is written

def mib(kb):
    return '%s' % format(round(kb / 1024), ',')


def table(cases):
    header = ['', 'values', 'read', 'workers started', 'peak', 'with cowscope: started', 'peak',
              'its recorder', 'cowscope says: copied', 'of it refcount', 'of it of one owner']
    rows = []
    for case in cases:
        found = case['cowscope']
        owner = '-'
        if found['first_owner']:
            owner = '%s %s' % (mib(found['first_owner_bytes'] / 1024), found['first_owner'])
        rows.append([case['program'], case['values'], case['read'],
                     mib(case['without']['started_kb']), mib(case['without']['peak_kb']),
                     mib(case['with']['started_kb']), mib(case['with']['peak_kb']),
                     mib(case['with']['recorder_kb']),
                     mib(found['copied_bytes'] / 1024),
                     mib(found['causes'].get('refcount', 0) / 1024), owner])
    return measuring.markdown_table(header, rows)


def write_plot(folder, entries, workers, cases):
    """Of the cases of one program and one way to read; returns the file's name."""
    lines = []
    for case in cases:
        for name, is_dashed in (('without', False), ('with', True)):
            label = case['values'] + (', with cowscope' if is_dashed else '')
            lines.append((label, [(seconds, kb / (1 << 20))
                                  for seconds, kb in case[name]['samples']], is_dashed))
    first = cases[0]
    program = re.sub('[^a-z0-9.]+', '-', first['program'].lower().replace('+', 'p')).strip('-')
    name = '%s-%s-%dx%d.svg' % (program, first['read'], entries, workers)
    title = '%s, %s entries, %d workers, read by %s' % (first['program'], format(entries, ','),
                                                        workers, first['read'])
    with open(os.path.join(folder, name), 'w', encoding='utf-8') as file:
        file.write(plot.line_chart(title, 'seconds', 'memory of the tree (Pss), GiB', lines))
    return name


def write_results(options, results):
    """Returns the tables."""
    text = ['# The original problem, reproduced\n',
            measuring.machine_line(results['machine']) + '. Memory is the sum of Pss over all '
            'processes of the program, in MiB; a worker only reads.\n']
    for part in results['sizes']:
        text.append('## %s entries, %d workers\n' % (format(part['entries'], ','),
                                                     part['workers']))
        text.append(table(part['cases']))
        groups = {}
        for case in part['cases']:
            groups.setdefault((case['program'], case['read'], case['values'].startswith('random')),
                              []).append(case)
        for key, cases in groups.items():
            if not key[2]:
                name = write_plot(options.output, part['entries'], part['workers'], cases)
                text.append('![%s, %s](%s)\n' % (key[0], key[1], name))
    for line in results['skipped'] + results['failed']:
        text.append('Not measured: %s.\n' % line)
    with open(os.path.join(options.output, 'reproduce.json'), 'w', encoding='utf-8') as file:
        json.dump(results, file, indent=1)
        file.write('\n')
    with open(os.path.join(options.output, 'reproduce.md'), 'w', encoding='utf-8') as file:
        file.write('\n'.join(text))
    return '\n'.join(text)


def find_pythons(options):
    if options.python:
        found = []
        for path in options.python:
            version = measuring.python_version(path)
            if version is None:
                raise MeasuringError('%s is no CPython 3.6 or later' % path)
            found.append((version, path))
        return found
    found = [(name, path) for name, path in measuring.find_pythons().items()]
    return found[:1] if options.quick else found


def cases_of(options, program, entries, workers, pause_seconds, with_random):
    if options.only != 'cpp':
        for version, path in find_pythons(options):
            yield from python_cases(options, path, version, entries, workers, pause_seconds)
            if with_random and 'values' in options.reads:
                yield from random_cases(path, version, min(20000000, entries), pause_seconds)
    if options.only != 'python':
        yield from cpp_cases(options, program, entries, workers, pause_seconds)


def main():
    options = parse_options()
    os.makedirs(options.output, exist_ok=True)
    tools = recorders.Recorders(os.path.join(options.build, 'cowscope'), '', options.output)
    program = os.path.join(options.build, 'string_map')
    recorders.check_cowscope_can(tools, [program, '--entries', '20000'])
    results = {'schema': 'cowscope.reproduce/1', 'machine': measuring.machine(tools.cowscope),
               'sizes': [], 'skipped': [], 'failed': []}
    for number, (entries, workers) in enumerate(options.sizes):
        fitting = fitting_workers(entries)
        if fitting < 1 or (workers is not None and workers > fitting):
            results['skipped'].append('%s entries and %s workers: memory has room for %d workers'
                                      % (format(entries, ','), workers or 'some', max(fitting, 0)))
            say('SKIPPED: ' + results['skipped'][-1])
            continue
        workers = workers or fitting
        part = {'entries': entries, 'workers': workers, 'cases': []}
        results['sizes'].append(part)
        pause_seconds = pause_seconds_of(options, entries)
        for case in cases_of(options, program, entries, workers, pause_seconds,
                             with_random=number == 0 and not options.quick):
            try:
                part['cases'].append(measure(tools, case, pause_seconds))
            except MeasuringError as error:
                results['failed'].append(str(error))
                say('FAILED: %s' % error)
            # A long run that is broken off has its first part.
            write_results(options, results)
    text = write_results(options, results)
    print(text)
    say('written: %s/reproduce.md, reproduce.json and plots' % options.output)
    return 1 if results['failed'] or not results['sizes'] else 0


if __name__ == '__main__':
    try:
        sys.exit(main())
    except MeasuringError as error:
        say('reproduce: %s' % error)
        sys.exit(2)
