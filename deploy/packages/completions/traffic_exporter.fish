# fish completion for traffic_exporter: the program itself knows what may follow. It completes flags
# that have been begun, but wants to know nothing of a command that has.
function __traffic_exporter_candidates
    set -l words (commandline -opc)
    set -l word (commandline -ct)
    if string match -q -- '-*' $word
        set -a words $word
    end
    $words[1] --completion-bash $words[2..-1]
end
complete -c traffic_exporter -a '(__traffic_exporter_candidates)'
