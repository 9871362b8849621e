"""Puma: a Ruby server that forks workers after it has loaded the application."""

import os
import signal

from support import answers, begin, find, get, wait_until

PUMA = """
workers 2
threads 1, 2
preload_app!
app do |env|
  body = "page #{env['PATH_INFO']} of worker\\n"
  [200, { "Content-Type" => "text/plain" }, [body]]
end
"""


def use_puma(process, folder):
    address = os.path.join(folder, "puma.sock")
    wait_until(lambda: os.path.exists(address) and answers(address), "puma answers")
    with open(os.path.join(folder, "log"), encoding="utf-8") as log:
        booted = []
        wait_until(lambda: booted.append(log.read()) or "".join(booted).count("booted") == 2,
                   "both workers have booted")
    pages = [get(address, f"/{number}").splitlines()[-1] for number in range(20)]
    with open(os.path.join(folder, "pid"), encoding="utf-8") as file:
        os.kill(int(file.read()), signal.SIGTERM)
    return pages


puma = find("puma")
test = begin(puma, "--version")
config = test.write("puma.rb", PUMA)
report = test.both("puma", lambda folder: [
    puma, "-C", config, "-b", f"unix://{folder}/puma.sock", "--pidfile", f"{folder}/pid",
    "--redirect-stdout", f"{folder}/log", "--redirect-stderr", f"{folder}/errors"],
    use_puma, status=128 + signal.SIGTERM, min_forks=2)
test.finish()
