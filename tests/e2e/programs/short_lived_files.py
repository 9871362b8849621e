"""Files that are read, run and thrown away one after the other, as a runner of jobs has them: each is
of the length of the one before, so that all that is made of it comes to the same places. Each reads
some of the values, which lie on a page each.
Its argument: how many files. Prints at how many addresses their code objects stood."""
import os
import sys

files = int(sys.argv[1])
READS = 40
# A block of malloc's of 4096 bytes each, with its header and the object's.
values = ["%04039d" % i for i in range(READS * files)]
TEXT = "for i in range(%4d, %4d):\n    values[i]\n"
child = os.fork()
if child == 0:
    addresses = set()
    for number in range(files):
        text = TEXT % (READS * number, READS * number + READS)
        code = compile(text, "/jobs/job_%02d/main.py" % number, "exec")
        addresses.add(id(code))
        exec(code, {"values": values})
        del code
    sys.stdout.write("%d\n" % len(addresses))
    sys.stdout.flush()
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
