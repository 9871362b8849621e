"""What the tests of the installed program share. What it takes is asked of the program itself."""

import os
import re
import shutil
import subprocess
import sys

SKIPPED = 77


def skip(reason):
    print(f"SKIPPED: {reason}", flush=True)
    sys.exit(SKIPPED)


def need(*tools):
    for tool in tools:
        if shutil.which(tool) is None:
            skip(f"this machine has no {tool}")


def run(*command, check=True, **options):
    """What a command printed; where it fails, the end of the test."""
    done = subprocess.run(list(command), stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, universal_newlines=True, **options)
    if check and done.returncode != 0:
        sys.exit(f"{command} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


class Checks:
    """Counts what is wrong, and ends the test with it."""

    def __init__(self):
        self.made = 0
        self.wrong = 0

    def that(self, holds, message):
        self.made += 1
        if not holds:
            self.wrong += 1
            print(f"WRONG: {message}", flush=True)

    def equal(self, found, expected, what):
        found, expected = sorted(found), sorted(expected)
        self.that(found == expected, f"{what}: {found}, expected {expected}")

    def finish(self):
        print(f"{self.made} checks, {self.wrong} wrong")
        sys.exit(1 if self.wrong or not self.made else 0)


class Option:
    def __init__(self, term):
        parts = term.replace(",", "").split()
        self.names = [part for part in parts if part.startswith("-")]
        self.value = " ".join(part for part in parts if not part.startswith("-"))
        self.term = term


class Program:
    def __init__(self, path):
        self.path = os.path.abspath(path)

    def help(self, command=None):
        return run(self.path, *([command] if command else []), "-h")

    def commands(self):
        listed = self.help().split("Commands:\n")[1].split("\n\n")[0]
        return re.findall(r"^  (\w+)", listed, re.MULTILINE)

    def options(self, command=None):
        return [Option(term) for term in
                re.findall(r"^  (-.*?)(?:  .*)?$", self.help(command), re.MULTILINE)]

    def takes_trace(self, command):
        return re.search(r"^  (TRACE|BEFORE) ", self.help(command), re.MULTILINE) is not None

    def choices(self, command, option):
        """The words among which the value of an option is, as the program's error lists them."""
        if not option.value or "-o" in option.names:
            return []
        wrong = option.value.replace("CAUSE", "?").replace("SIZE", "1") if "=" in option.value else "?"
        words = {"run": ["true"], "record": ["true"], "doctor": [], "diff": ["x", "y"]}
        done = subprocess.run(
            [self.path, command, option.names[-1], wrong, *words.get(command, ["x"])],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True)
        error = re.search(r"unknown (?:value|cause) '\?'; valid are (.*)", done.stderr)
        listed = re.split(", | and ", error.group(1)) if error else []
        choices = [word for word in listed if re.fullmatch("[a-z][a-z-]*", word)]
        if option.value in ("NAME", "WHAT", "FORMAT") and not choices:
            sys.exit(f"{command} {option.term}: no choices in: {done.stderr}")
        return choices
