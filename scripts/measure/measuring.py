"""What scripts/bench and scripts/reproduce share: running programs and what they cost, series of
figures, memory of a tree of processes, the interpreters and facts of this machine.

Python 3.9 and later, the standard library alone. Times are seconds, memory is kB of 1024 bytes,
unless a name says otherwise.
"""

import dataclasses
import mmap
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PYTHON_WORKLOAD = os.path.join(SOURCE, 'workloads/python/string_map.py')
PAGE_BYTES = 4096
# What the recorder keeps in the group of the program to hear of the signals to it.
RECORDERS_HELPER = 'cowscope-group'


class MeasuringError(Exception):
    """Something could not be measured; the text is one line that says what and why."""


def say(text):
    print(text, file=sys.stderr, flush=True)


# --- running programs

@dataclasses.dataclass
class Run:
    """What a program and all its children that were waited for came to."""
    status: int
    output: str
    errors: str
    cpu_seconds: float  # user and system
    own_cpu_seconds: float  # of it the program's own, without its children's; to 10 ms
    peak_kb: int  # resident memory of the largest of these processes


class Running:
    """A program that was started; finish() waits for it. Throws MeasuringError where it fails."""

    def __init__(self, command):
        self._command = command
        self._output = tempfile.TemporaryFile('w+')
        self._errors = tempfile.TemporaryFile('w+')
        # A hash of its own for each run would make dicts differ from run to run.
        environment = dict(os.environ, PYTHONHASHSEED='0', LC_ALL='C.UTF-8')
        try:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL,
                                             stdout=self._output, stderr=self._errors,
                                             env=environment)
        except OSError as error:
            self._output.close()
            self._errors.close()
            raise MeasuringError('cannot run %s: %s' % (command[0], error.strerror)) from error

    @property
    def pid(self):
        return self._process.pid

    def finish(self):
        # The dead still tell their own time, until they are waited for.
        os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)
        own = own_cpu_seconds(self.pid)
        _, status, usage = os.wait4(self.pid, 0)
        self._process.returncode = os.waitstatus_to_exitcode(status)
        with self._output, self._errors:
            self._output.seek(0)
            self._errors.seek(0)
            done = Run(self._process.returncode, self._output.read(), self._errors.read(),
                       usage.ru_utime + usage.ru_stime, own, usage.ru_maxrss)
        if done.status != 0:
            why = done.errors.strip().splitlines()[-1:] or ['it says nothing']
            raise MeasuringError('%s ended with %d: %s' % (' '.join(self._command), done.status,
                                                           why[0]))
        return done


def own_cpu_seconds(pid):
    """proc(5): utime and stime are fields 14 and 15, and the name may hold anything."""
    with open('/proc/%d/stat' % pid, encoding='utf-8', errors='replace') as file:
        fields = file.read().rpartition(')')[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')


def run(command, watch=None):
    """Runs a program to its end; `watch` is called with its process id meanwhile."""
    running = Running(command)
    if watch is not None:
        watch(running.pid)
    return running.finish()


def folder_bytes(path):
    """Bytes in a file, or in all files of a folder."""
    if not os.path.isdir(path):
        return os.path.getsize(path)
    return sum(entry.stat().st_size for entry in os.scandir(path))


def remove(path):
    if os.path.isdir(path):
        shutil.rmtree(path)
    elif os.path.exists(path):
        os.unlink(path)


# --- series of figures

@dataclasses.dataclass
class Series:
    """Figures of one kind, one from each round."""
    values: list

    @property
    def median(self):
        return statistics.median(self.values)

    @property
    def quartiles(self):
        if len(self.values) < 2:
            return self.values[0], self.values[0]
        low, _, high = statistics.quantiles(self.values, n=4, method='inclusive')
        return low, high

    @property
    def spread(self):
        """Between the quartiles, as a share of the median."""
        low, high = self.quartiles
        return (high - low) / self.median if self.median else 0.0

    def as_json(self):
        low, high = self.quartiles
        return {'median': self.median, 'low_quartile': low, 'high_quartile': high,
                'values': self.values}


def ratios(values, baselines):
    """Each round's value over the same round's baseline."""
    return Series([value / base for value, base in zip(values, baselines)])


# --- memory

def available_kb():
    with open('/proc/meminfo', encoding='ascii') as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith('MemAvailable:'))


def touch_free_memory(spare_kb=2 << 20):
    """Writes to all free memory once, but for `spare_kb`. A virtual machine's host backs a page at
    its first use only, which costs several times what the page's copy does. Returns kB touched.

    A process of its own does it: the peak of each program that is started counts what its starter
    had before it became that program (ru_maxrss, getrusage(2))."""
    receiver, sender = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(sender, b'%d' % write_to_free_memory(spare_kb))
        finally:
            os._exit(0)
    os.close(sender)
    with os.fdopen(receiver, 'rb') as told:
        touched = told.read()
    os.waitpid(child, 0)
    if not touched:
        raise MeasuringError('free memory could not be written to')
    return int(touched)


def write_to_free_memory(spare_kb):
    piece_bytes = 64 << 20
    pieces = []
    while available_kb() > spare_kb + piece_bytes // 1024:
        # The kernel writes zeros to it.
        pieces.append(mmap.mmap(-1, piece_bytes, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
                                | mmap.MAP_POPULATE))
    for piece in pieces:
        piece.close()
    return len(pieces) * piece_bytes // 1024


def children_of(pid):
    """Of all its threads; nothing where it is gone."""
    found = []
    try:
        for thread in os.listdir('/proc/%d/task' % pid):
            with open('/proc/%d/task/%s/children' % (pid, thread), encoding='ascii') as children:
                found += [int(child) for child in children.read().split()]
    except OSError:
        pass
    return found


def tree_of(pid):
    """The process and its descendants."""
    found = [pid]
    for each in found:
        found += children_of(each)
    return found


def name_of(pid):
    """As /proc says it; nothing where the process is gone."""
    try:
        with open('/proc/%d/comm' % pid, encoding='utf-8', errors='replace') as file:
            return file.read().strip()
    except (FileNotFoundError, ProcessLookupError):
        return ''


def pss_kb(pid):
    """What the process has of memory, each page divided by those that share it. 0 where it is
    gone."""
    try:
        with open('/proc/%d/smaps_rollup' % pid, encoding='ascii') as lines:
            return next((int(line.split()[1]) for line in lines if line.startswith('Pss:')), 0)
    except OSError:
        return 0


@dataclasses.dataclass
class Sample:
    began: float  # seconds since the program's start
    seconds: float  # the same, when it was over
    pss_kb: int  # of the program and its descendants
    recorder_kb: int  # of what started the program, or 0


class TreeMemory:
    """Samples the memory of a tree of processes from outside, until it is gone.

    A look at a large process takes long, and holds the process up: the pause after a sample is
    three times what the sample took. As soon as the program has `workers` descendants a sample is
    taken, `all_started`. With `has_recorder` the first process is not the program but what started
    it, and so is a helper of that, which waits beside the program. Where the machine runs out of
    memory all are killed, and `ran_out` is set."""

    RESERVE_KB = 512 * 1024
    INTERVAL_SECONDS = 0.1
    POLL_SECONDS = 0.01

    def __init__(self, workers, has_recorder):
        self.samples = []
        self.all_started = None
        self.first_worker_seconds = None  # when the first of them was there
        self.ran_out = False
        self._has_recorder = has_recorder
        self._workers = workers
        self._thread = None

    def watch(self, pid):
        """Goes on in a thread of its own."""
        self._thread = threading.Thread(target=self._sample, args=(pid, time.monotonic()))
        self._thread.start()

    def finish(self):
        self._thread.join()

    def _sample(self, root, start):
        next_sample = start
        while True:
            tree = tree_of(root)
            recorders = [pid for pid in tree if self._is_recorder(pid, root)]
            program = [pid for pid in tree if pid not in recorders]
            now = time.monotonic()
            if self.first_worker_seconds is None and len(program) > 1:
                self.first_worker_seconds = now - start
            is_whole = len(program) > self._workers and self.all_started is None
            if is_whole or now >= next_sample:
                program_kb = sum(pss_kb(pid) for pid in program)
                recorder_kb = sum(pss_kb(pid) for pid in recorders)
                # A zombie has no memory: the tree has ended.
                if program_kb + recorder_kb == 0:
                    return
                over = time.monotonic()
                self.samples.append(Sample(now - start, over - start, program_kb, recorder_kb))
                if is_whole:
                    self.all_started = self.samples[-1]
                next_sample = over + max(self.INTERVAL_SECONDS, 3 * (over - now))
            if available_kb() < self.RESERVE_KB:
                self.ran_out = True
                self._kill(tree)
                return
            time.sleep(self.POLL_SECONDS)

    def _is_recorder(self, pid, root):
        return self._has_recorder and (pid == root or name_of(pid) == RECORDERS_HELPER)

    @staticmethod
    def _kill(tree):
        for pid in tree:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass


# --- interpreters and the machine

def find_pythons():
    """Path by name of every CPython 3 of this machine: Debian's own and pyenv's, by version."""
    found = {}
    folder = os.environ.get('PYENV_ROOT', os.path.expanduser('~/.pyenv')) + '/versions'
    candidates = [os.path.join('/usr/bin', name) for name in sorted(os.listdir('/usr/bin'))
                  if re.fullmatch(r'python3\.\d+', name)]
    if os.path.isdir(folder):
        candidates += [os.path.join(folder, name, 'bin/python') for name in os.listdir(folder)]
    for path in candidates:
        version = python_version(path)
        if version is not None:
            owner = 'pyenv' if path.startswith(folder) else 'system'
            found['%s (%s)' % (version, owner)] = path
    return dict(sorted(found.items(), key=lambda item: version_key(item[0])))


def version_key(name):
    return [int(number) for number in re.findall(r'\d+', name)]


def python_version(path):
    """'3.11.2'; None for what is no CPython 3.6 or later."""
    code = 'import sys; print(sys.implementation.name, *sys.version_info[:3])'
    try:
        told = subprocess.run([path, '-c', code], stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, check=True, timeout=60).stdout
        name, major, minor, patch = told.decode().split()
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    if name != 'cpython' or (int(major), int(minor)) < (3, 6):
        return None
    return '%s.%s.%s' % (major, minor, patch)


def first_line_of(*command):
    try:
        told = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              check=True, timeout=60).stdout.decode()
    except (OSError, subprocess.SubprocessError):
        return 'unknown'
    return told.strip().splitlines()[0] if told.strip() else 'unknown'


def processor():
    with open('/proc/cpuinfo', encoding='utf-8') as lines:
        return next((line.split(':', 1)[1].strip() for line in lines
                     if line.startswith('model name')), 'unknown')


def machine(cowscope):
    """What a table of results has to name."""
    with open('/proc/meminfo', encoding='ascii') as lines:
        total_kb = int(next(lines).split()[1])
    return {
        'date': time.strftime('%Y-%m-%d', time.gmtime()),
        'kernel': os.uname().release,
        'processor': processor(),
        'cores': len(os.sched_getaffinity(0)),
        'memory_kb': total_kb,
        'cowscope': first_line_of(cowscope, '--version'),
        'commit': first_line_of('git', '-C', SOURCE, 'describe', '--always', '--dirty'),
    }


def machine_line(facts):
    return '%(date)s, Linux %(kernel)s, %(processor)s, %(cores)d cores, ' % facts + \
        '%.0f GiB; %s, commit %s' % (facts['memory_kb'] / (1 << 20), facts['cowscope'],
                                     facts['commit'])


def markdown_table(header, rows):
    lines = ['| ' + ' | '.join(header) + ' |', '| ' + ' | '.join('---' for _ in header) + ' |']
    lines += ['| ' + ' | '.join(str(cell) for cell in row) + ' |' for row in rows]
    return '\n'.join(lines) + '\n'
