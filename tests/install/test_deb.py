#!/usr/bin/python3
"""usage: test_deb.py CPACK BUILD FOLDER VERSION

Makes the Debian package in FOLDER, a folder of the tests' own, holds what it says of itself against
what it has, unpacks it and runs what is there.
"""

import glob
import gzip
import os
import re
import shutil
import subprocess
import sys

from installed import check_files, check_running
from support import Checks, need, run


def libraries(file):
    return set(re.findall(r"\(NEEDED\).*\[(.*)\]", run("readelf", "-d", file)))


def package_of(library):
    """The package whose file the dynamic linker would take."""
    listed = run("/sbin/ldconfig", "-p")
    path = re.search(rf"^\s*{re.escape(library)} \(libc6,x86-64.*=> (.*)$", listed, re.MULTILINE)
    # dpkg knows some of them below /lib, some below /usr/lib.
    for name in (path.group(1), os.path.realpath(path.group(1)), path.group(1).replace("/usr", "", 1),
                 "*/" + os.path.basename(os.path.realpath(path.group(1)))):
        done = subprocess.run(["dpkg", "-S", name], stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, universal_newlines=True)
        if done.returncode == 0:
            return done.stdout.split(":")[0]
    return f"(the package of {library})"


def main():
    cpack, build, folder, version = sys.argv[1:]
    folder = os.path.abspath(folder)
    need("dpkg-deb", "dpkg-shlibdeps", "dpkg-parsechangelog", "readelf")
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    # Whatever the umask.
    os.umask(0o077)
    run(cpack, "-G", "DEB", "--config", os.path.join(build, "CPackConfig.cmake"), "-B", folder,
        cwd=folder)
    packages = glob.glob(os.path.join(folder, "*.deb"))
    checks = Checks()
    checks.equal([os.path.basename(each) for each in packages], [f"cowscope_{version}_amd64.deb"],
                 "packages")
    field = lambda name: run("dpkg-deb", "-f", packages[0], name).rstrip("\n")
    for name, expected in (("Package", "cowscope"), ("Version", version), ("Section", "devel"),
                           ("Priority", "optional"), ("Architecture", "amd64")):
        checks.equal([field(name)], [expected], name)
    checks.that(field("Maintainer") != "", "no maintainer")
    description = field("Description").split("\n")
    checks.that(len(description[0]) <= 80 and len(description) > 3, f"description: {description}")
    for line in description[1:]:
        checks.that(line.startswith(" ") and len(line) <= 80, f"description: '{line}'")

    control = os.path.join(folder, "control")
    run("dpkg-deb", "-e", packages[0], control)
    checks.equal(set(os.listdir(control)) - {"control", "md5sums"}, [], "scripts of the package")
    for line in run("dpkg-deb", "-c", packages[0]).splitlines():
        mode, owner, name = line.split()[0], line.split()[1], line.split()[5]
        right = {"d": "drwxr-xr-x", "l": "lrwxrwxrwx"}.get(
            mode[0], "-rwxr-xr-x" if name.startswith("./usr/bin/") else "-rw-r--r--")
        checks.that(mode == right and owner == "root/root", f"{mode} {owner} {name}, not {right}")

    root = os.path.join(folder, "root")
    run("dpkg-deb", "-x", packages[0], root)
    usr = os.path.join(root, "usr")
    shim = "lib/x86_64-linux-gnu/cowscope/libcowscope.so"
    check_files(checks, usr, shim, "share/zsh/vendor-completions/_cowscope",
                "share/man/man1/cowscope.1.gz")
    depends = {each.split()[0] for each in field("Depends").split(", ")}
    for library in libraries(os.path.join(usr, "bin/cowscope")) | libraries(os.path.join(usr, shim)):
        package = package_of(library)
        checks.that(package in depends, f"{library} is {package}'s, and that is not in {depends}")
    with gzip.open(os.path.join(usr, "share/doc/cowscope/changelog.gz"), "rt") as stream:
        changelog = os.path.join(folder, "changelog")
        with open(changelog, "w", encoding="utf-8") as copy:
            copy.write(stream.read())
    checks.equal([run("dpkg-parsechangelog", "-l", changelog, "-S", "Version").strip()], [version],
                 "newest version of the changelog")
    checks.equal([run("dpkg-parsechangelog", "-l", changelog, "-S", "Maintainer").strip()],
                 [field("Maintainer")], "who signed it")
    check_running(checks, usr, shim)
    checks.finish()


main()
