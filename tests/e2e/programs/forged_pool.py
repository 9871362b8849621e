"""Memory that looks like a pool of CPython's allocator, with a page that nobody can read, is written by
a child. Prints the child's status."""
import ctypes
import mmap
import os
import struct
import sys

PAGE = 4096
POOL = 4 * PAGE
BLOCK = 512
libc = ctypes.CDLL(None, use_errno=True)
libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
memory = mmap.mmap(-1, 2 * POOL, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
for page in range(2 * POOL // PAGE):
    memory[PAGE * page] = 1
start = ctypes.addressof(ctypes.c_char.from_buffer(memory))
pool = (start + POOL - 1) & ~(POOL - 1)
# struct pool_header (pycore_obmalloc.h): blocks in use, free block, next, previous; arena, size class,
# offsets of the next and of the last block.
header = struct.pack("<QQQQIIII", 5, 0, 0, 0, 0, BLOCK // 16 - 1, POOL - BLOCK, POOL - BLOCK)
ctypes.memmove(pool, header, len(header))
if libc.mprotect(pool + PAGE, PAGE, 0) != 0:
    sys.exit(2)
child = os.fork()
if child == 0:
    # Blocks that begin on the page that nobody can read, and one that ends there.
    ctypes.memset(pool + 2 * PAGE + 4, 7, 1)
    ctypes.memset(pool + PAGE - 3, 7, 1)
    ctypes.memset(pool + 3 * PAGE + 9, 7, 1)
    os._exit(7)
sys.stdout.write("%d\n" % os.waitpid(child, 0)[1])
