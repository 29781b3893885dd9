# bash completion for traffic_exporter: the program itself knows what may follow. It completes flags
# that have been begun, but wants to know nothing of a command that has.
_traffic_exporter() {
	local IFS=$'\n' word=${COMP_WORDS[COMP_CWORD]} before=("${COMP_WORDS[@]:1:COMP_CWORD-1}")
	[[ $word == -* ]] && before+=("$word")
	COMPREPLY=($(compgen -W "$("${COMP_WORDS[0]}" --completion-bash "${before[@]}")" -- "$word"))
}
complete -o default -F _traffic_exporter traffic_exporter
