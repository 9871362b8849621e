"""Apache with mpm_prefork, and a CGI script that it forks."""

import os
import signal

from support import answers, begin, find, free_port, get, wait_until

CONFIG = """
ServerRoot FOLDER
ServerName localhost
Listen 127.0.0.1:PORT
PidFile FOLDER/httpd.pid
ErrorLog FOLDER/error.log
DefaultRuntimeDir FOLDER
LoadModule mpm_prefork_module MODULES/mod_mpm_prefork.so
LoadModule authz_core_module MODULES/mod_authz_core.so
LoadModule dir_module MODULES/mod_dir.so
LoadModule cgi_module MODULES/mod_cgi.so
LoadModule alias_module MODULES/mod_alias.so
StartServers 4
MinSpareServers 2
MaxSpareServers 6
MaxRequestWorkers 8
MaxConnectionsPerChild 20
DocumentRoot FOLDER/pages
ScriptAlias /cgi/ FOLDER/cgi/
"""
MODULES = "/usr/lib/apache2/modules"
port = free_port()


def prepare(folder):
    for name in ("pages", "cgi"):
        os.mkdir(os.path.join(folder, name), 0o755)
    for name, text in (("httpd.conf", CONFIG.replace("FOLDER", folder).replace("PORT", str(port))
                        .replace("MODULES", MODULES)),
                       ("pages/index.html", "a page\n" * 3000),
                       ("cgi/script", "#!/bin/sh\necho Content-Type: text/plain\necho\n"
                                      "echo \"$QUERY_STRING\" | tr a-z A-Z\n")):
        path = os.path.join(folder, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(path, 0o755)


def use_apache(process, folder):
    wait_until(lambda: answers(port), "apache answers")
    said = []
    for number in range(60):
        said.append(get(port, "/index.html"))
        if number % 10 == 0:
            said.append(get(port, f"/cgi/script?query-{number}"))
    with open(os.path.join(folder, "httpd.pid"), encoding="utf-8") as file:
        os.kill(int(file.read()), signal.SIGTERM)
    return said


apache = find("apache2")
test = begin(apache, "-v", as_nobody=True)
report = test.both("apache", lambda folder: [apache, "-DFOREGROUND",
                                             "-f", f"{folder}/httpd.conf"],
                   use_apache, prepare, min_forks=4)
test.that(report.by_children() > 0, "children copied nothing")
test.finish()
