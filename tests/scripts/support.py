"""Runs a script as a user would, on the build that is tested."""

import os
import subprocess
import sys

SKIPPED = 77
SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
NOT_ALLOWED = 'this machine allows no witness or no tracker'


def run_script(name, *arguments):
    """Its output and what it says on stderr; the end of the test where the machine lacks what it
    measures with."""
    done = subprocess.run([os.path.join(SOURCE, 'scripts', name), *arguments],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, universal_newlines=True)
    if done.returncode == 2 and NOT_ALLOWED in done.stderr:
        print('SKIPPED: scripts/%s was not tested: %s' % (name, done.stderr.strip()))
        sys.exit(SKIPPED)
    check(done.returncode == 0, 'scripts/%s ended with %d:\n%s%s' % (name, done.returncode,
                                                                     done.stdout, done.stderr))
    return done.stdout, done.stderr


def check_refuses(word, name, *arguments):
    """That it ends at once with one line that has the word, below the usage."""
    done = subprocess.run([os.path.join(SOURCE, 'scripts', name), *arguments],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, universal_newlines=True)
    what = 'scripts/%s %s' % (name, ' '.join(arguments))
    check(done.returncode == 2, '%s ended with %d' % (what, done.returncode))
    check(word in done.stderr.splitlines()[-1], '%s says: %s' % (what, done.stderr))


def check(holds, what):
    if not holds:
        sys.exit('FAILED: ' + what)


def near(value, truth, tolerance):
    """Within a share of the truth."""
    return abs(value - truth) <= tolerance * truth
