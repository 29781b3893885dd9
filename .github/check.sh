#!/usr/bin/env bash
# What the action does: check.sh BINARY PREVIEW FILE...
# Each mistake becomes an annotation at its line, and the previews go to the job's summary.
set -uo pipefail

binary=$1 preview=$2
shift 2
failed=0
for file in "$@"; do
	if output=$("$binary" check "$file" 2>&1); then
		echo "$output"
		if [ "$preview" = true ]; then
			{ echo "### $file"; echo '```'; "$binary" preview "$file"; echo '```'; } >> "${GITHUB_STEP_SUMMARY:-/dev/stdout}"
		fi
		continue
	fi
	failed=1
	# FILE:LINE:COLUMN: message, or a message about the whole file; % is special in annotations.
	sed -nE -e 's/%/%25/g' \
		-e 's/^(.+):([0-9]+):([0-9]+): (.*)$/::error file=\1,line=\2,col=\3::\4/p' -e t \
		-e "s|^(.+)\$|::error file=$file::\\1|p" <<< "$output"
done
exit "$failed"
