#!/usr/bin/python3
"""usage: test_prefix.py CMAKE BUILD PREFIX

Installs to PREFIX, a folder of the tests' own, moves it, and runs what is there.
"""

import os
import shutil
import sys
import tempfile

from installed import check_files, check_running
from support import Checks, run


def main():
    cmake, build, prefix = sys.argv[1], sys.argv[2], os.path.abspath(sys.argv[3])
    shutil.rmtree(prefix, ignore_errors=True)
    environment = {name: value for name, value in os.environ.items() if name != "DESTDIR"}
    run(cmake, "--install", build, "--prefix", prefix, env=environment)
    checks = Checks()
    shim = "lib/cowscope/libcowscope.so"
    check_files(checks, prefix, shim, "share/zsh/site-functions/_cowscope",
                "share/man/man1/cowscope.1")
    check_running(checks, prefix, shim)
    # Any prefix works, as nothing holds its name.
    with tempfile.TemporaryDirectory() as folder:
        moved = os.path.join(os.path.realpath(folder), "moved")
        shutil.copytree(prefix, moved)
        check_running(checks, moved, shim)
        # Found through a link too.
        os.makedirs(os.path.join(folder, "links"))
        link = os.path.join(folder, "links", "cowscope")
        os.symlink(os.path.join(moved, "bin", "cowscope"), link)
        checks.that(moved in run(link, "doctor", "--format", "json", check=False),
                    "a link to the program does not find the library")
    checks.finish()


main()
