"""What a workload costs under each recorder: times of groups that run together (groups.py), and
memory and reports in runs of their own."""

import groups
import measuring
import recorders
import workloads
from measuring import Series, say
from recorders import AGAIN, AUTO, CENSUS, EXACT, FLOOR, PERF_DWARF, PERF_G, PLAIN

COWSCOPE = [CENSUS, EXACT, AUTO]
# Of about the same length: each has a CPU of its own.
GROUPS = [[PLAIN, AGAIN, CENSUS, EXACT, AUTO, FLOOR], [PLAIN, PERF_G, PERF_DWARF]]
LONG_RUN_GROUPS = [[PLAIN, AUTO, FLOOR]]


def measure_workload(tools, workload, wanted, cpus, rounds):
    """Returns figures by variant for the table, and Members by name with their traces."""
    say('%s: %d rounds' % (workload.name, rounds))
    wanted = [tools.available(group) for group in wanted]
    # The first run of a program is none to compare with. Each process may copy all that it has.
    first = measuring.run(workload.command)
    plan = groups.make_plan([group for group in wanted if group != [PLAIN]], cpus,
                            first.peak_kb * (1 + workload.children), groups.room_kb())
    say('  %s; %d at once' % (' | '.join(', '.join(group) for group in plan.groups),
                              plan.at_once))

    def figures_of(name, done):
        if name == FLOOR:
            return workloads.floor_of(done)
        times = workloads.times_of(workload, done)
        found = {'cpu': done.cpu_seconds, 'own': done.own_cpu_seconds,
                 'reading': times.reading_cpu, 'start': times.start_cpu, 'fork': times.fork_cpu}
        if name in recorders.PERF_OPTIONS:
            found['samples'] = recorders.perf_samples(done)
            found['lost'] = recorders.perf_lost(done)
        return found

    members = groups.run_rounds(plan, rounds, tools, workload.command, figures_of)
    floor = members.pop(FLOOR, None)
    variants = {name: times_figures(members[name]) for group in wanted for name in group
                if name != FLOOR}
    for name in variants:
        add_trace_figures(name, members, variants)
    found = {'name': workload.name, 'command': workload.command, 'children': workload.children,
             'groups': plan.groups, 'at_once': plan.at_once, 'variants': variants}
    if floor:
        found['floor'] = {key: Series(floor.column(key)) for key in floor.runs[0]}
    return found, members


def times_figures(member):
    return {'cpu_seconds': Series(member.column('cpu')),
            'own_cpu_seconds': Series(member.column('own')),
            'base_cpu_seconds': Series([base['cpu'] for base in member.bases]),
            'cpu_ratio': member.ratios('cpu'), 'cpu_added_seconds': member.added('cpu'),
            'reading_ratio': member.ratios('reading'), 'fork_ratio': member.ratios('fork')}


def add_trace_figures(name, members, variants):
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
    figures['trace_bytes'] = measuring.folder_bytes(member.tools.trace(name))
    figures['trace_share'] = figures['trace_bytes'] / (figures['copied_pages']
                                                       * measuring.PAGE_BYTES)
    added = member.added('reading').values
    figures['us_per_copy'] = Series([each / figures['copied_pages'] * 1e6 for each in added])
    if figures['events']:
        figures['us_per_event'] = Series([each / figures['events'] * 1e6 for each in added])


# --- in runs of their own

def measure_memory(tools, workload, found):
    """Private memory that each child has more; reading it takes time."""
    def private_kb(name):
        done = measuring.run(tools.command(name, workload.memory_command))
        measuring.remove(tools.trace(name))
        return workloads.private_kb_of(workload, done)

    plain_kb = private_kb(PLAIN)
    for name in COWSCOPE:
        if name in found['variants']:
            found['variants'][name]['added_private_kb'] = private_kb(name) - plain_kb


def measure_memory_and_reports(tools, workload, found, members, rounds):
    """Of perf's reports a single one, as it takes up to a minute: it goes on beside the rest, as
    the bar is far from both."""
    dwarf = members[PERF_DWARF].tools.start_report(PERF_DWARF) if PERF_DWARF in members else None
    try:
        add_report_figures(found, EXACT, [members[EXACT].tools.start_report(EXACT).finish()
                                          for _ in range(rounds)])
        measure_memory(tools, workload, found)
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
