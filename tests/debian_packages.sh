# Packages of a Debian suite, whatever suite the machine runs: to be sourced by scripts that have
# `suite` and a function `fail MESSAGE` that does not return. Defines own_apt and a folder `work` that
# is removed at the end, and updates the lists.
#
# apt fetches them and checks their signatures, with a state, cache and sources of its own: what the
# machine has configured is read for the mirror and changed in nothing. Needs no root.
# COWSCOPE_DEBIAN_MIRROR names the mirror on a machine whose sources have none of Debian's.

for command in apt-get apt-cache dpkg-deb; do
    command -v $command >/dev/null || fail "this machine has no $command"
done
# apt of Debian 13 has the second.
command -v gpgv >/dev/null || command -v sqv >/dev/null ||
    fail 'this machine has no gpgv to check signatures'
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
[ -s "$keyring" ] || fail "$keyring is missing (the package debian-archive-keyring)"

# Debian's own archive among the machine's sources. Without downloaded lists apt cannot tell whose
# an archive is, and then its address has to.
find_mirror() {
    apt-get indextargets --format '$(ORIGIN)|$(LABEL)|$(REPO_URI)' 'Created-By: Packages' |
        awk -F '|' '
            $1 == "Debian" && $2 == "Debian" { print $3; found = 1; exit }
            $1 != "Debian" && $3 ~ /\/debian\/?$/ && likely == "" { likely = $3 }
            END { if (!found && likely != "") print likely }'
}
mirror=${COWSCOPE_DEBIAN_MIRROR:-$(find_mirror)}
[ -n "$mirror" ] ||
    fail 'no mirror of Debian among the sources of apt; COWSCOPE_DEBIAN_MIRROR=URL names one'

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
# As root, apt downloads as the user _apt.
chmod 755 "$work"
mkdir -p "$work/state/lists/partial" "$work/cache/archives/partial" "$work/package"
: >"$work/status"
printf 'deb [arch=amd64 signed-by=%s] %s %s main\n' "$keyring" "$mirror" "$suite" \
    >"$work/sources.list"

own_apt() {
    tool=$1
    shift
    DEBIAN_FRONTEND=noninteractive "$tool" -q \
        -o Dir::State="$work/state" -o Dir::State::status="$work/status" \
        -o Dir::Cache="$work/cache" \
        -o Dir::Etc::SourceList="$work/sources.list" -o Dir::Etc::SourceParts=/dev/null \
        -o Dir::Etc::Preferences=/dev/null -o Dir::Etc::PreferencesParts=/dev/null \
        -o APT::Architecture=amd64 -o APT::Architectures=amd64 \
        -o APT::Get::AllowUnauthenticated=false -o Acquire::AllowInsecureRepositories=false \
        -o Acquire::AllowDowngradeToInsecureRepositories=false \
        -o APT::Update::Error-Mode=any -o Acquire::Retries=2 -o Acquire::Languages=none \
        "$@"
}

own_apt apt-get update >"$work/log" 2>&1 || {
    cat "$work/log" >&2
    fail "apt-get update did not succeed with $mirror"
}
