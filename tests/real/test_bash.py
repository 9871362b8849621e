"""bash and dash: pipelines, subshells, background jobs, traps, and what they leave."""

from support import begin, find

SCRIPT = """
for i in 1 2 3; do (x=$i; (echo "subshell $x"; exit $i); echo "ended with $?"); done
seq 1 2000 | while read -r n; do echo $((n * 2)); done | sort -rn | head -n 3 | tail -n 1
echo "$(echo "$(echo nested)")"
(sleep 0.1; exit 4) & wait $!; echo "background ended with $?"
trap 'echo trapped' USR1
kill -USR1 $$
(trap 'echo end of the subshell' EXIT; :)
cat <<end | tr a-z A-Z
words of a document
end
mkfifo pipe; echo through a pipe > pipe & cat pipe; wait
(exit 7); echo "and $?"
exit 13
"""

BASH_ONLY = """
set -o pipefail
cat <(echo one) <(echo two)
false | true; echo "pipefail $?"
coproc cat; echo to the coprocess >&"${COPROC[1]}"; read -r -u "${COPROC[0]}" said; echo "$said"
eval "exec ${COPROC[1]}>&-"; wait
(kill -TERM $BASHPID); echo "killed: $?"
declare -A map; for i in {1..2000}; do map[k$i]="value $i"; done
for i in 1 2 3; do (map[k$i]=changed; echo "${#map[@]} ${map[k$i]}"); done
"""

bash, dash = find("bash"), find("dash")
test = begin(bash, "--version")
report = test.both("bash", [bash, test.write("script.bash", BASH_ONLY + SCRIPT)], status=13,
                   order=list, min_forks=10)
test.that(report.copied() > 0, "nothing was copied")
test.both("dash", [dash, test.write("script.sh", SCRIPT)], status=13, order=list, min_forks=5)
test.finish()
