#!/bin/bash
# Every row of a registry has its file, and every file that defines a plug-in has its row.
set -u
. "$(dirname "${BASH_SOURCE[0]}")/tree.sh"

# registry DEF MACRO FILES BEFORE AFTER: the row MACRO(name) stands for a definition that begins with
# BEFORE, the name and AFTER (extended patterns), in FILES (@ is the name). Every such definition in
# the folder has a row.
registry() {
    local def=$1 macro=$2 pattern=$3 before=$4 after=$5 names line name file
    [[ -e $def ]] || return
    names=$(grep -nE "^$macro\([a-z0-9_]+\)" "$def" | sed -E "s/^([0-9]+):$macro\(([a-z0-9_]+)\).*/\1 \2/")
    while read -r line name; do
        # shellcheck disable=SC2086  # a pattern of files
        [[ -z $name ]] || grep -qsE "^$before$name$after" ${pattern//@/$name} ||
            echo "$def:$line: $macro($name) is not defined in ${pattern//@/$name}"
    done <<<"$names"
    while IFS=: read -r file line name; do
        grep -qE " $name\$" <<<"$names" || echo "$file:$line: $name has no row in $def"
    done < <(grep -HnE "^${before}[a-z0-9_]+$after" "${pattern%/*}"/*.c /dev/null |
        sed -E "s/:$before([a-z0-9_]+).*/:\1/")
}

registry metrics/metrics.def METRIC metrics/@.c 'const struct metric metric_' ' ='
registry harness/methods/methods.def METHOD harness/methods/@.c 'const struct kv_method method_' ' ='
registry runner/commands.def COMMAND 'runner/cmd_*.c' 'const struct command cmd_' ' ='
registry runner/benches.def BENCH runner/bench_@.c 'const struct bench_kind bench_' ' ='
registry reports/reports.def REPORT reports/report_@.c 'const struct report report_' ' ='
registry reports/formats.def FORMAT reports/format_@.c 'const struct format format_' ' ='
registry tests/golden/golden.def GOLDEN 'tests/golden/golden_*.c' \
    'int golden_' '\(const char \*dir, struct tally'

# A command's file that defines none.
for file in runner/cmd_*.c; do
    [[ ! -e $file ]] || grep -q '^const struct command cmd_' "$file" || echo "$file:1: defines no command"
done
exit 0
