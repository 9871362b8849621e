# short_lived_types.py N: three classes, each freed before the next is made, so that they stand at
# one address; instances of each are written while a child shares them. Prints the addresses.
import gc
import os
import sys

count = int(sys.argv[1])


def with_child(action):
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(write_end)
        os.read(read_end, 1)
        os._exit(0)
    os.close(read_end)
    action()
    os.close(write_end)
    os.waitpid(child, 0)


def make(name):
    return type(name, (), {"__slots__": ("a", "b", "c", "d"), "__module__": "app"})


def touch(objects):
    for each in objects:
        each.a = 1


addresses = []
for name in ("Alpha", "Gamma", "Delta"):
    made = make(name)
    addresses.append(id(made))
    objects = [made() for _ in range(count)]
    for each in objects:
        each.a = None
    with_child(lambda: touch(objects))
    del objects, made
    gc.collect()
print(*addresses)
