"""Redis with BGSAVE and a rewrite of its log: the server writes while its child saves."""

import os
import socket

from support import answers, begin, find, wait_until


def command(address, *words):
    """The answer; the child of a save holds the connection open, so no end of it is waited for."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(20)
        connection.connect(address)
        connection.sendall((f"*{len(words)}\r\n" + "".join(
            f"${len(word)}\r\n{word}\r\n" for word in words) + "*1\r\n$4\r\nPING\r\n").encode())
        answer = ""
        while not answer.endswith("+PONG\r\n"):
            more = connection.recv(65536).decode()
            if not more:
                break
            answer += more
        return answer.replace("+PONG\r\n", "")


def info(address, field):
    lines = command(address, "INFO", "persistence").splitlines()
    return dict(line.split(":", 1) for line in lines if ":" in line)[field]


def use_redis(process, folder):
    address = os.path.join(folder, "redis.sock")
    wait_until(lambda: os.path.exists(address) and answers(address), "redis answers")
    said = [command(address, "DEBUG", "POPULATE", "20000", "key", "1000")]
    said.append(command(address, "BGSAVE"))
    # The child saves slowly (rdb-key-save-delay), so these writes copy.
    said += [command(address, "SETRANGE", f"key:{number}", "5", "changed")
             for number in range(0, 20000, 40)]
    command(address, "CONFIG", "SET", "rdb-key-save-delay", "0")
    wait_until(lambda: info(address, "rdb_bgsave_in_progress") == "0", "the save has ended")
    said.append(info(address, "rdb_last_bgsave_status"))
    said.append(command(address, "BGREWRITEAOF"))
    wait_until(lambda: info(address, "aof_rewrite_in_progress") == "0", "the rewrite has ended")
    said.append(info(address, "aof_last_bgrewrite_status"))
    said.append(command(address, "GET", "key:400"))
    said.append(command(address, "SHUTDOWN", "NOSAVE"))
    return said


# redis-server is this program under another name; Debian's package of that name brings a service.
redis = find("redis-server", "redis-check-rdb")
test = begin(redis, "--version") if redis.endswith("server") else begin("redis-cli", "--version")
server = os.path.join(test.folder, "redis-server")
os.symlink(redis, server)
report = test.both("redis", lambda folder: [
    server, "--port", "0", "--unixsocket", f"{folder}/redis.sock", "--dir", folder, "--save", "",
    "--loglevel", "warning", "--enable-debug-command", "yes", "--rdb-key-save-delay", "20",
    "--logfile", f"{folder}/log", "--pidfile", f"{folder}/pid"],
    use_redis, min_forks=2)
root = report.processes[0]
test.that(root["copied_pages"] >= 300,
          f"500 scattered writes while the child saved copied {root['copied_pages']} pages")
test.share_of(report, 0.8, "store")
test.finish()
