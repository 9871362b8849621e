"""What each shell offers on a line, asked of the shell itself."""

import os
import pty
import re
import select
import shlex
import subprocess
import sys
import time

# A program with a completion of its own: --frob and --nicate.
PROBE = "cowprobe"


class Shell:
    def __init__(self, prefix, home):
        self.home = home
        programs = os.path.join(home, "bin")
        os.mkdir(programs)
        path = os.path.join(programs, PROBE)
        with open(path, "w", encoding="utf-8") as stream:
            stream.write("#!/bin/sh\n")
        os.chmod(path, 0o755)
        # The completions are found where they are installed, as users have them.
        self.share = os.path.join(prefix, "share")
        self.environment = {
            "PATH": f"{programs}:{prefix}/bin:/usr/bin:/bin", "HOME": home, "XDG_CONFIG_HOME": home,
            "XDG_DATA_DIRS": f"{self.share}:/usr/share", "LC_ALL": "C.UTF-8", "TERM": "dumb",
            "ZDOTDIR": home, "OFFERED": os.path.join(home, "offered"),
        }

    def write(self, name, text):
        path = os.path.join(self.home, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as stream:
            stream.write(text)
        return path


class Bash(Shell):
    needs = ["bash"]
    file = "/usr/share/bash-completion/bash_completion"

    def __init__(self, prefix, home):
        super().__init__(prefix, home)
        self.script = self.write("complete", f"""
            source {self.file}
            complete -W '--frob --nicate' {PROBE}
            # Only a real prompt has options to set.
            compopt() {{ :; }}
            loader=$(complete -p -D)
            loader=${{loader#*-F }}
            ${{loader%% *}} cowscope
            function=$(complete -p cowscope) || exit
            function=${{function#*-F }}
            COMP_LINE=$1 COMP_POINT=${{#1}} COMP_TYPE=9 COMP_KEY=9
            shift
            COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
            ${{function%% *}} cowscope "${{COMP_WORDS[-1]}}" "${{COMP_WORDS[-2]}}"
            printf '%s\\n' "${{COMPREPLY[@]}}"
            """)

    def offers(self, line, folder):
        # As readline splits it: COMP_WORDBREAKS has the sign.
        words = [part for word in line.split(" ") for part in re.findall("=|[^=]+", word) or [""]]
        done = subprocess.run(["bash", "--norc", self.script, line, *words], cwd=folder,
                              env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              universal_newlines=True)
        if done.stderr:
            sys.exit(f"bash, on '{line}': {done.stderr}")
        return [each for each in done.stdout.splitlines() if each]


class Fish(Shell):
    needs = ["fish"]
    file = None

    def __init__(self, prefix, home):
        super().__init__(prefix, home)
        self.write("fish/config.fish", f"complete -c {PROBE} -f -l frob\n"
                                       f"complete -c {PROBE} -f -l nicate\n")

    def offers(self, line, folder):
        done = subprocess.run(["fish", "-c", f"complete -C {shlex.quote(line)}"], cwd=folder,
                              env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              universal_newlines=True)
        if done.returncode or done.stderr:
            sys.exit(f"fish, on '{line}': {done.stderr}")
        return [each.split("\t")[0] for each in done.stdout.splitlines()]


class Zsh(Shell):
    needs = ["zsh"]
    file = None

    def __init__(self, prefix, home):
        super().__init__(prefix, home)
        self.write(".zshrc", f"""
            PROMPT= RPROMPT=
            fpath=({shlex.quote(self.share)}/zsh/site-functions $fpath)
            autoload -Uz compinit
            compinit -u -d $HOME/dump
            _{PROBE}() {{ _arguments --frob --nicate }}
            compdef _{PROBE} {PROBE}
            bindkey '^I' complete-word
            # Each match goes to a file, with what stands before it on the line.
            compadd() {{
                if [[ ${{@[1,(i)(-|--)]}} == *-(O|A|D)\\ * ]]; then
                    builtin compadd "$@"
                    return
                fi
                local -a hits before
                builtin compadd -A hits "$@"
                zparseopts -E -a ignored p:=before
                print -rl -- ${{hits/#/$before[2]}} >>$OFFERED
                builtin compadd "$@"
            }}
            finished() {{ print -r -- '=== end' >>$OFFERED }}
            comppostfuncs=(finished)
            print -r -- '=== ready' >>$OFFERED
            """)

    def wait_for(self, terminal, mark):
        end = time.monotonic() + 60
        while time.monotonic() < end:
            # What the terminal shows is nobody's.
            if select.select([terminal], [], [], 0.01)[0]:
                os.read(terminal, 65536)
            if os.path.exists(self.environment["OFFERED"]):
                with open(self.environment["OFFERED"], encoding="utf-8") as stream:
                    text = stream.read()
                if mark in text:
                    return text.split("=== ready\n")[1].replace(mark, "")
        sys.exit(f"zsh did not come to '{mark.strip()}'")

    def offers(self, line, folder):
        if os.path.exists(self.environment["OFFERED"]):
            os.unlink(self.environment["OFFERED"])
        pid, terminal = pty.fork()
        if pid == 0:
            os.chdir(folder)
            os.execvpe("zsh", ["zsh", "-i"], self.environment)
        try:
            self.wait_for(terminal, "=== ready\n")
            os.write(terminal, line.encode() + b"\t")
            return [each for each in self.wait_for(terminal, "=== end\n").splitlines() if each]
        finally:
            os.close(terminal)
            os.waitpid(pid, 0)


SHELLS = {"bash": Bash, "fish": Fish, "zsh": Zsh}
