"""PHP with pcntl_fork: children that read many strings write a count in each."""

from support import begin, find, skip

import subprocess

SCRIPT = """<?php
$items = [];
for ($i = 0; $i < 100000; $i++) $items[] = "item number $i of the list";
$children = [];
for ($child = 1; $child <= 3; $child++) {
    $pid = pcntl_fork();
    if ($pid < 0) exit(99);
    if ($pid == 0) {
        $length = 0;
        foreach ($items as $item) { $copy = $item; $length += strlen($copy); }
        fwrite(STDOUT, "child $child read $length\\n");
        exit($child);
    }
    $children[] = $pid;
}
foreach ($children as $pid) {
    pcntl_waitpid($pid, $status);
    echo "ended with ", pcntl_wexitstatus($status), "\\n";
}
echo shell_exec("echo from a shell");
exit(6);
"""

php = find("php")
modules = subprocess.run([php, "-m"], stdout=subprocess.PIPE, universal_newlines=True, check=True)
if "pcntl" not in modules.stdout.split():
    skip("this machine's PHP has no pcntl")
test = begin(php, "-v")
script = test.write("script.php", SCRIPT)
report = test.both("php", [php, script], status=6, min_forks=3)
test.that(report.by_children() >= 3 * 100000 * 48 / 4096,
          f"three children that read 100,000 strings of 48 bytes copied {report.by_children()} pages")
# The rest is what PHP frees at its end.
test.share_of(report, 0.7, "refcount")
test.finish()
