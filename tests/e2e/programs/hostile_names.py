"""Forks with names that steer a terminal, turn text around, divide lines or are no UTF-8: of types,
functions, files, variables, keys, values, arguments and the process itself."""
import os
import sys

NAMES = [
    "\x1b]0;pwn\x07\x1b[31m",
    "\u009b31m\u009d0;pwn\u009c",
    "\u202epwn.exe\u2066",
    "pwn\u2028\u2029\u200b\ufeff\U000e0001",
    "pwn\ud800",
    "pwn\na\tb\rc",
]

if len(sys.argv) == 1:
    bad = [name.encode("utf-8", "surrogatepass") for name in NAMES] + [b"pwn\xff\xc0\xaf"]
    os.execv(sys.executable, [sys.executable, __file__, *bad])


def reader(name):
    def read(objects):
        kept = []
        for each in objects:
            kept.append(each)
        return kept

    read.__code__ = read.__code__.replace(co_name=name, co_filename="/tmp/" + name)
    return read


STORE = {}
work = []
for name in NAMES:
    kind = type(name.encode("utf-8", "replace").decode(), (), {})
    STORE[name] = [kind() for _ in range(5000)]
    globals()[name] = [name + str(i) for i in range(5000)]
    work += [(reader(name), STORE[name]), (reader(name), globals()[name])]

child = os.fork()
if child == 0:
    with open("/proc/self/comm", "w") as comm:
        comm.write("\x1b[2Jpwn")
    kept = [read(objects) for read, objects in work]
    os._exit(0)
os.waitpid(child, 0)
