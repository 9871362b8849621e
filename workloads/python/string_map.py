#!/usr/bin/env python3
"""Fills a dict, starts a multiprocessing.Pool, and lets every worker read every value.

Reading is all that the workers do, and yet their memory grows: each read writes the reference count
of the value that it reads, and the first write to a page that worker and parent share copies it.
With --intern equal values are one object, so the same number of counts lies on a few pages.

Runs on Python 3.6 and later.
"""

import argparse
import itertools
import multiprocessing
import os
import random
import string
import sys
import time

DEFAULT_ENTRIES = 1000000
VALUE_LENGTH = 10
SHORT_VALUE_LENGTH = 4
VALUE_FIELD = 2  # of an input line, counted from 0

global_map = {}
all_started = None  # in a worker: the barrier that every worker waits at before it reads


def read_map(order):
    """Looks at every value; returns their number and their total length."""
    count = 0
    total_length = 0
    if order == 'key':
        for i in range(len(global_map)):
            value = global_map[str(i)]
            total_length += len(value)
            count += 1
    else:
        for value in global_map.values():
            total_length += len(value)
            count += 1
    return count, total_length


def random_letters(generator, length):
    return ''.join(generator.choice(string.ascii_lowercase) for _ in range(length))


def generated_values(entries, unique):
    """The same values in every run. Each is an object of its own, as if it came from a file."""
    generator = random.Random(entries)
    if unique == 0:
        for _ in range(entries):
            yield random_letters(generator, SHORT_VALUE_LENGTH)
        return
    contents = []
    known = set()
    while len(contents) < min(unique, entries):
        text = random_letters(generator, VALUE_LENGTH)
        if text not in known:
            known.add(text)
            contents.append((text[:5], text[5:]))
    for i in range(entries):
        head, tail = contents[i % len(contents)]
        # Concatenation makes a new object every time.
        yield head + tail


def values_from(path):
    """The third field of every line."""
    with open(path, encoding='utf-8', errors='surrogateescape', newline='\n') as lines:
        for number, line in enumerate(lines, 1):
            fields = line.rstrip('\r\n').split('|')
            if len(fields) <= VALUE_FIELD:
                raise ValueError('line %d has no third field' % number)
            yield fields[VALUE_FIELD]


def fill_map(values, intern):
    for i, value in enumerate(values):
        global_map[str(i)] = sys.intern(value) if intern else value


def private_memory_kb():
    """What this process shares with no other: Private_Clean + Private_Dirty, in kB of 1024 bytes."""
    memory_kb = 0
    with open('/proc/self/smaps_rollup') as lines:
        for line in lines:
            if line.startswith(('Private_Clean:', 'Private_Dirty:')):
                memory_kb += int(line.split()[1])
    return memory_kb


fork_seconds = []  # how long each call of fork took
fork_cpu_seconds = []  # the same in CPU time
start_cpu_seconds = 0.0  # in a worker: its CPU time until its fork had returned


def time_forks():
    fork = os.fork

    def timed_fork():
        global start_cpu_seconds
        start = time.perf_counter()
        cpu_start = time.process_time()
        pid = fork()
        if pid == 0:
            start_cpu_seconds = time.process_time()
        else:
            fork_cpu_seconds.append(time.process_time() - cpu_start)
            fork_seconds.append(time.perf_counter() - start)
        return pid

    os.fork = timed_fork


def start_worker(barrier):
    global all_started
    all_started = barrier


def work(order, pause, with_memory):
    """One worker's task: read_map, and what it cost this process."""
    # No worker gets a second task while another has had none.
    all_started.wait()
    time.sleep(pause)
    before_kb = private_memory_kb() if with_memory else 0
    wall_start = time.perf_counter()
    cpu_start = time.process_time()
    count, total_length = read_map(order)
    cpu_seconds = time.process_time() - cpu_start
    wall_seconds = time.perf_counter() - wall_start
    after_kb = private_memory_kb() if with_memory else 0
    time.sleep(pause)
    return count, total_length, before_kb, after_kb, wall_seconds, cpu_seconds, start_cpu_seconds


def run_workers(options):
    # Sharing memory with the parent needs fork, which is no longer the default everywhere.
    context = multiprocessing.get_context('fork')
    barrier = context.Barrier(options.processes)
    pool = context.Pool(options.processes, start_worker, (barrier,))
    results = [pool.apply_async(work, (options.read, options.pause, options.memory))
               for _ in range(options.processes)]
    pool.close()
    pool.join()
    return [result.get() for result in results]


def print_results(options, results):
    print('map: %d entries, %s values, read order %s' % (
        len(global_map), 'interned' if options.intern else 'separate', options.read))
    for number, result in enumerate(results, 1):
        (count, total_length, before_kb, after_kb, wall_seconds, cpu_seconds,
         start_seconds) = result
        line = 'worker %d: read %d values, %d characters' % (number, count, total_length)
        if options.memory:
            line += '; private memory %d kB before, %d kB after' % (before_kb, after_kb)
        print(line)
        if options.timing:
            print('worker %d: reading took %.3f ms, %.3f ms of CPU time' % (
                number, wall_seconds * 1e3, cpu_seconds * 1e3), file=sys.stderr)
            print('worker %d: fork took %.3f ms, its start %.3f ms of CPU time' % (
                number, fork_seconds[number - 1] * 1e3, start_seconds * 1e3), file=sys.stderr)
            print("worker %d: its fork took %.3f ms of the parent's CPU time" % (
                number, fork_cpu_seconds[number - 1] * 1e3), file=sys.stderr)


class ArgumentParser(argparse.ArgumentParser):
    def error(self, message):
        self.exit(2, '%s: %s (-h lists the options)\n' % (self.prog, message))


def number_from(smallest):
    def number(text):
        value = int(text)
        if value < smallest:
            raise argparse.ArgumentTypeError('%d is less than %d' % (value, smallest))
        return value
    return number


def parse_options():
    parser = ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument('--entries', type=number_from(1), metavar='N',
                        help='entries of the dict (default %d; with --input: every line)'
                        % DEFAULT_ENTRIES)
    parser.add_argument('--unique', type=number_from(0), default=300, metavar='K',
                        help='different contents among the values (default %(default)s); '
                        '0: random values of four letters; no effect with --input')
    parser.add_argument('--processes', type=number_from(1), default=2, metavar='C',
                        help='workers of the pool (default %(default)s)')
    parser.add_argument('--intern', action='store_true', help='pass each value to sys.intern')
    parser.add_argument('--read', choices=['key', 'values'], default='key',
                        help='look up every key in turn, or iterate over the values '
                        '(default %(default)s)')
    parser.add_argument('--input', metavar='FILE',
                        help="take values from the third '|'-separated field of each line")
    parser.add_argument('--memory', action='store_true',
                        help='print the private memory of each worker before and after')
    parser.add_argument('--timing', action='store_true',
                        help='print the time of each fork and each reading on stderr')
    parser.add_argument('--pause', type=number_from(0), default=0, metavar='SECONDS',
                        help='each worker waits so long before and after it reads: time to look '
                        'at its memory')
    return parser, parser.parse_args()


def main():
    parser, options = parse_options()
    if options.input:
        values = itertools.islice(values_from(options.input), options.entries)
    else:
        values = generated_values(options.entries or DEFAULT_ENTRIES, options.unique)
    if options.timing:
        time_forks()
    try:
        fill_map(values, options.intern)
    except (OSError, ValueError) as error:
        reason = getattr(error, 'strerror', None) or error
        parser.exit(2, '%s: cannot read %s: %s\n' % (parser.prog, options.input, reason))
    print_results(options, run_workers(options))


if __name__ == '__main__':
    main()
