"""One program for each cause of copies: python_causes.py CASE.

The parent prepares, forks one child with os.fork, and the child does what CASE says and leaves
through os._exit. What a child copies that does nothing at all is measured by the case 'idle'. Runs
on Python 3.6 and later.
"""

import gc
import marshal
import os
import sys
import threading
import types

COUNT = 60000


class Point:
    def __init__(self, x):
        self.x = x


def prepare_idle():
    return None


def do_idle(data):
    pass


# Objects of the collector's, in a cycle each or not: a collection writes before every one of them.
def prepare_collect():
    return [[i] for i in range(COUNT)]


def do_collect(data):
    gc.collect()


# Text whose hash nobody has asked for. Asked for one by one, their counts would be written first;
# the hash of a tuple asks for those of its items without counting them.
def prepare_hash():
    return tuple('%08d' % i + 'x' * 40 for i in range(COUNT))


def do_hash(data):
    hash(data)


# Functions that were never called, each with a code object of its own of many pages.
def prepare_call():
    names = {}
    exec('def function(a, b):\n' + '    a = a + b\n' * 6000, names)
    whole = marshal.dumps(names['function'].__code__)
    return [types.FunctionType(marshal.loads(whole), {}) for _ in range(COUNT // 1000)]


def do_call(data):
    for function in data:
        for _ in range(10):
            function(0, 0)


# One list for each page or so, with room to grow in place.
def prepare_append():
    lists = []
    for i in range(COUNT // 50):
        items = [None] * 400
        del items[300:]
        lists.append(items)
    return lists


def do_append(data):
    for items in data:
        for _ in range(90):
            items.append(None)


# Pools that the child inherits nearly empty.
def prepare_allocate():
    kept = [(i,) for i in range(COUNT)]
    for i in range(COUNT):
        if i % 60 != 0:
            kept[i] = None
    return kept


def do_allocate(data):
    chain = None
    for _ in range(COUNT - COUNT // 20):
        chain = (chain,)
    # A chain this long is not taken down piece by piece.
    os._exit(0)


def prepare_objects():
    return {i: Point(None) for i in range(COUNT)}


def prepare_ints():
    return {i: i + (1 << 40) for i in range(COUNT)}


def prepare_tuples():
    return {i: (None, i) for i in range(COUNT)}


def prepare_lists():
    return {i: [[None], [None]] for i in range(COUNT // 2)}


def do_read(data):
    for i in range(len(data)):
        data[i]


def do_read_lists(data):
    for i in range(len(data)):
        for inner in data[i]:
            inner


# Suspended generators, each of which goes on once.
def generate(i):
    yield i
    yield i


def prepare_generators():
    generators = [generate(i) for i in range(COUNT // 4)]
    for each in generators:
        next(each)
    return generators


def do_generators(data):
    for each in data:
        next(each)


def do_threads(data):
    half = len(data) // 2
    threads = [threading.Thread(target=read_range, args=(data, 0, half)),
               threading.Thread(target=read_range, args=(data, half, len(data)))]
    for each in threads:
        each.start()
    for each in threads:
        each.join()


def read_range(data, start, end):
    for i in range(start, end):
        data[i]


def prepare_exit():
    global kept_to_the_end
    kept_to_the_end = prepare_objects()


def do_exit(data):
    sys.exit(0)


CASES = {
    'idle': (prepare_idle, do_idle),
    'collect': (prepare_collect, do_collect),
    'hash': (prepare_hash, do_hash),
    'call': (prepare_call, do_call),
    'append': (prepare_append, do_append),
    'allocate': (prepare_allocate, do_allocate),
    'objects': (prepare_objects, do_read),
    'ints': (prepare_ints, do_read),
    'tuples': (prepare_tuples, do_read),
    'lists': (prepare_lists, do_read_lists),
    'generators': (prepare_generators, do_generators),
    'threads': (prepare_objects, do_threads),
    'exit': (prepare_exit, do_exit),
}


def main():
    prepare, do = CASES[sys.argv[1]]
    gc.disable()
    data = prepare()
    gc.collect()
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        do(data)
        os._exit(0)
    os.waitpid(child, 0)
    # Not through the interpreter's end: that is not what the case is about.
    os._exit(0)


main()
