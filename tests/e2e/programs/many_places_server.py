"""A server that forks a worker for each request. All copy a page at each of many places, and those of
the second half of the requests many pages at one more, in a function that none has called before.
Its arguments: how many requests, how many places, and how many pages at the one."""
import os
import sys

rounds, places, pages = (int(word) for word in sys.argv[1:])
# A page each, for what is larger than 512 bytes comes from malloc().
SMALL = [bytes(4096) for _ in range(places)]
STORE = [bytes(4096) for _ in range(pages)]
FUNCTIONS = []
for place in range(places):
    names = {"SMALL": SMALL}
    exec("def copy_%d():\n    return SMALL[%d]" % (place, place), names)
    FUNCTIONS.append(names["copy_%d" % place])


def copy_many():
    for value in STORE:  # the place that copies most
        pass


for number in range(rounds):
    worker = os.fork()
    if worker == 0:
        for copy_one in FUNCTIONS:
            copy_one()
        if number >= rounds // 2:
            copy_many()
        os._exit(0)
    os.waitpid(worker, 0)
print("served")
