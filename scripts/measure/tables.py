"""The tables of scripts/bench."""

import bars
import measuring
from measuring import Series
from recorders import AGAIN, AUTO, EXACT, PLAIN


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
              'report: s', 'MiB', 'µs an event', 'fork, CPU time']
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
    return text + '.\n\n' + measuring.markdown_table(header, rows) + \
        floor_text(found) + lost_text(found)


def lost_text(found):
    lost = ['%s: %d %s' % (name, figures[key], what)
            for name, figures in found['variants'].items()
            for key, what in (('lost_events', 'events'), ('lost_chunks', 'chunks of events'))
            if figures.get(key)]
    text = '\nLost: %s.\n' % '; '.join(lost) if lost else ''
    notes = found['variants'].get(EXACT, {}).get('notes', [])
    return text + ''.join('\nNote of exact: %s.\n' % note for note in notes)


def floor_text(found):
    if 'floor' not in found:
        return ''
    us = {key: series.median * 1e6 for key, series in found['floor'].items()}
    return '\nµs a page of CPU time meanwhile, without cowscope: ' + '; '.join(
        'a fault on a %s page %.2f, with a perf event %.2f, its signal to an empty handler %.2f'
        % (what, us[what + ' alone'], us[what + ' counted'], us[what + ' signal'])
        for what in ('copied', 'fresh')) + '.\n'


def buffer_text(results):
    size = results['perf_buffer']
    return ', with -m %s for dwarf stacks' % size if size else ''


def to_markdown(results):
    parts = ['# What cowscope costs\n', measuring.machine_line(results['machine']) + '; '
             + results['perf'] + buffer_text(results) + '. %d rounds. Times are ratios to the runs '
             'without cowscope that ran at the same time on the same CPU: median (quartiles).\n'
             % results['rounds']]
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
        ['what', 'at most', 'measured', '', 'what bounds it'],
        [[bar.what, bar.limit_text, bar.measured_text, bar.verdict, bar.bound]
         for bar in results['bars']]))
    return '\n'.join(parts)
