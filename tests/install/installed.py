"""What has to hold of an installed cowscope, wherever it was put."""

import json
import os
import subprocess
import tempfile

from support import run


def check_files(checks, root, shim, completion_of_zsh, manual):
    """`root`: what stands for /usr."""
    for path in ("bin/cowscope", shim, manual, completion_of_zsh,
                 "share/bash-completion/completions/cowscope",
                 "share/fish/vendor_completions.d/cowscope.fish",
                 "share/doc/cowscope/README.md", "share/doc/cowscope/LICENSE",
                 "share/doc/cowscope/copyright", "share/doc/cowscope/docs/causes.md",
                 "share/doc/cowscope/examples/workloads/python/string_map.py"):
        checks.that(os.path.isfile(os.path.join(root, path)), f"{path} is missing")


def check_running(checks, root, shim):
    """Records a shell with two children, with that program and that library."""
    program = os.path.join(root, "bin", "cowscope")
    environment = {name: value for name, value in os.environ.items()
                   if not name.startswith("COWSCOPE_") and name != "LD_PRELOAD"}
    done = subprocess.run([program, "doctor", "--format", "json"], stdout=subprocess.PIPE,
                          env=environment, universal_newlines=True)
    found = json.loads(done.stdout)["shim"]["path"]
    checks.equal([found], [os.path.join(root, shim)], "the library that is found")
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [program, "run", "-o", "demo.cow", "--", "bash", "-c", "(:); (x=1); echo done; exit 7"],
            cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            universal_newlines=True)
        checks.that(done.returncode == 7, f"status {done.returncode}, not the program's: {done.stderr}")
        checks.that(done.stdout == "done\n", f"output that is not the program's: {done.stdout}")
        checks.that("\nProcesses\n" in done.stderr, f"no report: {done.stderr}")
        report = json.loads(run(program, "report", "demo.cow", "--format", "json", cwd=folder))
        roles = [process["role"] for process in report["processes"]]
        checks.equal(roles, ["root", "fork", "fork"], "recorded processes")
        if report["tracker"] != "off":
            checks.that(report["totals"]["copied_pages"] > 0, "no page was copied")
        run(program, "html", "demo.cow", cwd=folder, stdin=subprocess.DEVNULL)
        with open(os.path.join(folder, "demo.html"), encoding="utf-8") as page:
            checks.that(page.read().lower().startswith("<!doctype html>"), "the page is no page")
