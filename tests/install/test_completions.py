#!/usr/bin/python3
"""usage: test_completions.py SHELL PREFIX

What that shell offers for cowscope as installed in PREFIX, against what the program says it takes.
"""

import os
import sys
import tempfile

from shells import PROBE, SHELLS
from support import Checks, Program, need, skip


def bare(offered, line=""):
    """Offers without the sign or slash behind them, nor the option before them."""
    option = line.split(" ")[-1].split("=")[0] + "=" if "=" in line else ""
    return {(each[len(option):] if option and each.startswith(option) else each).rstrip("=/")
            for each in offered}


def main():
    name, prefix = sys.argv[1], os.path.abspath(sys.argv[2])
    kind = SHELLS[name]
    need(*kind.needs)
    if kind.file and not os.path.exists(kind.file):
        skip(f"this machine has no {kind.file}")
    program = Program(os.path.join(prefix, "bin", "cowscope"))
    checks = Checks()

    with tempfile.TemporaryDirectory() as folder:
        home, work = os.path.join(folder, "home"), os.path.join(folder, "work")
        os.mkdir(home)
        os.makedirs(os.path.join(work, "demo.cow"))
        os.makedirs(os.path.join(work, "other", "inner.cow"))
        for file in ("demo.cow/process-1234-567.cowseg", "other/notes", "page.html"):
            with open(os.path.join(work, file), "w", encoding="utf-8"):
                pass
        shell = kind(prefix, home)

        def offered(line, where=work):
            return bare(shell.offers(line, where), line)

        def check(line, expected, where=work):
            checks.equal(offered(line, where), set(expected), f"{name}, '{line}'")

        check("cowscope ", program.commands())
        check("cowscope re", [each for each in program.commands() if each.startswith("re")])
        check("cowscope -", [each for option in program.options() for each in option.names])

        for command in program.commands():
            options = program.options(command)
            names = [each for option in options for each in option.names]
            check(f"cowscope {command} -", names)
            check(f"cowscope {command} --", [each for each in names if each.startswith("--")])
            for option in options:
                choices = program.choices(command, option)
                if choices:
                    long = option.names[-1]
                    check(f"cowscope {command} {long} ", choices)
                    check(f"cowscope {command} {long}=", choices)
            if program.takes_trace(command):
                check(f"cowscope {command} ", ["demo.cow"])
                check(f"cowscope {command} o", ["other"])
                check(f"cowscope {command} other/", ["other/inner.cow"])
        # zsh has options for where nothing else can stand.
        files = [each for each in offered("cowscope doctor ") if not each.startswith("-")]
        checks.equal(files, [], f"{name}, doctor takes no file")
        check("cowscope report demo.cow --process ", ["1234"])
        check("cowscope html demo.cow -o pa", ["page.html"])
        check("cowscope record -o oth", ["other"])

        own = ["--frob", "--nicate"]
        for command in ("run", "record"):
            check(f"cowscope {command} {PROBE[:-1]}", [PROBE])
            check(f"cowscope {command} -- {PROBE[:-1]}", [PROBE])
            check(f"cowscope {command} -o out --tracker off {PROBE[:-1]}", [PROBE])
            check(f"cowscope {command} {PROBE} --", own)
            check(f"cowscope {command} -- {PROBE} --", own)
            check(f"cowscope {command} -- {PROBE} -", own)
            check(f"cowscope {command} --quiet --sample 2 -o out -- {PROBE} --f", ["--frob"])
            check(f"cowscope {command} --tracker=off -oout {PROBE} --f", ["--frob"])
            check(f"cowscope {command} --tracker off --wit", ["--witness"])
    checks.finish()


main()
