#!/usr/bin/python3
"""usage: test_manual.py COWSCOPE cowscope.1

Holds the manual page against what the program says of itself, both ways, and the help texts
against 80 columns.
"""

import re
import shutil
import subprocess
import sys

from support import Checks, Program, skip


def words_of(line):
    """The words of a line of mdoc as they are printed."""
    text = ""
    for macro, word in re.findall(r"(?:(\bFl|\bNs|\bAr|\bCm)(?= |$))|(\S+)", line):
        if macro == "Fl":
            text += " -"
        elif macro == "Ns":
            text += "\0"
        elif word:
            text += word if text.endswith(" -") else (word if word == "," else " " + word)
    return re.sub(r" ?\0 ?", "", text).strip()


def sections_of(page):
    """The options' terms and the texts by command; "" has those of all."""
    terms, texts, names = {}, {}, [""]
    for line in page.splitlines():
        if line.startswith(".Sh "):
            names = [""]
        elif line.startswith(".Ss "):
            names = line[4:].split(" and ")
        for name in names:
            texts[name] = texts.get(name, "") + line + "\n"
            if line.startswith(".It Fl "):
                terms.setdefault(name, []).append(words_of(line[4:]))
    return terms, texts


def main():
    program, path = Program(sys.argv[1]), sys.argv[2]
    with open(path, encoding="utf-8") as stream:
        page = stream.read()
    checks = Checks()
    terms, texts = sections_of(page)
    checks.equal([name for name in texts if name], program.commands(), "commands of the page")
    checks.equal(terms[""], [option.term for option in program.options()], "general options")
    synopsis = re.findall(r"^\.Cm (\w+)", page.split(".Sh SYNOPSIS")[1].split(".Sh")[0], re.MULTILINE)
    # html has two lines: it shows one trace, or what changed between two.
    checks.equal(sorted(set(synopsis)), sorted(program.commands()), "commands of the synopsis")
    for command in program.commands():
        options = [each for each in program.options(command) if "--help" not in each.names]
        checks.equal(terms.get(command, []), [each.term for each in options], f"{command}'s options")
        for option in options:
            said = set(re.findall(r"[\w-]+", texts[command]))
            missing = set(program.choices(command, option)) - said
            checks.that(not missing, f"{command} {option.term} does not say {missing}")

    mentioned = set(re.findall(r"COWSCOPE_\w+", "".join(map(program.help, program.commands()))))
    variables = set(re.findall(r"^\.It Ev (COWSCOPE_\w+)", page, re.MULTILINE))
    checks.equal(variables - {"COWSCOPE_SHIM", "COWSCOPE_RECORDER", "COWSCOPE_FILTERS"}, mentioned, "environment variables")

    for command in [None] + program.commands():
        text = program.help(command)
        for line in text.splitlines():
            checks.that(len(line) <= 80, f"help of {command}, over 80 columns: {line}")
        checks.that(re.search(r"^Examples:\n  ", text, re.MULTILINE), f"help of {command}: no examples")

    if shutil.which("groff"):
        done = subprocess.run(["groff", "-ww", "-mandoc", "-z", "-Tutf8", path],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True)
        checks.that(done.returncode == 0 and not done.stdout, f"groff: {done.stdout}")
    elif not checks.wrong:
        skip(f"no groff to format the page with ({checks.made} other checks are right)")
    checks.finish()


main()
