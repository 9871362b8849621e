# For scripts/bench and scripts/reproduce, which source it.

# start_measuring PROGRAM SETUP_OPTION ARGUMENT...: sets up, unless the arguments ask for no more than
# help or name a build, and becomes the program.
start_measuring() {
    folder=$(cd "$(dirname "$0")" && pwd)
    program=$1
    setup_option=$2
    shift 2
    has_build=
    for argument in "$@"; do
        case $argument in
            --build | --build=* | -h | --help) has_build=1 ;;
        esac
    done
    # shellcheck disable=SC2086 # no option is no word
    [ -n "$has_build" ] || "$folder/setup" $setup_option >&2
    exec /usr/bin/python3 -B "$folder/measure/$program" "$@"
}
