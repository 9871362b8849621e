"""Runs that are held against each other: who is in which group, that a group is on one CPU, and
that the ratios are those of programs whose work is known."""

import os
import sys
import tempfile
import unittest

from support import SOURCE

sys.path.insert(0, os.path.join(SOURCE, 'scripts/measure'))

import costs  # noqa: E402
import groups  # noqa: E402
import measuring  # noqa: E402
import recorders  # noqa: E402
import workloads  # noqa: E402
from recorders import AGAIN, AUTO, CENSUS, EXACT, FLOOR, PERF_DWARF, PERF_G, PLAIN  # noqa: E402

GIB_KB = 1 << 20
TABLE = [[PLAIN, AGAIN, CENSUS, EXACT, AUTO, FLOOR], [PLAIN, PERF_G, PERF_DWARF]]


class PlanTest(unittest.TestCase):
    def test_both_groups_at_once_where_they_fit(self):
        plan = groups.make_plan(TABLE, [0, 1], GIB_KB, 10 * GIB_KB)
        self.assertEqual((plan.groups, plan.at_once), (TABLE, 2))

    def test_one_after_the_other_where_memory_or_cpus_lack(self):
        self.assertEqual(groups.make_plan(TABLE, [0, 1], GIB_KB, 9 * GIB_KB).at_once, 1)
        self.assertEqual(groups.make_plan(TABLE, [5], GIB_KB, 99 * GIB_KB).at_once, 1)

    def test_smaller_groups_have_all_and_a_plain_run_each(self):
        for most in (2, 3, 4):
            plan = groups.make_plan(TABLE, [0, 1], GIB_KB, most * GIB_KB)
            self.assertEqual({name for group in plan.groups for name in group},
                             {name for group in TABLE for name in group})
            for group in plan.groups:
                self.assertIn(PLAIN, group)
                self.assertTrue(2 <= groups.count_large(group) <= most, group)
            self.assertEqual([AGAIN in group for group in plan.groups].count(True), 1)

    def test_one_at_a_time_at_the_worst_or_an_error(self):
        plan = groups.make_plan(TABLE, [0, 1], GIB_KB, GIB_KB)
        self.assertEqual(plan.at_once, 1)
        self.assertEqual(sorted(plan.groups),
                         sorted([name] for name in {name for group in TABLE for name in group}))
        with self.assertRaisesRegex(groups.NoRoomError, 'needs 2.0 GiB'):
            groups.make_plan(TABLE, [0, 1], 2 * GIB_KB, GIB_KB)

    def test_groups_change_their_cpus(self):
        steps = groups.Plan(TABLE, [3, 7], 2).steps(4)
        self.assertEqual(len(steps), 4)
        for step, jobs in enumerate(steps):
            self.assertEqual([number for number, _, _ in jobs], [step, step])
            self.assertEqual([group for _, group, _ in jobs], TABLE)
            self.assertEqual([cpu for _, _, cpu in jobs], [3, 7] if step % 2 == 0 else [7, 3])

        steps = groups.Plan(TABLE, [3, 7], 1).steps(2)
        self.assertEqual([(jobs[0][0], jobs[0][2]) for jobs in steps],
                         [(0, 3), (0, 7), (1, 7), (1, 3)])

    def test_rounds_of_a_single_group_run_beside_each_other(self):
        steps = groups.Plan([[PLAIN, AUTO]], [0, 1], 2).steps(3)
        self.assertEqual([[(number, cpu) for number, _, cpu in jobs] for jobs in steps],
                         [[(0, 0), (1, 1)], [(2, 1)]])

    def test_every_member_is_started_first_and_not_always_before_the_same(self):
        names = list('abcde')
        orders = [groups.in_order(names, number) for number in range(10)]
        self.assertEqual({order[0] for order in orders}, set(names))
        for a in names:
            for b in names:
                before = sum(order.index(a) < order.index(b) for order in orders)
                self.assertTrue(a == b or 3 <= before <= 7, (a, b, before))


class MemberTest(unittest.TestCase):
    def test_each_is_held_against_the_plain_runs_of_its_group(self):
        rows = [[{PLAIN: {'cpu': 1}, AGAIN: {'cpu': 3}, EXACT: {'cpu': 4}},
                 {PLAIN: {'cpu': 5}, PERF_G: {'cpu': 10}}],
                [{PLAIN: {'cpu': 2}, AGAIN: {'cpu': 2}, EXACT: {'cpu': 5}},
                 {PLAIN: {'cpu': 1}, PERF_G: {'cpu': 3}}]]
        members = groups.members_of(rows, {})
        self.assertEqual(members[EXACT].ratios('cpu').values, [2, 2.5])
        self.assertEqual(members[PERF_G].ratios('cpu').values, [2, 3])
        self.assertEqual(members[PERF_G].added('cpu').values, [5, 2])
        self.assertEqual(members[AGAIN].ratios('cpu').values, [3, 1])
        self.assertEqual(members[PLAIN].column('cpu'), [1, 2])

    def test_one_that_ran_alone_is_held_against_its_round(self):
        rows = [[{EXACT: {'cpu': 6}}, {PLAIN: {'cpu': 2}}, {AGAIN: {'cpu': 4}}]]
        members = groups.members_of(rows, {})
        self.assertEqual(members[EXACT].ratios('cpu').values, [2])
        self.assertEqual(members[AGAIN].ratios('cpu').values, [2])


# Prints the CPU that each of its processes may run on, and when they ran.
WHERE = '''
import os, time
start = time.monotonic()
end = start + 2
if os.fork() == 0:
    while time.monotonic() < end: pass
    print(start, end, *os.sched_getaffinity(0), flush=True)
    os._exit(0)
os.wait()
'''
WORK = 'i = 0\nwhile i < %d: i += 1\n'


class Programs:
    """In place of recorders: runs a Python program by its name."""

    def __init__(self, folder, programs):
        self.folder = folder
        self._programs = programs

    def in_folder(self, name):
        folder = os.path.join(self.folder, name)
        os.makedirs(folder)
        return Programs(folder, self._programs)

    def trace(self, name):
        return os.path.join(self.folder, name)

    def command(self, name, _):
        with open(self.trace(name), 'w', encoding='ascii') as file:
            file.write('a trace')
        return ['/usr/bin/python3', '-c', self._programs[name]]


def cpu_seconds(_, done):
    return {'cpu': done.cpu_seconds}


class RunTogetherTest(unittest.TestCase):
    def test_a_group_is_on_one_cpu_at_the_same_time(self):
        cpus = sorted(os.sched_getaffinity(0))[:2]
        found = []
        names = [PLAIN, AGAIN, EXACT]
        with tempfile.TemporaryDirectory() as folder:
            tools = Programs(folder, dict.fromkeys(names + [PERF_G], WHERE))
            plan = groups.Plan([names, [PLAIN, PERF_G]], cpus, len(cpus))
            groups.run_rounds(plan, 2, tools, None,
                              lambda name, done: found.append((name, done.output)) or {'cpu': 1})
            # Those of the last round are there to be looked at.
            self.assertEqual(len(os.listdir(folder)), 2)
            self.assertTrue(all(name.startswith('round-1-') for name in os.listdir(folder)))
        self.assertEqual(os.sched_getaffinity(0) & set(cpus), set(cpus))
        used = []
        for at in range(0, len(found), 5):
            for group in (found[at:at + 3], found[at + 3:at + 5]):
                lines = [output.split() for _, output in group]
                self.assertEqual({len(line) for line in lines}, {3}, lines)  # one CPU
                self.assertEqual(len({line[2] for line in lines}), 1, lines)
                self.assertLess(max(float(line[0]) for line in lines),
                                min(float(line[1]) for line in lines))
                used.append(int(lines[0][2]))
        self.assertEqual(used, [cpus[0], cpus[-1], cpus[-1], cpus[0]])

    def test_ratios_are_those_of_the_work(self):
        # Long enough that what a virtual machine's host does in between evens out.
        loops = 15000000
        # Two that take longer: one would have the CPU to itself at the end, which is faster there.
        programs = {PLAIN: loops, AGAIN: loops, EXACT: loops * 3 // 2, AUTO: loops * 3 // 2}
        with tempfile.TemporaryDirectory() as folder:
            tools = Programs(folder, {name: WORK % count for name, count in programs.items()})
            plan = groups.Plan([list(programs)], sorted(os.sched_getaffinity(0))[:1], 1)
            members = groups.run_rounds(plan, 7, tools, None, cpu_seconds)
        for name, truth in ((AGAIN, 1), (EXACT, 1.5), (AUTO, 1.5)):
            measured = members[name].ratios('cpu').median
            # The interpreter's own start is in all of them.
            self.assertAlmostEqual(measured, truth, delta=0.07 * truth, msg=name)

    def test_a_failure_leaves_none_running(self):
        with tempfile.TemporaryDirectory() as folder:
            mark = os.path.join(folder, 'ended')
            slow = 'import time; time.sleep(0.5); open(%r, "w")' % mark
            tools = Programs(folder, {PLAIN: 'import sys; sys.exit(3)', AGAIN: slow})
            plan = groups.Plan([[PLAIN], [AGAIN]], sorted(os.sched_getaffinity(0))[:2], 2)
            with self.assertRaisesRegex(measuring.MeasuringError, 'ended with 3'):
                groups.run_rounds(plan, 1, tools, None, cpu_seconds)
            self.assertTrue(os.path.exists(mark))


class AloneTest(unittest.TestCase):
    # What a program says of its child's memory, and a recorder that works a quarter as much as it.
    PROGRAM = 'print("child 1: private memory 0 kB before, %d kB after")\n'
    RECORDER = 'import os\nif os.fork() == 0:\n  i = 0\n  while i < 4000000: i += 1\n' + \
        '  os._exit(0)\nos.wait()\n' + WORK % 1000000

    def test_the_recorders_share(self):
        plain = ['/usr/bin/python3', '-c', self.PROGRAM % 100]
        workload = workloads.Workload('x', plain, plain, 1)
        with tempfile.TemporaryDirectory() as folder:
            tools = Programs(folder, {EXACT: self.PROGRAM % 350 + self.RECORDER})
            alone = costs.measure_alone(tools, workload, [EXACT],
                                        sorted(os.sched_getaffinity(0)), 3)
            self.assertEqual(os.listdir(folder), [])
        self.assertEqual(alone.private_kb, {PLAIN: 100, EXACT: 350})
        self.assertEqual(alone.trace_bytes, {EXACT: len('a trace')})
        # Its start is its own work, too.
        self.assertTrue(0.15 < alone.recorder_shares[EXACT] < 0.45, alone.recorder_shares)


class RecorderTest(unittest.TestCase):
    def test_each_job_has_an_empty_folder(self):
        with tempfile.TemporaryDirectory() as folder:
            tools = recorders.Recorders('cowscope', '', folder, 'fault_floor')
            own = tools.in_folder('one')
            open(own.trace(EXACT), 'w').close()
            self.assertEqual(os.listdir(tools.in_folder('one').folder), [])
            self.assertEqual(tools.command(FLOOR, ['x']), ['fault_floor'])
            self.assertEqual(tools.command(PLAIN, ['x']), ['x'])


if __name__ == '__main__':
    unittest.main()
