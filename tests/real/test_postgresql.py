"""PostgreSQL: initdb, a server with a process for each connection, and pgbench."""

import glob
import os
import re
import shutil
import signal
import subprocess

from support import begin, find, skip, wait_until

found = sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"),
               key=lambda path: int(path.split("/")[4]))
if not found:
    skip("this machine has no PostgreSQL")
programs = os.path.dirname(found[-1])
test = begin(f"{programs}/postgres", "--version", as_nobody=True)
seed = os.path.join(test.folder, "seed")
INITDB = ["--auth=trust", "--username=tester", "--no-sync", "--locale=C", "--encoding=UTF8"]


def client(program, folder, *words):
    done = subprocess.run([f"{programs}/{program}", "-h", folder, "-U", "tester", *words],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=folder, timeout=40,
                          universal_newlines=True, env={"PATH": "/usr/bin:/bin", "HOME": folder})
    # Times differ from run to run.
    return re.sub(r"\d+\.\d+", "N", done.stdout) + f"status {done.returncode}"


def is_ready(folder):
    """As the server's own lock file says it."""
    try:
        with open(os.path.join(folder, "data/postmaster.pid"), encoding="utf-8") as file:
            return file.read().splitlines()[-1].strip() == "ready"
    except (OSError, IndexError):
        return False


def use_server(process, folder):
    # A connection before that would be refused, and the server would say so in its log.
    wait_until(lambda: is_ready(folder), "the server is ready")
    said = [client("pgbench", folder, "-q", "-i", "-s", "1", "postgres"),
            client("pgbench", folder, "-n", "-c", "3", "-t", "30", "postgres"),
            client("psql", folder, "-c", "select count(*), sum(length(filler)) from pgbench_accounts",
                   "postgres"),
            client("psql", folder, "-c", "do $$ begin raise exception 'wrong'; end $$", "postgres")]
    with open(os.path.join(folder, "data/postmaster.pid"), encoding="utf-8") as file:
        os.kill(int(file.readline()), signal.SIGINT)
    return said


def seeded(folder):
    # Of the same user, as the server demands.
    subprocess.run(["cp", "-r", seed, os.path.join(folder, "data")], check=True, **test.user)


test.both("initdb", lambda folder: [found[-1], *INITDB, "-D", f"{folder}/data"], min_forks=0)
subprocess.run([found[-1], *INITDB, "-D", seed], check=True, stdout=subprocess.DEVNULL, **test.user)
report = test.both("postgres", lambda folder: [
    f"{programs}/postgres", "-D", f"{folder}/data", "-k", folder, "-c", "listen_addresses=",
    "-c", "fsync=off", "-c", "shared_buffers=16MB", "-c", "autovacuum=off", "-c", "logging_collector=off",
    "-c", "log_destination=stderr", "-c", "log_line_prefix=", "-c", "log_checkpoints=off"],
    use_server, seeded, min_forks=8)
test.that(report.by_children() > 0, "the server's processes copied nothing")
test.finish()
