"""nginx: a master that forks workers, takes a new configuration, and ends in order."""

import os
import signal

from support import (answers, begin, command_line, descendants, get, installed, unpacked,
                     wait_until)

CONFIG = """
pid FOLDER/nginx.pid;
error_log FOLDER/error.log;
daemon off;
worker_processes 3;
events { worker_connections 64; }
http {
    access_log off;
    client_body_temp_path FOLDER/body; proxy_temp_path FOLDER/proxy;
    fastcgi_temp_path FOLDER/fastcgi; uwsgi_temp_path FOLDER/uwsgi; scgi_temp_path FOLDER/scgi;
    server {
        listen unix:FOLDER/nginx.sock;
        location / { root FOLDER; }
        location /say { return 200 "said\\n"; }
    }
}
"""


def prepare(folder):
    for name, text in (("nginx.conf", CONFIG.replace("FOLDER", folder)),
                       ("page.html", "a page\n" * 3000)):
        with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
            file.write(text)


def workers(of):
    return {pid for pid in descendants(of) if command_line(pid) == "nginx: worker process"}


def use_nginx(process, folder):
    address = os.path.join(folder, "nginx.sock")
    wait_until(lambda: os.path.exists(address) and answers(address), "nginx answers")
    first = wait_until(lambda: len(workers(process.pid)) == 3 and workers(process.pid), "3 workers")
    said = [get(address, "/page.html"), get(address, "/say"), get(address, "/missing")]
    # To what was started: nginx itself, or the recorder in its place.
    os.kill(process.pid, signal.SIGHUP)
    wait_until(lambda: len(workers(process.pid)) == 3 and not workers(process.pid) & first,
               "new workers stand in for the first")
    said += [get(address, "/page.html") for _ in range(50)]
    os.kill(process.pid, signal.SIGQUIT)
    return said


nginx = installed("nginx") or unpacked("nginx") + "/usr/sbin/nginx"
test = begin(nginx, "-v", as_nobody=True)
report = test.both("nginx", lambda folder: [nginx, "-e", f"{folder}/error.log",
                                            "-c", f"{folder}/nginx.conf", "-p", folder],
                   use_nginx, prepare, min_forks=6)
test.that(report.by_children() > 0, "workers copied nothing")
test.finish()
