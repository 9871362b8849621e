"""GCC that builds a small project with `make -j`: the same files come out."""

import hashlib
import os

from support import begin, find

MAKEFILE = """
objects = $(patsubst %.c,%.o,$(wildcard *.c))
all: program said.txt
program: $(objects)
\tgcc -O2 -o $@ $(objects)
said.txt: program
\t./program > $@; echo "ended with $$?" >> $@
%.o: %.c
\tgcc -O2 -g -Wall -pipe -c -o $@ $<
"""


def prepare(folder):
    for number in range(6):
        with open(os.path.join(folder, f"part{number}.c"), "w", encoding="utf-8") as file:
            file.write("#include <stdio.h>\n#include <stdlib.h>\n"
                       f"int part{number}(int n) {{ return printf(\"part {number} %d\\n\", n); }}\n")
    with open(os.path.join(folder, "main.c"), "w", encoding="utf-8") as file:
        file.write("".join(f"int part{n}(int);\n" for n in range(6)) + "int main(void) {\n" +
                   "".join(f"part{n}({n});\n" for n in range(6)) + "return 14; }\n")
    with open(os.path.join(folder, "Makefile"), "w", encoding="utf-8") as file:
        file.write(MAKEFILE)


def what_it_built(process, folder):
    process.wait(60)
    found = {}
    for name in sorted(os.listdir(folder)):
        with open(os.path.join(folder, name), "rb") as file:
            found[name] = hashlib.sha256(file.read()).hexdigest()
    with open(os.path.join(folder, "said.txt"), encoding="utf-8") as file:
        return found, file.read()


make = find("make")
gcc = find("gcc")
test = begin(gcc, "--version")
report = test.both("make", [make, "-j3"], what_it_built, prepare)
test.that(report.totals["processes"] >= 7 * 3, "not every compiler and assembler is in the report")
# A recipe that fails stops the build with the status of make's own.
test.both("make fails", [make, "-f", test.write("Wrong", "all: a b\na:\n\tfalse\nb:\n\ttrue\n")],
          status=2)
test.finish()
