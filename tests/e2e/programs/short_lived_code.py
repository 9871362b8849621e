"""Functions that are made, run and thrown away one after the other: the code object of one comes to
where the last one's was, and runs in the frame where that one ran. Each reads some of the values, which
lie on a page each, in a line of its own, and then in a second one as many more.
Its argument: how many functions. Prints at how many addresses their code objects stood."""
import marshal
import os
import sys
import types

functions = int(sys.argv[1])
READS = 40
# A block of malloc's of 4096 bytes each, with its header and the object's.
values = ["%04039d" % i for i in range(2 * READS * functions)]
SOURCE = """def reader_%d(values, first, behind):
%s    for i in range(first, behind):
        values[i]
    for i in range(first + %d, behind + %d):
        values[i]
"""


def make(number):
    names = {}
    lines = "\n" * number
    exec(compile(SOURCE % (number, lines, READS, READS), "made.py", "exec"), names)
    return marshal.dumps(names["reader_%d" % number].__code__)


# Whoever compiles takes the room for something else.
made = [make(number) for number in range(functions)]
child = os.fork()
if child == 0:
    addresses = set()
    for number in range(functions):
        code = marshal.loads(made[number])
        addresses.add(id(code))
        types.FunctionType(code, {"range": range})(values, 2 * READS * number,
                                                   2 * READS * number + READS)
        del code
    sys.stdout.write("%d\n" % len(addresses))
    sys.stdout.flush()
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
