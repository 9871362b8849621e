#!/usr/bin/env python3
"""Children of os.fork() read every value of a dict. Writes, as JSON, on which pages the values start:
reading one writes its reference count, which is an object's first word in CPython.

usage: dict_reader.py ENTRIES CHILDREN TRUTH_FILE
"""

import gc
import json
import os
import sys

PAGE = 4096


def read(values_by_key):
    length = 0
    for number in range(len(values_by_key)):
        value = values_by_key[str(number)]
        length += len(value)
    return length


def main():
    entries, children = int(sys.argv[1]), int(sys.argv[2])
    # Contents that differ, so that every value is an object of its own.
    values_by_key = {str(number): 'value %d' % number for number in range(entries)}
    pages = sorted({id(value) // PAGE * PAGE for value in values_by_key.values()})
    # The collector writes to the objects that it visits, strings it does not visit.
    gc.collect()
    pids = []
    for _ in range(children):
        pid = os.fork()
        if pid == 0:
            os._exit(0 if read(values_by_key) > 0 else 1)
        pids.append(pid)
    status = 0
    for pid in pids:
        status |= os.waitpid(pid, 0)[1]
    addresses = ['%#x' % page for page in pages]
    with open(sys.argv[3], 'w') as file:
        json.dump({'children': [{'pid': pid, 'pages': addresses} for pid in pids]}, file)
    return 1 if status else 0


if __name__ == '__main__':
    sys.exit(main())
