"""Forks with names that would break a page that took them for HTML or for text in UTF-8."""
import os
import sys

NAME = "</script><img src=x onerror='window.broken=1'>\u2028&lt;"

if len(sys.argv) == 1:
    os.execv(sys.executable, [sys.executable, __file__, NAME, b"\xff\xfe\xed\xa0\x80"])


def read(values):
    total = 0
    for value in values:
        total += len(value)
    return total


values = [NAME + str(i) for i in range(50000)]
globals()[NAME] = values
read.__code__ = read.__code__.replace(co_name=NAME, co_filename="/tmp/" + NAME)
child = os.fork()
if child == 0:
    read(values)
    os._exit(0)
os.waitpid(child, 0)
