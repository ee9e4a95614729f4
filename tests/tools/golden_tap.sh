#!/bin/bash
# Turns the group lines of the golden program into TAP. usage: golden_tap.sh PROGRAM DIR [GROUP ...]
set -u
n=0
while IFS= read -r line; do
    case $line in
    *": skipped, "*) n=$((n + 1)); echo "ok $n - ${line%%:*} # SKIP ${line#*: }" ;;
    *" equal of "*)
        n=$((n + 1))
        pair=$(sed -E 's/^[^:]*: ([0-9]+) equal of ([0-9]+).*/\1 \2/' <<<"$line")
        if [[ ${pair% *} == "${pair#* }" && ${pair% *} != 0 && $line != *stopped* ]]; then
            echo "ok $n - $line"
        else
            echo "not ok $n - $line"
        fi ;;
    *) echo "# $line" ;;
    esac
done < <("$@" 2>&1)
