"""Holds data in many ways, forks one child that reads one of them, and waits for it.

    owned_data.py WHAT COUNT

Strings are made so that no two are one object.
"""
import collections
import os
import sys
import time


def make(number):
    return 'value %d' % number


class Model:
    registry = {}

    def __init__(self, number):
        self.name = make(number)
        self.tags = [make(number), make(-number)]


class Slotted:
    __slots__ = ('first', 'second')

    def __init__(self, number):
        self.first = make(number)
        self.second = make(-number)


class Settings:
    pass


what, count = sys.argv[1], int(sys.argv[2])
STORE = {}
rows = []
queue = collections.deque()
members = set()
settings = Settings()
index = {}


def read(strings):
    total = 0
    for text in strings:
        total += len(text)
    return total


def children(work):
    """Waits for a child that does the work, and so reads what it shares with this process."""
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        work()
        time.sleep(0.3)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0


def pages_of(strings):
    pages = set()
    for text in strings:
        start = id(text)
        pages.update((start // 4096, (start + sys.getsizeof(text) - 1) // 4096))
    return pages


def of_function():
    local = [make(number) for number in range(count)]
    children(lambda: read(local))


if what == 'nested':
    STORE['users'] = [make(number) for number in range(count)]
    children(lambda: read(STORE['users']))
elif what == 'class':
    Model.registry.update((number, make(number)) for number in range(count))
    children(lambda: read(Model.registry.values()))
elif what == 'instances':
    rows.extend(Model(number) for number in range(count))
    children(lambda: read(row.name for row in rows))
elif what == 'lists':
    rows.extend(Model(number) for number in range(count))
    children(lambda: [read(row.tags) for row in rows])
elif what == 'slots':
    rows.extend(Slotted(number) for number in range(count))
    children(lambda: read(row.first for row in rows))
elif what == 'attributes':
    for number in range(count):
        setattr(settings, 'attribute %d' % number, make(number))
    children(lambda: read(vars(settings).values()))
elif what == 'tuples':
    rows.extend((make(number), number) for number in range(count))
    children(lambda: read(row[0] for row in rows))
elif what == 'deque':
    queue.extend(make(number) for number in range(count))
    children(lambda: read(queue))
elif what == 'set':
    members.update(make(number) for number in range(count))
    children(lambda: read(members))
elif what == 'keys':
    index.update((make(number), number) for number in range(count))
    children(lambda: read(index))
elif what == 'mixed':
    # Many values that refer to nothing, and some that do.
    lists = range(0, 2 * count, 4)
    index.update(('%06d' % number, make(number)) for number in range(2 * count))
    for number in lists:
        index['%06d' % number] = [make(number), make(-number)]
    children(lambda: [read(index['%06d' % number]) for number in lists])
elif what == 'beside':
    index.update(('%06d' % number, make(number)) for number in range(count))
    # Those of the values, and those of them that hold keys as well.
    values = pages_of(index.values())
    print('%d %d' % (len(values), len(values & pages_of(index))))
    children(lambda: read(index.values()))
elif what == 'local':
    of_function()
