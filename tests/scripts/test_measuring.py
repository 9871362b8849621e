"""What scripts/bench and scripts/reproduce are made of, held against what is known without them."""

import os
import sys
import tempfile
import unittest
import xml.etree.ElementTree

from support import SOURCE

sys.path.insert(0, os.path.join(SOURCE, 'scripts/measure'))

import bars  # noqa: E402
import bounds  # noqa: E402
import groups  # noqa: E402
import measuring  # noqa: E402
import plot  # noqa: E402
import recorders  # noqa: E402
import workloads  # noqa: E402

MIB_KB = 1024


class SeriesTest(unittest.TestCase):
    def test_median_and_quartiles(self):
        series = measuring.Series([7, 1, 5, 3, 9])
        self.assertEqual(series.median, 5)
        self.assertEqual(series.quartiles, (3, 7))
        self.assertAlmostEqual(series.spread, 4 / 5)

    def test_one_value_has_no_spread(self):
        self.assertEqual(measuring.Series([2.5]).quartiles, (2.5, 2.5))

    def test_ratios_are_of_the_same_round(self):
        self.assertEqual(measuring.ratios([2, 9], [1, 3]).values, [2, 3])


class RunTest(unittest.TestCase):
    def test_cpu_time_of_children_counts(self):
        burn = 'i = 0\nwhile i < 3000000: i += 1\n'
        fork = 'import os\nif os.fork() == 0:\n  pass\nelse:\n  os.wait()\n'
        cpu = min(os.sched_getaffinity(0))
        ratios = []
        for _ in range(5):
            (done,) = groups.finish_all([groups.start_on(cpu, {
                'one': ['/usr/bin/python3', '-c', burn],
                'two': ['/usr/bin/python3', '-c', fork + burn]})])
            ratios.append(done['two'].cpu_seconds / done['one'].cpu_seconds)
        ratio = measuring.Series(ratios).median
        self.assertTrue(1.6 < ratio < 2.4, ratios)

    def test_a_programs_own_time_is_not_its_childrens(self):
        burn = 'i = 0\nwhile i < %d: i += 1\n'
        fork = 'import os\nif os.fork() == 0:\n' + \
            '  i = 0\n  while i < 4000000: i += 1\n  os._exit(0)\nos.wait()\n'
        done = measuring.run(['/usr/bin/python3', '-c', fork + burn % 1000000])
        share = done.own_cpu_seconds / done.cpu_seconds
        self.assertTrue(0.1 < share < 0.35, share)

    def test_what_was_touched_before_is_no_programs_peak(self):
        piece_kb = 256 * MIB_KB
        # Other programs may take it first.
        touched_kb = 0
        for _ in range(20):
            touched_kb = measuring.touch_free_memory(measuring.available_kb() - piece_kb)
            if touched_kb > piece_kb / 2:
                break
        self.assertGreater(touched_kb, piece_kb / 2)
        self.assertLess(measuring.run(['/bin/true']).peak_kb, piece_kb / 2)
        held = 'held = bytearray(b"1") * (%d << 10)' % piece_kb
        self.assertGreater(measuring.run(['/usr/bin/python3', '-c', held]).peak_kb, piece_kb)

    def test_a_failure_is_an_error_that_names_the_program(self):
        with self.assertRaisesRegex(measuring.MeasuringError, 'sh -c .* ended with 3: no luck'):
            measuring.run(['/bin/sh', '-c', 'echo no luck >&2; exit 3'])
        with self.assertRaisesRegex(measuring.MeasuringError, 'cannot run /nonexistent'):
            measuring.run(['/nonexistent'])


class TreeMemoryTest(unittest.TestCase):
    # A parent with 64 MiB that two children share; each then writes one half of it.
    PROGRAM = '''
import os, time
memory = bytearray(b'1') * (64 << 20)
half = len(memory) // 2
for child in range(2):
    if os.fork() == 0:
        time.sleep(1)
        memory[child * half:(child + 1) * half:4096] = b'2' * (half // 4096)
        time.sleep(1)
        os._exit(0)
os.wait()
os.wait()
'''

    def test_copies_of_children_add_to_the_tree(self):
        memory = measuring.TreeMemory(2, has_recorder=False)
        measuring.run(['/usr/bin/python3', '-c', self.PROGRAM], watch=memory.watch)
        memory.finish()
        started = memory.all_started.pss_kb
        peak = max(sample.pss_kb for sample in memory.samples)
        self.assertTrue(64 * MIB_KB < started < 90 * MIB_KB, started)
        self.assertTrue(0.9 < (peak - started) / (64 * MIB_KB) < 1.1, peak - started)
        self.assertTrue(all(sample.recorder_kb == 0 for sample in memory.samples))

    def test_the_recorder_is_not_the_program(self):
        memory = measuring.TreeMemory(2, has_recorder=True)
        # With a helper of its own, as the recorder has one.
        recorder = """
import os, signal, subprocess, sys, time
held = bytearray(b'1') * (32 << 20)
helper = os.fork()
if helper == 0:
    with open('/proc/self/comm', 'w') as name:
        name.write('cowscope-group')
    held = bytearray(b'2') * (16 << 20)
    time.sleep(60)
status = subprocess.call(['/usr/bin/python3', '-c', sys.argv[1]], close_fds=False)
os.kill(helper, signal.SIGKILL)
sys.exit(status)
"""
        measuring.run(['/usr/bin/python3', '-c', recorder, self.PROGRAM], watch=memory.watch)
        memory.finish()
        recorder_kb = max(sample.recorder_kb for sample in memory.samples)
        self.assertTrue(48 * MIB_KB < recorder_kb < 70 * MIB_KB, recorder_kb)
        self.assertTrue(64 * MIB_KB < memory.all_started.pss_kb < 90 * MIB_KB)


class FolderTest(unittest.TestCase):
    def test_bytes_of_files_and_folders(self):
        with tempfile.TemporaryDirectory() as folder:
            for name, size in (('a', 1000), ('b', 24)):
                with open(os.path.join(folder, name), 'wb') as file:
                    file.write(b'x' * size)
            self.assertEqual(measuring.folder_bytes(folder), 1024)
            self.assertEqual(measuring.folder_bytes(os.path.join(folder, 'b')), 24)


class WorkloadTest(unittest.TestCase):
    def test_figures_of_every_child_or_none(self):
        workload = workloads.cpp('string_map', 10, 2)
        text = ''.join('child %d: reading took 9.000 ms, 2.000 ms of CPU time\n'
                       'child %d: fork took 7.000 ms, its start 0.250 ms of CPU time\n'
                       "child %d: its fork took %d.500 ms of the parent's CPU time\n"
                       % (child, child, child, child) for child in (1, 2))
        times = workloads.times_of(workload, measuring.Run(0, '', text, 0, 0, 0))
        self.assertAlmostEqual(times.reading_cpu, 0.004)
        self.assertAlmostEqual(times.start_cpu, 0.0005)
        self.assertAlmostEqual(times.fork_cpu, 0.002)
        with self.assertRaisesRegex(measuring.MeasuringError, 'no times of its 2 children'):
            workloads.times_of(workload, measuring.Run(0, '', text[:60], 0, 0, 0))

    def test_the_floors_figures(self):
        text = 'fresh pages: 1000.0 ns a page alone, 1100.0 counted, 3000.5 with a signal\n' + \
            'copied pages: 2000.0 ns a page alone, 2200.0 counted, 5000.0 with a signal\n'
        floor = workloads.floor_of(measuring.Run(0, text, '', 0, 0, 0))
        self.assertAlmostEqual(floor['fresh signal'], 3.0005e-6)
        self.assertAlmostEqual(floor['copied counted'], 2.2e-6)
        with self.assertRaises(measuring.MeasuringError):
            workloads.floor_of(measuring.Run(0, text[:80], '', 0, 0, 0))


class BoundTest(unittest.TestCase):
    """A run of 10 s to which a recorder of 0.5 s and 100,000 signals of 4 µs are added."""
    def setUp(self):
        series = lambda value: measuring.Series([value])  # noqa: E731
        self.found = {'floor': {'copied alone': series(2e-6), 'copied signal': series(6e-6)},
                      'variants': {recorders.EXACT: {
                          'cpu_ratio': series(1.2), 'base_cpu_seconds': series(10.0),
                          'recorder_cpu_seconds': series(0.5), 'cpu_added_seconds': series(2.0),
                          'events': 100000, 'us_per_event': series(11.0)}}}

    def assert_parts(self, parts, **expected):
        self.assertEqual(list(parts.numbers), list(expected))
        for name, number in expected.items():
            self.assertAlmostEqual(parts.numbers[name], number)

    def test_parts_add_up(self):
        self.assert_parts(bounds.of_command(self.found, recorders.EXACT), signals=0.04,
                          recorder=0.05, rest=0.11)
        self.assert_parts(bounds.of_perf(self.found, 4.0), signals=0.1, recorder=0.125, rest=0.275)
        self.assert_parts(bounds.of_event(self.found), signals=4.0, rest=7.0)
        self.assertEqual(bounds.of_event(self.found).text, 'signals 4.00, rest 7.00')

    def test_what_was_not_measured_is_not_told(self):
        del self.found['floor']
        self.assert_parts(bounds.of_command(self.found, recorders.EXACT), recorder=0.05, rest=0.15)


class BarTest(unittest.TestCase):
    def test_verdict(self):
        self.assertEqual(bars.Bar('x', 1.0, 1.0).verdict, 'met')
        self.assertEqual(bars.Bar('x', 1.0, 1.001).verdict, 'MISSED')
        self.assertEqual(bars.Bar('x', 1.0, float('inf')).verdict, 'MISSED')


class PlotTest(unittest.TestCase):
    def test_a_line_for_each_and_the_top_stays_inside(self):
        chart = plot.line_chart('a < b', 's', 'GiB', [('one', [(0, 0), (10, 3.5)], False),
                                                     ('two', [(0, 1), (20, 2)], True)])
        root = xml.etree.ElementTree.fromstring(chart)
        lines = [each.get('points') for each in root.iter() if each.tag.endswith('polyline')]
        self.assertEqual(len(lines), 2)
        for points in lines:
            for point in points.split():
                x, y = (float(number) for number in point.split(','))
                self.assertTrue(plot.LEFT <= x <= plot.WIDTH - plot.RIGHT)
                self.assertTrue(plot.TOP <= y <= plot.HEIGHT - plot.BOTTOM)
        texts = [each.text for each in root.iter() if each.tag.endswith('text')]
        self.assertIn('a < b', texts)

    def test_only_a_line_and_its_dashed_one_have_the_same_colour(self):
        line = [(0, 0), (1, 1)]
        pairs = [(name, line, is_dashed) for name in 'abcde' for is_dashed in (False, True)]
        root = xml.etree.ElementTree.fromstring(plot.line_chart('t', 's', 'GiB', pairs))
        colours = [each.get('stroke') for each in root.iter() if each.tag.endswith('polyline')]
        self.assertEqual(colours[0::2], colours[1::2])
        self.assertEqual(len(set(colours)), 5)


if __name__ == '__main__':
    unittest.main()
