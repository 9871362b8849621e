"""How the costs grow with the entries of the map and with the children."""

import groups
import measuring
import workloads
from measuring import MeasuringError, Series, say
from recorders import AUTO, CENSUS, EXACT, PLAIN

MILLION = 1000000
ENTRIES = [MILLION, 4 * MILLION, 16 * MILLION]
CHILDREN = [1, 4, 10]
ENTRIES_OF_CHILDREN = 4 * MILLION  # where the children vary
CHILDREN_OF_ENTRIES = 2  # where the entries vary
# A map's node, value and share of the table in the parent, and the pages of them that a child
# copies: 230.1 MiB inherited and 213.7 MiB copied for 2,000,000 entries, with some room.
BYTES_OF_ENTRY = 130
ARMING_NS = 40  # bar, for a resident page


def points():
    found = [(entries, CHILDREN_OF_ENTRIES) for entries in ENTRIES]
    return found + [(ENTRIES_OF_CHILDREN, children) for children in CHILDREN]


def measure(tools, program, cpus, rounds):
    return [measure_point(tools, program, cpus, rounds, entries, children)
            for entries, children in points()]


def measure_point(tools, program, cpus, rounds, entries, children):
    needed_kb = entries * BYTES_OF_ENTRY // 1024 * (1 + children)
    found = {'entries': entries, 'children': children}
    names = [PLAIN, CENSUS, EXACT, AUTO]
    try:
        plan = groups.make_plan([names], cpus, needed_kb, groups.room_kb())
    except groups.NoRoomError as error:
        say('SKIPPED: %d entries and %d children: %s' % (entries, children, error))
        return dict(found, skipped=str(error))
    say('%d entries, %d children: %s; %d at once' % (
        entries, children, ' | '.join(', '.join(group) for group in plan.groups), plan.at_once))
    workload = workloads.cpp(program, entries, children)

    def times_of(_, done):
        times = workloads.times_of(workload, done)
        return {'reading': times.reading_cpu, 'start': times.start_cpu}

    members = groups.run_rounds(plan, rounds, tools, workload.command, times_of)
    reports = {name: members[name].tools.json_report(name) for name in names[1:]}
    for folder in {member.tools.folder for member in members.values()}:
        measuring.remove(folder)
    found['resident_pages'] = max(process['inherited_pages']
                                  for process in reports[CENSUS]['processes'])
    if found['resident_pages'] == 0:
        raise MeasuringError('the census lists no inherited pages')
    found['groups'] = plan.groups
    found['copied_pages'] = reports[EXACT]['totals']['copied_pages']
    for name in (CENSUS, EXACT, AUTO):
        copied = reports[name]['totals']['copied_pages']
        found[name + '_us_per_copy'] = Series(
            [added / copied * 1e6 for added in members[name].added('reading').values])
    # Without a witness the pages are listed and protected before fork returns in the child.
    found['arming_ns_per_page'] = Series([added / children / found['resident_pages'] * 1e9
                                          for added in members[CENSUS].added('start').values])
    return found


def to_markdown(results):
    rows = []
    for point in results['growth']:
        row = [format(point['entries'], ','), point['children']]
        if 'skipped' in point:
            rows.append(row + [point['skipped']] + [''] * 5)
            continue
        row += [format(point['resident_pages'], ','), format(point['copied_pages'], ',')]
        for key in ('exact_us_per_copy', 'auto_us_per_copy', 'census only_us_per_copy'):
            row.append('%.2f (%.2f to %.2f)' % (point[key].median, *point[key].quartiles))
        arming = point['arming_ns_per_page']
        row.append('%.1f (%.1f to %.1f)%s' % (arming.median, *arming.quartiles,
                                             '' if arming.median <= ARMING_NS else ' MISSED'))
        rows.append(row)
    header = ['entries', 'children', 'resident pages', 'pages copied by all',
              'exact: µs added a copy', 'auto: µs added a copy', 'census: µs added a copy',
              'arming: ns a resident page (at most %d)' % ARMING_NS]
    return '# Growth\n\n%s. %d rounds: median (quartiles).\n\n' % (
        measuring.machine_line(results['machine']), results['rounds']) + \
        measuring.markdown_table(header, rows)
