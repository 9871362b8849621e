"""php-fpm: stopped and reloaded by the signals of its init scripts, which go to what was started.

That is php-fpm itself, or the recorder, which stands for it.
"""

import glob
import os
import re
import signal
import subprocess

from support import (answers, begin, command_line, descendants, installed, skip, unpacked,
                     wait_until)

CONFIG = """
[global]
error_log = FOLDER/error.log
log_level = notice
daemonize = no
[pool]
listen = FOLDER/fpm.sock
pm = static
pm.max_children = 3
"""


def workers(of):
    return {pid for pid in descendants(of) if command_line(pid).startswith("php-fpm: pool")}


def prepare(folder):
    with open(os.path.join(folder, "fpm.conf"), "w", encoding="utf-8") as file:
        file.write(CONFIG.replace("FOLDER", folder))


def times_opened_again(folder):
    with open(os.path.join(folder, "error.log"), encoding="utf-8") as file:
        return file.read().count("re-opened")


def find_fpm():
    """Debian's, of this machine or unpacked, or the end of the test."""
    found = installed("php-fpm") or next(iter(glob.glob("/usr/sbin/php-fpm[0-9]*")), None)
    if found:
        return found
    listed = subprocess.run(["apt-cache", "depends", "php-fpm"], stdout=subprocess.PIPE,
                            universal_newlines=True).stdout
    package = re.search(r"Depends: (php[\d.]+-fpm)$", listed, re.MULTILINE)
    if not package:
        skip("this machine has no php-fpm, and apt-cache knows none")
    return glob.glob(unpacked(package.group(1)) + "/usr/sbin/php-fpm*")[0]


def use_fpm(signals):
    def use(process, folder):
        address = os.path.join(folder, "fpm.sock")

        def is_ready():
            return (os.path.exists(address) and answers(address) and
                    len(workers(process.pid)) == 3)

        wait_until(is_ready, "php-fpm has its workers")
        for number in signals:
            first, opened = workers(process.pid), times_opened_again(folder)
            os.kill(process.pid, number)
            if number == signal.SIGUSR1:
                wait_until(lambda: times_opened_again(folder) > opened, "the logs are opened again")
            elif number == signal.SIGUSR2:
                wait_until(lambda: is_ready() and not workers(process.pid) & first,
                           "new workers stand in for the first")
    return use


fpm = find_fpm()
test = begin(fpm, "-v", as_nobody=True)
for name, *signals in (("stop", signal.SIGQUIT), ("terminate", signal.SIGTERM),
                       ("interrupt", signal.SIGINT),
                       ("logs", signal.SIGUSR1, signal.SIGQUIT),
                       ("reload", signal.SIGUSR2, signal.SIGQUIT)):
    test.both(name, lambda folder: [fpm, "--nodaemonize", "-n", "--fpm-config",
                                    f"{folder}/fpm.conf"],
              use_fpm(signals), prepare, min_forks=3 * (1 + signals.count(signal.SIGUSR2)))
test.finish()
