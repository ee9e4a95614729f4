#!/bin/bash
# Every report in every format: it works, gives the same bytes twice, and what it writes is of its
# format, also where names attack it; what a report does not take is refused. Prints TAP.
set -u
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/cli/lib.sh
source "$here/lib.sh"
KVLAB=${KVLAB:-./kvlab}
tests=$(dirname "$KVLAB")/tests

have() { # PROGRAM
    command -v "$1" >/dev/null
}

skip() { # NAME PROGRAM
    ok "$1 # SKIP no $2"
}

# ---- databases: of scores, of bytes by class, and the first with hostile names ----
if ! "$tests/test_views" scores.db || ! "$tests/test_ema" bytes.db; then
    echo "not ok 1 - the databases are made"
    exit 1
fi
sqlite3 scores.db "INSERT INTO experiment_factor VALUES (1, 1, 'bits', 'kvo.key_bits', '4', 1),
    (1, 3, 'bits', 'kvo.key_bits', '2', 1)"
# shellcheck disable=SC2016  # as they are
attack='<script>alert(1)</script> \input{x} $a_b^c$ #1 50% & a|b ''''q'''' "q" `id` ~ {} [l](http://x)'
for db in scores bytes; do
    cp "$db.db" "bad_$db.db"
    sqlite3 "bad_$db.db" "UPDATE experiment_run SET name = '$attack ' || name || char(10, 27) || '[31m 汉字 ±→' || x'ff';
        UPDATE experiment SET name = '$attack' || char(7); UPDATE model SET name = '$attack' || char(13);
        UPDATE protocol SET preset = '$attack'"
done

cp scores.db papers.db
"$KVLAB" import --published kivi --db papers.db >out 2>err || cat err
cp papers.db bad_papers.db
sqlite3 bad_papers.db "UPDATE experiment_run SET name = '$attack ' || name || char(10, 27) || x'ff'; UPDATE model SET name = '$attack' || name"

database_of() { # REPORT
    case $1 in ema) echo bytes ;; against) echo papers ;; *) echo scores ;; esac
}

# Positional arguments, one a line, for those reports that need some.
args_of() { # REPORT
    case $1 in compare) printf '%s\n' run:2 run:3 ;; against) echo kivi ;; esac
}

rectangular() { # FILE
    python3 - "$1" <<'P'
import csv, sys
rows = list(csv.reader(open(sys.argv[1], encoding="utf-8", errors="replace", newline="")))
sys.exit(not (len(rows) > 1 and len({len(r) for r in rows}) == 1 and len(set(rows[0])) == len(rows[0])))
P
}

compiles() { # FILE
    printf '\\documentclass{article}\\usepackage{booktabs}\\usepackage{graphicx}\\begin{document}\n\\input{%s}\n\\end{document}\n' "$1" >"$1.main.tex"
    timeout 60 pdflatex -no-shell-escape -halt-on-error -interaction=batchmode "$1.main.tex" >/dev/null 2>&1
}

check_written() { # NAME FORMAT FILE
    case $2 in
    csv) if have python3; then rectangular "$3"; else skip "$1" python3 && return; fi ;;
    json) [[ $(sqlite3 :memory: "SELECT json_valid(readfile('$3'))") == 1 ]] ;;
    latex) if have pdflatex; then compiles "$3"; else skip "$1" pdflatex && return; fi ;;
    html) if have xmllint; then xmllint --noout "$3" 2>xml && ! grep -qE '<script>alert|(src|href)="' "$3"; else skip "$1" xmllint && return; fi ;;
    *) ! LC_ALL=C grep -q '[[:cntrl:]]' <(tr -d '\n' <"$3") && { [[ $2 == markdown ]] || (($(wc -L <"$3") <= 100)) || [[ $3 == bad_* ]]; } ;;
    esac
    is "$1" 0 $?
}

mapfile -t reports < <("$KVLAB" list reports | awk '{print $1}')
for name in "${reports[@]}"; do
    [[ $name == html ]] && continue # a page and no document: html.sh
    mapfile -t args < <(args_of "$name")
    for db in "$(database_of "$name")" "bad_$(database_of "$name")"; do
        for format in text markdown csv json latex html; do
            out=${db}_$name.$format
            "$KVLAB" report "$name" "${args[@]}" --db "$db.db" --format $format >"$out" 2>err
            rc=$?
            "$KVLAB" report "$name" "${args[@]}" --db "$db.db" --format $format >again 2>err
            is "$name of $db as $format, the same twice" "0 0" "$rc $(cmp -s "$out" again; echo $?)"
            check_written "and it is $format" $format "$out"
        done
    done
    like "$name has a help of its own" "usage: kvlab report $name*--format*" "$("$KVLAB" report "$name" --help)"
    is "kvlab show has it, too" "$("$KVLAB" report "$name" --help)" "$("$KVLAB" show report "$name")"
done

# ---- and as text: whole categories a part, long names on several lines, within the line ----
"$(dirname "$KVLAB")/tools/bigdb" wide.db --settings 4 --tasks 21 --items 4 >/dev/null 2>&1
"$KVLAB" report table --db wide.db -o wide.txt
is "21 tasks stand in four parts" 4 "$(grep -c '^setting' wide.txt)"
is "none wider than 100 columns" 1 $(($(wc -L <wide.txt) <= 100))
like "a long name goes on below, indented" "*kvo 4 bit, read 1024, keep *
  *no. 1*" "$(cat wide.txt)"
is "numbers of items only where there are some" 4 "$(grep -c '^items  *4' wide.txt)"
is "no row without anything" 0 "$(grep -c '^items *$' wide.txt)"

# ---- a table of 21 tasks in LaTeX: parts below each other, none wider than the text ----
"$KVLAB" report table --db wide.db -o wide.tex
like "a table of 21 tasks is set across the page, in parts" "*usepackage{graphicx}*begin{table\*}*rotatebox{90}{narrativeqa}*end{tabular}}*medskip*resizebox*" "$(cat wide.tex)"
is "each of its columns once" 21 "$(grep -oE '\\rotatebox\{90\}' wide.tex | wc -l)"
if have pdflatex; then
    compiles wide.tex
    is "and compiles, not wider than the page" "0 0" "$? $(grep -c '^Overfull' wide.tex.main.log wide.tex.log 2>/dev/null | awk -F: '{n += $2} END {print n + 0}')"
else
    skip "and compiles" pdflatex
fi

# ---- plots of those that have some ----
for name in "${reports[@]}"; do
    "$KVLAB" show report "$name" | grep -q -e --plot || continue
    have gnuplot || { skip "plots of $name" gnuplot; continue; }
    mapfile -t args < <(args_of "$name")
    db=$(database_of "$name").db
    "$KVLAB" report "$name" "${args[@]}" --db "$db" --plot "one_$name" >/dev/null 2>err
    is "$name draws its plots" 0 $?
    "$KVLAB" report "$name" "${args[@]}" --db "$db" --plot "two_$name" >/dev/null 2>err
    is "the same twice" "" "$(diff -rq "one_$name" "two_$name")"
    mkdir -p "nothing"
    PATH=$PWD/nothing "$KVLAB" report "$name" "${args[@]}" --db "$db" --plot "three_$name" >out 2>err
    like "without gnuplot the exit code and a package say so" "1 *gnuplot-nox*" "$? $(<err)"
    like "data and script are there" "*.dat*.gp*" "$(echo "three_$name"/*)"
done

# ---- the command line ----
refused() { # NAME PATTERN ARGS
    local name=$1 pattern=$2
    shift 2
    "$KVLAB" report "$@" >out 2>err
    is "$name: exit code" 2 $?
    like "$name: message" "kvlab: $pattern" "$(<err)"
}
refused "a flag that a report does not take" "report ema takes no --baseline (kvlab report ema --help)" \
    ema --db bytes.db --baseline full
refused "one of its kind" "report table takes no --x *" table --x context --db scores.db
refused "an argument too many" "report ema: what is 'kvo'? *" ema kvo --db bytes.db
refused "an unknown experiment" "bytes.db has no experiment 'byte', did you mean 'bytes'*" ema --db bytes.db --experiment byte
refused "an unknown model" "the experiment has no model 'mimi', did you mean 'mini'?; it has: mini" \
    table --db scores.db --model mimi
refused "an unknown table of a report" "report table has no grid 'result', did you mean 'results'?; it has: results, cells" \
    table --db scores.db --format csv --grid result
refused "a table for another format" "report: --grid results is for --format csv" table --db scores.db --grid results
refused "a folder that is not there" "nowhere/t.md: cannot be written: *" table --db none.db -o nowhere/t.md
"$KVLAB" report table --db none.db -o t.md 2>err
is "a failed report leaves no file" "" "$(ls t.md* 2>/dev/null)"
for pair in md=markdown tex=latex csv=csv json=json html=html txt=text; do
    "$KVLAB" report table --db scores.db -o "file.${pair%=*}"
    is "-o file.${pair%=*} is ${pair#*=}" "" "$(cmp "file.${pair%=*}" "scores_table.${pair#*=}" 2>&1)"
done
"$KVLAB" report table --db scores.db --format csv -o stated.md
is "a stated format goes before the ending" "" "$(cmp stated.md scores_table.csv 2>&1)"
done_testing
