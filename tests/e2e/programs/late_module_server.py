"""A server that forks a worker for each request. Workers of the first half of the requests read the values
of one list, those of the second half import a module, each for itself, whose function reads another.
Its arguments: how many requests, how many values, and the module's path."""
import os
import sys

rounds, values = int(sys.argv[1]), int(sys.argv[2])
EARLY = [str(number) * 3 for number in range(values)]
LATE = [str(number) * 3 for number in range(values)]


def read_early():
    for value in EARLY:
        pass


def import_late(number):
    # Other memory in each worker, so that what it imports lies elsewhere.
    padding = [bytearray(100 + number) for _ in range(50 * number)]
    with open(sys.argv[3]) as source:
        code = compile(source.read(), sys.argv[3], "exec")
    names = {"padding": padding}
    exec(code, names)
    return names["read_late"]


for number in range(rounds):
    worker = os.fork()
    if worker == 0:
        if number < rounds // 2:
            read_early()
        else:
            import_late(number)(LATE)
        os._exit(0)
    os.waitpid(worker, 0)
print("served")
