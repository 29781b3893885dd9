# fish completion for traffic_exporter: the program itself knows what may follow.
function __traffic_exporter_candidates
    set -l words (commandline -opc) (commandline -ct)
    $words[1] --completion-bash $words[2..-1]
end
complete -c traffic_exporter -a '(__traffic_exporter_candidates)'
