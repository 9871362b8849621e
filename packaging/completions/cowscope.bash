# bash completion for cowscope

# Which word the recorded program is, or nothing where it has not begun. "=" is a word here.
_cowscope_program_word()
{
    local at=2
    while ((at < COMP_CWORD)); do
        case ${COMP_WORDS[at]} in
            --)
                echo $((at + 1))
                return
                ;;
            --tracker | --witness | --sample | --max-stack | --max-trace | --output)
                [[ ${COMP_WORDS[at + 1]} == = ]] && ((at += 3)) || ((at += 2))
                ;;
            -o)
                ((at += 2))
                ;;
            -*)
                ((at += 1))
                ;;
            *)
                echo $at
                return
                ;;
        esac
    done
    ((at == COMP_CWORD)) && [[ ${COMP_WORDS[at]} != [-=]* ]] && echo $at
}

# Traces; where there are none, the folders that may lead to one.
_cowscope_traces()
{
    _filedir -d
    local -a traces=()
    local folder
    for folder in "${COMPREPLY[@]}"; do
        [[ $folder == *.cow ]] && traces+=("$folder")
    done
    ((${#traces[@]})) && COMPREPLY=("${traces[@]}")
}

# The processes of the traces on the command line.
_cowscope_processes()
{
    local word file pids=
    for word in "${words[@]:2}"; do
        [[ -d $word ]] || continue
        for file in "$word"/process-*-*.cowseg; do
            file=${file##*/process-}
            [[ $file == \** ]] || pids+=" ${file%%-*}"
        done
    done
    COMPREPLY=($(compgen -W "$pids" -- "$cur"))
}

_cowscope()
{
    local cur prev words cword split
    case ${COMP_WORDS[1]} in
        run | record)
            local program=$(_cowscope_program_word)
            if [[ $program ]]; then
                _command_offset "$program"
                return
            fi
            ;;
    esac
    _init_completion -s || return

    local values=
    if ((cword == 1)); then
        values='run record report html diff check export dump doctor'
        [[ $cur == -* ]] && values='-h --help --version'
        COMPREPLY=($(compgen -W "$values" -- "$cur"))
        return
    fi

    local command=${words[1]} options='-h --help'
    case $command in
        run | record)
            options+=' --tracker --witness --sample --max-stack --max-trace -o --output --no-values --quiet'
            ;;
        report) options+=' --by --process --format --top --native --quiet' ;;
        html) options+=' --diff -o --output --quiet' ;;
        diff) options+=' --format --top --quiet' ;;
        check) options+=' --max-copied --max-per-process --max-cause --quiet' ;;
        export) options+=' --format -o --output --quiet' ;;
        dump) ;;
        doctor) options+=' --format' ;;
        *) return ;;
    esac

    case $command:$prev in
        run:--tracker | record:--tracker) values='auto userfaultfd soft-dirty off' ;;
        run:--witness | record:--witness) values='auto trap off' ;;
        run:--sample | record:--sample) values=auto ;;
        run:--max-stack | record:--max-stack | *:--top) return ;;
        run:--max-trace | record:--max-trace) values='64M 512M 2G' ;;
        run:-o | run:--output | record:-o | record:--output)
            _filedir -d
            return
            ;;
        html:-o | html:--output | export:-o | export:--output)
            _filedir
            return
            ;;
        report:--by) values='cause site type owner process' ;;
        report:--process)
            _cowscope_processes
            return
            ;;
        export:--format) values='pprof collapsed speedscope jsonl' ;;
        report:--format | diff:--format | doctor:--format) values='text json' ;;
        check:--max-copied | check:--max-per-process) return ;;
        check:--max-cause)
            [[ $cur == *=* ]] && return
            values='refcount= gc-header= hash-cache= container= code-cache= allocator=
                runtime-state= lazy-binding= library-data= stack= kernel= store= unknown='
            compopt -o nospace
            ;;
    esac
    if [[ $values ]]; then
        COMPREPLY=($(compgen -W "$values" -- "$cur"))
        return
    fi
    $split && return

    if [[ $cur == -* ]]; then
        COMPREPLY=($(compgen -W "$options" -- "$cur"))
    elif [[ $command != doctor && $command != run && $command != record ]]; then
        _cowscope_traces
    fi
} &&
    complete -F _cowscope cowscope

# ex: filetype=bash
