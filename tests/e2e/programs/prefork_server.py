"""A server that forks a worker for each request. Each reads the values of a list that it shares
with the server. Its arguments: how many requests, and how many values."""
import os
import sys

rounds, values = int(sys.argv[1]), int(sys.argv[2])
STORE = [str(number) * 3 for number in range(values)]


def read_all():
    total = 0
    for value in STORE:  # the line that copies
        total += len(value)
    return total


for _ in range(rounds):
    worker = os.fork()
    if worker == 0:
        read_all()
        os._exit(0)
    os.waitpid(worker, 0)
print("served")
