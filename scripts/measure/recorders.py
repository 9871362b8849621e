"""What a workload is run under: nothing, cowscope, or perf. And what is run beside it: fault_floor,
which tells what a page fault and a signal take meanwhile."""

import dataclasses
import json
import os
import re
import shutil

import measuring
from measuring import MeasuringError

PLAIN = 'without cowscope'
AGAIN = 'the same again'
CENSUS = 'census only'
EXACT = 'exact'
AUTO = 'auto'
PERF_G = 'perf -g'
PERF_DWARF = 'perf dwarf'
FLOOR = 'fault floor'

COWSCOPE_OPTIONS = {CENSUS: ['--witness', 'off'], EXACT: ['--sample', '1'],
                    AUTO: ['--sample', 'auto']}
PERF_OPTIONS = {PERF_G: ['-g'], PERF_DWARF: ['--call-graph', 'dwarf']}
# "[ perf record: Captured and wrote 1064.135 MB perf.data (132061 samples) ]"; long runs say "(~N".
PERF_SAMPLES = re.compile(r'Captured and wrote .*\(~?(\d+) samples\)')
# "Processed 139461 events and lost 3 chunks!", where it fell behind.
PERF_LOST = re.compile(r'lost (\d+) chunks')


@dataclasses.dataclass
class Recorders:
    cowscope: str
    perf: str  # '' where there is none
    folder: str  # for traces
    floor: str = ''  # fault_floor; '' where there is none
    perf_buffer: str = ''  # for dwarf stacks, a CPU, as perf's -m; '' is perf's own

    def available(self, names):
        return [name for name in names if (self.perf or name not in PERF_OPTIONS)
                and (self.floor or name != FLOOR)]

    def in_folder(self, name):
        """The same with traces in an empty folder of that name in this one."""
        folder = os.path.join(self.folder, name)
        measuring.remove(folder)
        os.makedirs(folder)
        return dataclasses.replace(self, folder=folder)

    def trace(self, name):
        return os.path.join(self.folder, name.replace(' ', '-') + '.trace')

    def command(self, name, command):
        """The command line under the recorder; an old trace in its way is removed."""
        trace = self.trace(name)
        measuring.remove(trace)
        if name in COWSCOPE_OPTIONS:
            return [self.cowscope, 'record', '--quiet', '-o', trace, *COWSCOPE_OPTIONS[name], '--',
                    *command]
        if name in PERF_OPTIONS:
            buffer = buffer_options(self.perf_buffer) if name == PERF_DWARF else []
            return [self.perf, 'record', '-e', 'page-faults', '-c', '1', '-d', *PERF_OPTIONS[name],
                    *buffer, '-o', trace, '--', *command]
        return [self.floor] if name == FLOOR else command

    def run(self, name, command):
        return measuring.run(self.command(name, command))

    def start_report(self, name):
        """The report on the newest trace of that recorder, its output among it."""
        if name in PERF_OPTIONS:
            return measuring.Running([self.perf, 'report', '--stdio', '-i', self.trace(name)])
        return measuring.Running([self.cowscope, 'report', self.trace(name)])

    def json_report(self, name):
        told = measuring.run([self.cowscope, 'report', '--format', 'json', self.trace(name)])
        return json.loads(told.output)


def buffer_options(size):
    return ['-m', size] if size else []


def find_perf(folder, buffer):
    """The perf of this machine, or '' with a word why its figures will be missing. Ubuntu's is a
    script that fails where no perf of the running kernel is installed."""
    perf = shutil.which('perf')
    why = 'it is not installed'
    if perf:
        trial = os.path.join(folder, 'perf-trial')
        try:
            perf_samples(measuring.run([perf, 'record', '-e', 'page-faults', '-c', '1',
                                        *buffer_options(buffer), '-o', trial, '--', '/bin/true']))
            return perf
        except MeasuringError as error:
            why = str(error)
        finally:
            measuring.remove(trial)
    measuring.say('SKIPPED: nothing is held against perf: %s' % why)
    return ''


def find_floor(build):
    """The build's fault_floor, or '' with a word."""
    path = os.path.join(build, 'fault_floor')
    if os.access(path, os.X_OK):
        return path
    measuring.say('SKIPPED: %s is not there, so nothing tells what a signal takes' % path)
    return ''


def perf_samples(run):
    found = PERF_SAMPLES.search(run.errors)
    if found is None:
        raise MeasuringError('perf record does not say how many samples it wrote')
    return int(found.group(1))


def perf_lost(run):
    """Chunks of samples that it could not write; it does not say how many samples were in them."""
    return sum(int(count) for count in PERF_LOST.findall(run.errors))


def check_cowscope_can(recorders, command):
    """Throws where this machine lacks a tracker or the witness: every figure would be another."""
    measuring.run(recorders.command(EXACT, command))
    report = recorders.json_report(EXACT)
    if report['witness'] != 'trap' or report['tracker'] == 'off':
        raise MeasuringError('this machine allows no witness or no tracker (cowscope doctor)')
