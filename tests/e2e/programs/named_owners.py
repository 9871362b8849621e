# named_owners.py CASE N: what owns what children read.
import gc
import os
import sys
import time
from typing import Generic, TypeVar

case, count = sys.argv[1], int(sys.argv[2])
T = TypeVar("T")


class Table(Generic[T]):
    pass


def nest(depth):
    return {"k%d" % i: nest(depth - 1) if depth else i for i in range(9)}


def trie():
    root = {}
    for i in range(count):
        at = root
        for digit in "%06d" % (i * 7919 % 1000000):
            at = at.setdefault(digit, {})
        at["end"] = str(i)
    return root


def read(tree):
    for each in tree.values():
        if isinstance(each, dict):
            read(each)


def wait_for_look():
    """Until the recorder has written what it saw of the parent's objects."""
    folder = os.environ.get("COWSCOPE_OUTPUT", ".")
    for _ in range(3000):
        if any(name.endswith(".cowown") for name in os.listdir(folder)):
            return
        time.sleep(0.01)


def in_children(action):
    children = []
    for _ in range(2):
        child = os.fork()
        if child == 0:
            action()
            wait_for_look()
            os._exit(0)
        children.append(child)
    for child in children:
        os.waitpid(child, 0)


class Late:
    """Forks once the interpreter has taken its modules down."""

    def __init__(self):
        self.calls = os.fork, os._exit, os.waitpid, time.sleep

    def __del__(self):
        fork, leave, wait, sleep = self.calls
        child = fork()
        if child == 0:
            leave(0)
        sleep(1)
        wait(child, 0)


LATE = Late() if case == "late" else None
CONFIG = nest(5) if case == "hidden" else None
TREE = trie() if case == "tree" else None


def main():
    rows = ["part number %d" % i for i in range(count)]
    in_children(lambda: [len(row) for row in rows])


if case == "hidden":
    main()
elif case == "tree":
    in_children(lambda: read(TREE))
elif case == "types":
    in_children(gc.collect)
