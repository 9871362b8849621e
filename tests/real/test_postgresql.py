"""PostgreSQL: initdb, a server with a process for each connection, and pgbench."""

import glob
import os
import re
import shutil
import signal
import subprocess

from support import begin, command_line, descendants, skip, unpacked, wait_until


def programs_below(root):
    """The newest PostgreSQL's, or None."""
    found = sorted(glob.glob(f"{root}/usr/lib/postgresql/*/bin/initdb"),
                   key=lambda path: int(path.split("/")[-3]))
    return os.path.dirname(found[-1]) if found else None


def unpack():
    """PostgreSQL of this machine's suite: `postgresql` depends on the version that it is."""
    listed = subprocess.run(["apt-cache", "depends", "postgresql"], stdout=subprocess.PIPE,
                            universal_newlines=True)
    server = re.search(r"Depends: (postgresql-(\d+))$", listed.stdout, re.MULTILINE)
    if not server:
        skip("this machine has no PostgreSQL, and apt-cache knows none")
    return unpacked(server.group(1), f"postgresql-client-{server.group(2)}", "libpq5")


programs = programs_below("")
env = {}
if not programs:
    root = unpack()
    programs = programs_below(root)
    env = {"LD_LIBRARY_PATH": f"{root}/usr/lib/x86_64-linux-gnu"}
test = begin(f"{programs}/postgres", "--version", as_nobody=True)
seed = os.path.join(test.folder, "seed")
INITDB = ["--auth=trust", "--username=tester", "--no-sync", "--locale=C", "--encoding=UTF8"]


def client(program, folder, *words):
    done = subprocess.run([f"{programs}/{program}", "-h", folder, "-U", "tester", *words],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=folder, timeout=40,
                          universal_newlines=True, env={"PATH": "/usr/bin:/bin", "HOME": folder, **env})
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
            client("psql", folder, "-c", "select count(*), sum(length(filler)) "
                   "from pgbench_accounts", "postgres"),
            client("psql", folder, "-c", "do $$ begin raise exception 'wrong'; end $$", "postgres")]
    # A server that is stopped while one still ends says so in its log.
    wait_until(lambda: not any(command_line(pid).startswith("postgres: tester")
                               for pid in descendants(process.pid)), "its sessions have ended")
    with open(os.path.join(folder, "data/postmaster.pid"), encoding="utf-8") as file:
        os.kill(int(file.readline()), signal.SIGINT)
    return said


def server(folder):
    return [f"{programs}/postgres", "-D", f"{folder}/data", "-k", folder, "-c", "listen_addresses=",
            "-c", "fsync=off", "-c", "shared_buffers=16MB", "-c", "autovacuum=off",
            "-c", "logging_collector=off", "-c", "jit=off",
            "-c", "log_destination=stderr", "-c", "log_line_prefix=", "-c", "log_checkpoints=off"]


def stop_server(signals):
    """With a session that is at work, but for the smart way, which would wait for it."""
    def stop(process, folder):
        wait_until(lambda: is_ready(folder), "the server is ready")
        session = None
        if signals[-1] != signal.SIGTERM:
            session = subprocess.Popen([f"{programs}/psql", "-h", folder, "-U", "tester", "-c",
                                        "select pg_sleep(60)", "postgres"], cwd=folder,
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                       env={"PATH": "/usr/bin:/bin", "HOME": folder, **env})
            wait_until(lambda: any("SELECT" in command_line(pid)
                                   for pid in descendants(process.pid)), "the session works")
        for number in signals:
            os.kill(process.pid, number)
        return session and session.wait(30)
    return stop


def seeded(folder):
    # Of the same user, as the server demands.
    subprocess.run(["cp", "-r", seed, os.path.join(folder, "data")], check=True, **test.user)


test.both("initdb", lambda folder: [f"{programs}/initdb", *INITDB, "-D", f"{folder}/data"], env=env)
subprocess.run([f"{programs}/initdb", *INITDB, "-D", seed], check=True, stdout=subprocess.DEVNULL,
               env={"PATH": "/usr/bin:/bin", **env}, **test.user)
report = test.both("postgres", server, use_server, seeded, env=env, min_forks=8)
test.that(report.by_children() > 0, "the server's processes copied nothing")
# To what was started, as init scripts do: the server, or the recorder in its place.
for name, status, *signals in (("smart", 0, signal.SIGTERM), ("fast", 0, signal.SIGINT),
                               ("immediate", 0, signal.SIGQUIT),
                               ("reloaded", 0, signal.SIGHUP, signal.SIGINT)):
    test.both(name, server, stop_server(signals), seeded, env=env, status=status, min_forks=4)
test.finish()
