"""A call that Python never returns from, after which C goes on, writes and ends (abandoned_calls.cpp).
Arguments: the library, and which of its functions. Prints the child's status."""
import ctypes
import mmap
import os
import sys

PAGES = 200
library = ctypes.PyDLL(sys.argv[1])
run = getattr(library, sys.argv[2])
leave = library.leave_by_jump if sys.argv[2] == "call_and_jump_out" else library.leave_stack
Called = ctypes.PYFUNCTYPE(None)
run.argtypes = [Called, ctypes.c_void_p, ctypes.c_long]
memory = mmap.mmap(-1, 4096 * PAGES, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
for page in range(PAGES):
    memory[4096 * page] = 1
start = ctypes.addressof(ctypes.c_char.from_buffer(memory))


def write_and_leave():
    for page in range(PAGES // 2, PAGES):
        memory[4096 * page] = 3
    leave()


called = Called(write_and_leave)
child = os.fork()
if child == 0:
    run(called, start, PAGES // 2)
    os._exit(1)
sys.stdout.write("%d\n" % os.waitpid(child, 0)[1])
