"""What the figures of scripts/bench are held against, and what bounds those that miss it."""

import dataclasses

import bounds
from bounds import NOTHING
from recorders import AGAIN, AUTO, CENSUS, EXACT, PERF_DWARF, PERF_G, PLAIN

FEWEST_ROUNDS = 7
BASELINE_SPREAD = 0.05
COMMAND_RATIO = {CENSUS: 1.02, AUTO: 1.05, EXACT: 1.15}  # CPU time
OF_PERF_ADDED = {PERF_DWARF: 0.6, PERF_G: 1.0}  # what exact adds, of what perf adds
EXACT_US_PER_EVENT = 5.0
AUTO_US_PER_COPY = 0.4  # of the long run
TRACE_SHARE = 0.02
ADDED_PRIVATE_KB = 1024
REPORT_OF_PERF = 1 / 5  # time for an event
REPORT_PEAK_KB = 300 * 1024  # of 5,000,000 events
REPORT_EVENTS = 5000000


@dataclasses.dataclass
class Bar:
    what: str
    limit: float
    measured: float
    form: str = '%.3f'
    parts: bounds.Parts = NOTHING  # what the measured figure is made of

    @property
    def verdict(self):
        return 'met' if self.measured <= self.limit else 'MISSED'

    @property
    def limit_text(self):
        return self.form % self.limit

    @property
    def measured_text(self):
        return self.form % self.measured

    @property
    def bound(self):
        return self.parts.text

    def as_json(self):
        return {'what': self.what, 'limit': self.limit, 'measured': self.measured,
                'verdict': self.verdict, 'bound': self.bound, 'bound_parts': self.parts.numbers}


def of_workload(found):
    name = found['name']
    variants = found['variants']
    bars = [Bar('%s: spread of the run without cowscope against itself' % name, BASELINE_SPREAD,
                variants[AGAIN]['cpu_ratio'].spread,
                parts=bounds.of_spread(variants[PLAIN]))]
    for variant, limit in COMMAND_RATIO.items():
        if variant in variants:
            bars.append(Bar('%s: CPU time of the command, %s' % (name, variant), limit,
                            variants[variant]['cpu_ratio'].median,
                            parts=bounds.of_command(found, variant)))
    exact = variants[EXACT]
    for perf, limit in OF_PERF_ADDED.items():
        if perf in variants:
            added = variants[perf]['cpu_added_seconds'].median
            share = exact['cpu_added_seconds'].median / added if added > 0 else float('inf')
            bars.append(Bar('%s: CPU time that exact adds, of what %s adds' % (name, perf), limit,
                            share, parts=bounds.of_perf(found, added)))
    bars.append(Bar('%s: µs a witnessed page, exact' % name, EXACT_US_PER_EVENT,
                    exact['us_per_event'].median, '%.2f', bounds.of_event(found)))
    bars.append(Bar('%s: trace of the copied bytes, exact' % name, TRACE_SHARE,
                    exact['trace_share'], '%.4f', bounds.of_trace(exact)))
    for variant in (CENSUS, EXACT, AUTO):
        if 'added_private_kb' in variants.get(variant, {}):
            bars.append(Bar('%s: private memory added to a child, KiB, %s' % (name, variant),
                            ADDED_PRIVATE_KB, variants[variant]['added_private_kb'], '%.0f'))
    if 'report_us_per_event' in variants.get(PERF_DWARF, {}):
        dwarf = variants[PERF_DWARF]
        bars.append(Bar('%s: time of report for an event, of perf report on the dwarf data' % name,
                        REPORT_OF_PERF, exact['report_us_per_event'].median
                        / dwarf['report_us_per_event'].median,
                        parts=bounds.of_report(exact, dwarf)))
    return bars


def all_of(results):
    """Of what was measured; nothing is said of the rest."""
    bars = [bar for found in results['workloads'] for bar in of_workload(found)]
    if results['long_run']:
        variants = results['long_run']['variants']
        bars.append(Bar('%s: µs a copy, auto' % results['long_run']['name'], AUTO_US_PER_COPY,
                        variants[AUTO]['us_per_copy'].median, '%.2f',
                        bounds.of_long_run(results['long_run'])))
    long_report = results['long_report']
    # A peak is held against the events that it was for.
    if long_report and long_report['events'] >= REPORT_EVENTS * 0.95:
        events = format(long_report['events'], ',')
        bars.append(Bar('report of %s events: peak memory, MiB' % events,
                        REPORT_PEAK_KB / 1024, long_report['report_peak_kb'] / 1024, '%.0f',
                        bounds.of_long_report(long_report)))
    return bars
