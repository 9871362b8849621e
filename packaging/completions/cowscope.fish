# fish completion for cowscope

# The words behind `cowscope run` or `record` from the program on, one a line. Status 1 where it has
# not begun.
function __cowscope_program
    set -l words (commandline -opc)
    contains -- "$words[2]" run record
    or return
    set -e words[1..2]
    while set -q words[1]
        switch $words[1]
            case --
                set -e words[1]
                string join \n -- $words
                return 0
            case --tracker --witness --sample --max-stack --max-trace --output -o
                # A value that is still being typed is no program.
                set -q words[2]
                or return 1
                set -e words[1..2]
            case '-*'
                set -e words[1]
            case '*'
                string join \n -- $words
                return 0
        end
    end
    string match -q -- '-*' (commandline -ct)
    and return 1
    return 0
end

# The program's own completion.
function __cowscope_complete_program
    set -l line (string escape -- (__cowscope_program)) (commandline -ct)
    complete -C (string join ' ' -- $line)
end

# Whether one of these commands is given, and the options are still cowscope's own.
function __cowscope_using
    set -l words (commandline -opc)
    contains -- "$words[2]" $argv
    and not __cowscope_program >/dev/null
end

function __cowscope_needs_command
    set -l words (commandline -opc)
    test (count $words) -eq 1
end

# Traces; where there are none, the folders that may lead to one.
function __cowscope_traces
    set -l folders (__fish_complete_directories (commandline -ct) trace)
    set -l traces (string match -r -- '.*\.cow/(?:\t.*)?$' $folders)
    or set traces $folders
    string join \n -- $traces
end

# The processes of the traces on the command line.
function __cowscope_processes
    for folder in (commandline -opc)[3..-1]
        test -d $folder
        and for file in $folder/process-*-*.cowseg
            string replace -r '.*/process-([0-9]+)-.*' '$1' -- $file
        end
    end
end

complete -c cowscope -f

complete -c cowscope -n __cowscope_needs_command -s h -l help -d 'Show help'
complete -c cowscope -n __cowscope_needs_command -l version -d 'Show the version'
complete -c cowscope -n __cowscope_needs_command -a run -d 'Record, then report on stderr'
complete -c cowscope -n __cowscope_needs_command -a record -d 'Record only'
complete -c cowscope -n __cowscope_needs_command -a report -d 'The report, as text or JSON'
complete -c cowscope -n __cowscope_needs_command -a html -d 'One page for a browser'
complete -c cowscope -n __cowscope_needs_command -a diff -d 'What a change gained'
complete -c cowscope -n __cowscope_needs_command -a check -d 'Limits, for CI'
complete -c cowscope -n __cowscope_needs_command -a export -d 'The copies, for other tools'
complete -c cowscope -n __cowscope_needs_command -a dump -d 'One line a record'
complete -c cowscope -n __cowscope_needs_command -a doctor -d 'What this machine allows'

set -l all run record report html diff check export dump doctor
complete -c cowscope -n "__cowscope_using $all" -s h -l help -d 'Show help'

set -l recording '__cowscope_using run record'
complete -c cowscope -n $recording -l tracker -x -a 'auto userfaultfd soft-dirty off' \
    -d 'Which pages were written'
complete -c cowscope -n $recording -l witness -x -a 'auto trap off' -d 'Who wrote them'
complete -c cowscope -n $recording -l sample -x -a auto -d 'Witness one first write in N'
complete -c cowscope -n $recording -l max-stack -x -d 'Native frames kept of a stack'
complete -c cowscope -n $recording -l max-trace -x -a '64M 512M 2G' \
    -d 'Size that the trace may have'
complete -c cowscope -n $recording -s o -l output -x -a '(__fish_complete_directories)' \
    -d 'Folder of the trace'
complete -c cowscope -n $recording -l no-values -d 'Keep no examples of values'
complete -c cowscope -n $recording -l quiet -d 'No notes and no progress on stderr'
complete -c cowscope -n __cowscope_program -a '(__cowscope_complete_program)'

complete -c cowscope -n '__cowscope_using report html diff check export dump' \
    -a '(__cowscope_traces)'

complete -c cowscope -n '__cowscope_using report html diff check export' -l quiet \
    -d 'No progress on stderr'
complete -c cowscope -n '__cowscope_using html' -l diff -d 'What changed from one trace to another'

complete -c cowscope -n '__cowscope_using report' -l by -x -a 'cause site type owner process' \
    -d 'Group the copies'
complete -c cowscope -n '__cowscope_using report' -l process -x -a '(__cowscope_processes)' \
    -d 'This process only'
complete -c cowscope -n '__cowscope_using report' -l native -d "The interpreter's own frames"
complete -c cowscope -n '__cowscope_using report diff doctor' -l format -x -a 'text json' \
    -d 'Form of the output'
complete -c cowscope -n '__cowscope_using report diff' -l top -x -d 'Rows of each table'

complete -c cowscope -n '__cowscope_using html export' -s o -l output -r -F -d 'Where it goes'

set -l causes refcount gc-header hash-cache container code-cache allocator runtime-state \
    lazy-binding library-data stack kernel store unknown
complete -c cowscope -n '__cowscope_using check' -l max-copied -x -d 'By all processes together'
complete -c cowscope -n '__cowscope_using check' -l max-per-process -x -d 'By each process'
complete -c cowscope -n '__cowscope_using check' -l max-cause -x -a "$causes=" \
    -d 'By all together, for one cause'

complete -c cowscope -n '__cowscope_using export' -l format -x \
    -a 'pprof collapsed speedscope jsonl' -d 'What to write'
