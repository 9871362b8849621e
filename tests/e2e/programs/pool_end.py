"""Ends a multiprocessing.Pool while its workers live, and tells as JSON what each of them wrote.

    pool_end.py HOW PAGES WORKERS

Each worker writes PAGES pages of memory that it shares with its parent and with the other workers.
HOW: terminate (in the middle of their work) or with (the end of a `with Pool()` block).
"""
import ctypes
import json
import mmap
import multiprocessing
import sys
import time

PAGE_BYTES = 4096


def write_pages():
    for page in range(pages):
        memory[page * PAGE_BYTES] = 2
    with written.get_lock():
        pids[written.value] = multiprocessing.current_process().pid
        written.value += 1


def wait_for_all():
    while written.value < workers:
        time.sleep(0.001)


how, pages, workers = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
memory = mmap.mmap(-1, pages * PAGE_BYTES, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
for each in range(pages):
    memory[each * PAGE_BYTES] = 1
start = ctypes.addressof(ctypes.c_char.from_buffer(memory))
written = multiprocessing.Value("i", 0)
pids = multiprocessing.Array("i", workers)

if how == "terminate":
    pool = multiprocessing.Pool(workers, initializer=write_pages)
    for each in range(workers):
        pool.apply_async(time.sleep, (60,))
    wait_for_all()
    pool.terminate()
    pool.join()
else:
    with multiprocessing.Pool(workers, initializer=write_pages) as pool:
        wait_for_all()
    pool.join()
print(json.dumps({"start": start, "pages": pages, "pids": list(pids)}))
