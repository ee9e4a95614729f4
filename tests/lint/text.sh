#!/bin/bash
# What a line may hold: width, blanks, marks of unfinished work, folders of one machine, banned
# functions; and how long files and functions may be.
set -u
. "$(dirname "${BASH_SOURCE[0]}")/tree.sh"
export LC_ALL=C.UTF-8
columns=100 file_lines=800 function_lines=100
# Unsafe, or dependent on locale, time zone or a state that others share.
banned='strcpy|strcat|sprintf|strtok|atoi|atof|rand|localtime|gets'
# Written so that this file does not match itself.
marks='TOD[O]|FIXM[E]|XX[X]|HAC[K]'
machine='(^|[^A-Za-z0-9_.])/(wor[k]|hom[e]|roo[t]|User[s])/'

# each WHAT PATTERN FILES: a finding for every line that matches.
each() {
    local what=$1 pattern=$2
    shift 2
    (($#)) || return
    grep -InP "$pattern" "$@" /dev/null | sed -E "s|^([^:]*:[0-9]+):.*|\1: $what|"
}

mapfile -t sources < <(c_files)
mapfile -t texts < <(written_files)
each "longer than $columns columns" "^.{$((columns + 1)),}" "${sources[@]}"
each "a tab" '\t' "${sources[@]}"
each "blanks at the end of the line" '[ \t\r]+$' "${texts[@]}"
each "a mark of unfinished work" "\\b($marks)\\b" "${texts[@]}"
each "a folder of one machine" "$machine" "${texts[@]}"
((${#sources[@]})) || exit 0
code_lines "${sources[@]}" | grep -E "[^A-Za-z0-9_]($banned) *\(" |
    sed -E "s/^([^:]*:[0-9]+):(.*[^A-Za-z0-9_])?($banned) *\(.*/\1: \3 is banned/"

wc -l "${sources[@]}" | awk -v most=$file_lines '$2 != "total" && $1 > most { print $2 ":" $1 ": the file is longer than " most " lines" }'

if ctags --version 2>/dev/null | grep -q Universal; then
    ctags --languages=C,C++ --kinds-C=f --kinds-C++=f --fields=+ne -f - "${sources[@]}" |
        awk -F'\t' -v most=$function_lines '{
            line = last = 0
            for (i = 4; i <= NF; i++) {
                if ($i ~ /^line:/) line = substr($i, 6)
                if ($i ~ /^end:/) last = substr($i, 5)
            }
            if (last - line >= most) print $2 ":" line ": " $1 " has " last - line + 1 " lines, more than " most
        }'
else
    note "length of functions: skipped, no universal-ctags (make deps-dev)"
fi
exit 0
