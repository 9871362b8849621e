"""What a workload costs under each recorder. Times are of groups that run together (groups.py), but
for cowscope's recorder: what it does goes with the clock in part, and in a group the clock goes on
while others run. So what it takes beside the program, and what it writes, is measured in runs
alone, as are memory and reports.
"""

import statistics

import groups
import measuring
import recorders
import workloads
from measuring import Series, say
from recorders import AGAIN, AUTO, CENSUS, EXACT, FLOOR, PERF_DWARF, PERF_G, PLAIN

COWSCOPE = [CENSUS, EXACT, AUTO]
# Of about the same length: each has a CPU of its own. What is closest to a ratio of 1 has the two
# plain runs, and no perf that writes gigabytes.
GROUPS = [[PLAIN, AGAIN, CENSUS, EXACT, FLOOR], [PLAIN, AUTO, PERF_G, PERF_DWARF]]
ROUNDS_ALONE = 2
LONG_RUN_GROUPS = [[PLAIN, AUTO, FLOOR]]


def measure_workload(tools, workload, wanted, cpus, rounds, rounds_alone=ROUNDS_ALONE):
    """Returns figures by variant for the table, and Members by name with their traces."""
    say('%s: %d rounds' % (workload.name, rounds))
    wanted = [tools.available(group) for group in wanted]
    names = [name for name in (PLAIN, AGAIN, CENSUS, EXACT, AUTO, PERF_G, PERF_DWARF)
             if any(name in group for group in wanted)]
    alone = measure_alone(tools, workload, [name for name in names if name in COWSCOPE], cpus,
                          rounds_alone)
    plan = groups.make_plan([group for group in wanted if group != [PLAIN]], cpus,
                            alone.needed_kb, groups.room_kb())
    say('  %s; %d at once' % (' | '.join(', '.join(group) for group in plan.groups),
                              plan.at_once))

    def figures_of(name, done):
        if name == FLOOR:
            return workloads.floor_of(done)
        times = workloads.times_of(workload, done)
        found = {'cpu': done.cpu_seconds, 'recorder': 0, 'reading': times.reading_cpu,
                 'start': times.start_cpu, 'fork': times.fork_cpu}
        if name in COWSCOPE:
            program = done.cpu_seconds - done.own_cpu_seconds
            found['recorder'] = program * alone.recorder_shares[name]
            found['cpu'] = program + found['recorder']
        if name in recorders.PERF_OPTIONS:
            found['recorder'] = done.own_cpu_seconds
            found['samples'] = recorders.perf_samples(done)
            found['lost'] = recorders.perf_lost(done)
        return found

    members = groups.run_rounds(plan, rounds, tools, workload.command, figures_of)
    floor = members.pop(FLOOR, None)
    variants = {name: times_figures(members[name]) for name in names}
    for name in names:
        add_trace_figures(name, members, variants, alone)
        if name in COWSCOPE:
            variants[name]['added_private_kb'] = alone.private_kb[name] - alone.private_kb[PLAIN]
    found = {'name': workload.name, 'command': workload.command, 'children': workload.children,
             'groups': plan.groups, 'at_once': plan.at_once, 'variants': variants}
    if floor:
        found['floor'] = {key: Series(floor.column(key)) for key in floor.runs[0]}
    return found, members


class Alone:
    """What runs alone have told, by variant."""

    def __init__(self, first, workload):
        # Each process may copy all that it has.
        self.needed_kb = first.peak_kb * (1 + workload.children)
        self.private_kb = {PLAIN: workloads.private_kb_of(workload, first)}  # of a child
        self.recorder_shares = {}  # CPU time of the recorder, of the program's in the same run
        self.trace_bytes = {}


def measure_alone(tools, workload, names, cpus, rounds):
    """A program on each CPU. The first run is one without cowscope."""
    alone = Alone(measuring.run(workload.memory_command), workload)
    plan = groups.make_plan([[name] for name in names], cpus, alone.needed_kb, groups.room_kb())

    def figures_of(_, done):
        return {'private_kb': workloads.private_kb_of(workload, done),
                'share': done.own_cpu_seconds / (done.cpu_seconds - done.own_cpu_seconds)}

    members = groups.run_rounds(plan, rounds, tools, workload.memory_command, figures_of)
    for name, member in members.items():
        alone.trace_bytes[name] = measuring.folder_bytes(member.tools.trace(name))
        measuring.remove(member.tools.folder)
        alone.private_kb[name] = statistics.mean(member.column('private_kb'))
        alone.recorder_shares[name] = statistics.median(member.column('share'))
    return alone


def times_figures(member):
    return {'cpu_seconds': Series(member.column('cpu')),
            'recorder_cpu_seconds': Series(member.column('recorder')),
            'base_cpu_seconds': Series([base['cpu'] for base in member.bases]),
            'cpu_ratio': member.ratios('cpu'), 'cpu_added_seconds': member.added('cpu'),
            'reading_ratio': member.ratios('reading'), 'fork_ratio': member.ratios('fork')}


def add_trace_figures(name, members, variants, alone):
    """What the trace of the last round tells; those before it are gone."""
    figures = variants[name]
    member = members[name]
    if name in COWSCOPE:
        report = member.tools.json_report(name)
        totals = report['totals']
        figures.update(copied_pages=totals['copied_pages'], events=totals['witnessed_pages'],
                       lost_events=totals['lost_events'], notes=report['notes'],
                       inherited_pages=max(process['inherited_pages']
                                           for process in report['processes']))
    elif name in recorders.PERF_OPTIONS:
        figures.update(events=member.runs[-1]['samples'],
                       lost_chunks=max(member.column('lost')),
                       copied_pages=variants[EXACT]['copied_pages'])
    else:
        return
    figures['trace_bytes'] = alone.trace_bytes.get(name) or \
        measuring.folder_bytes(member.tools.trace(name))
    figures['trace_share'] = figures['trace_bytes'] / (figures['copied_pages']
                                                       * measuring.PAGE_BYTES)
    added = member.added('reading').values
    figures['us_per_copy'] = Series([each / figures['copied_pages'] * 1e6 for each in added])
    if figures['events']:
        figures['us_per_event'] = Series([each / figures['events'] * 1e6 for each in added])


# --- reports

def measure_reports(found, members, rounds):
    """Of perf's a single one, as it takes up to a minute: it goes on beside the others, as the bar
    is far from both."""
    dwarf = members[PERF_DWARF].tools.start_report(PERF_DWARF) if PERF_DWARF in members else None
    try:
        add_report_figures(found, EXACT, [members[EXACT].tools.start_report(EXACT).finish()
                                          for _ in range(rounds)])
    finally:
        done = dwarf.finish() if dwarf else None
    if done:
        add_report_figures(found, PERF_DWARF, [done])


def add_report_figures(found, name, runs):
    figures = found['variants'][name]
    seconds = [done.cpu_seconds for done in runs]
    figures['report_seconds'] = Series(seconds)
    figures['report_peak_kb'] = max(done.peak_kb for done in runs)
    figures['report_us_per_event'] = Series([each / figures['events'] * 1e6 for each in seconds])


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
    measuring.run(tools.command(
        EXACT, ['/bin/sh', '-c', 'for i in $(seq %d); do "$@" || exit; done' % times, 'sh',
                *one.command]))
    counted = tools.json_report(EXACT)['totals']['witnessed_pages']
    reports = [tools.start_report(EXACT).finish() for _ in range(3)]
    found = {'events': counted, 'trace_bytes': measuring.folder_bytes(tools.trace(EXACT)),
             'report_us_per_event': Series([done.cpu_seconds / counted * 1e6 for done in reports]),
             'report_peak_kb': max(done.peak_kb for done in reports)}
    measuring.remove(tools.trace(EXACT))
    return found
