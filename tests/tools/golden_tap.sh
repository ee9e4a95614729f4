#!/bin/bash
# Turns the group lines of the golden program into TAP. usage: golden_tap.sh PROGRAM DIR [GROUP ...]
# Its exit counts, too: a program that ends early has no line for the groups that did not run.
set -u
dir=$2 n=0

while IFS= read -r line; do
    line=${line//"$dir"/${dir##*/}} # no folders of this machine
    case $line in
    *": skipped, "*)
        n=$((n + 1))
        echo "ok $n - ${line%%:*} # SKIP ${line#*: }"
        ;;
    *" equal of "*)
        n=$((n + 1))
        pair=$(sed -E 's/^[^:]*: ([0-9]+) equal of ([0-9]+).*/\1 \2/' <<<"$line")
        if [[ ${pair% *} == "${pair#* }" && ${pair% *} != 0 && $line != *stopped* ]]; then
            echo "ok $n - $line"
        else
            echo "not ok $n - $line"
        fi
        ;;
    *) echo "# $line" ;;
    esac
done < <("$@" 2>&1)
wait $!
rc=$?
((rc == 0)) || echo "# exit $rc"
exit "$rc"
