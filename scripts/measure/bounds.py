"""What a figure of scripts/bench is made of, from the same run: what the kernel takes to tell of a
fault by a signal (fault_floor, which ran in the same group), what the recorder's own process takes,
and the rest, which is the preloaded library's.

A signal's time is that of a copied page's fault with a signal less that of the fault alone; it is
counted for each event that is in the trace. Faults that leave none there (a read, a fresh page)
cost one too, and are in the rest.
"""

import dataclasses

from recorders import AUTO, EXACT


@dataclasses.dataclass(frozen=True)
class Parts:
    """Text for the table, numbers for the JSON file."""
    text: str
    numbers: dict


NOTHING = Parts('', {})


def parts_of(form, whole, numbers):
    """The numbers, and the rest of what they are parts of."""
    numbers = dict(numbers, rest=whole - sum(numbers.values()))
    return Parts(', '.join('%s %s' % (name, form % number) for name, number in numbers.items()),
                 numbers)


def signal_seconds(found):
    """What a signal adds to a page's copy; None where it was not measured."""
    if 'floor' not in found:
        return None
    floor = found['floor']
    return floor['copied signal'].median - floor['copied alone'].median


def signals_seconds(found, variant):
    """Of all of a variant's events, as a part of what it adds."""
    each = signal_seconds(found)
    events = found['variants'][variant]['events']
    return {} if each is None or not events else {'signals': each * events}


def seconds_of(found, variant):
    recorder = found['variants'][variant]['recorder_cpu_seconds'].median
    return dict(signals_seconds(found, variant), recorder=recorder)


def scaled(numbers, unit):
    return {name: number / unit for name, number in numbers.items()}


def of_spread(plain):
    return Parts('single runs spread by %.3f' % plain['cpu_seconds'].spread,
                 {'single runs': plain['cpu_seconds'].spread})


def of_command(found, variant):
    figures = found['variants'][variant]
    return parts_of('%.3f', figures['cpu_ratio'].median - 1,
                    scaled(seconds_of(found, variant), figures['base_cpu_seconds'].median))


def of_perf(found, perf_added):
    if perf_added <= 0:
        return NOTHING
    return parts_of('%.3f', found['variants'][EXACT]['cpu_added_seconds'].median / perf_added,
                    scaled(seconds_of(found, EXACT), perf_added))


def of_event(found):
    figures = found['variants'][EXACT]
    return parts_of('%.2f', figures['us_per_event'].median,
                    scaled(signals_seconds(found, EXACT), figures['events'] / 1e6))


def of_long_run(found):
    figures = found['variants'][AUTO]
    return parts_of('%.2f', figures['us_per_copy'].median,
                    scaled(signals_seconds(found, AUTO), figures['copied_pages'] / 1e6))


def of_trace(exact):
    each = exact['trace_bytes'] / exact['events']
    return Parts('%.1f bytes an event' % each, {'bytes an event': each})


def of_report(exact, dwarf):
    numbers = {'report µs an event': exact['report_us_per_event'].median,
               'perf report µs an event': dwarf['report_us_per_event'].median}
    return Parts(', '.join('%s %.2f' % item for item in numbers.items()), numbers)


def of_long_report(report):
    each = report['report_peak_kb'] * 1024 / report['events']
    return Parts('%.1f bytes an event' % each, {'bytes an event': each})
