#!/bin/bash
# File names: lower snake_case and unique across the tree; a .c and its .h are a pair. Every folder
# is described: those at the top and in harness by a README.md of a page, the others by one of their
# own or by their name in that of the folder above.
set -u
. "$(dirname "${BASH_SOURCE[0]}")/tree.sh"
page=80 # lines

mapfile -t sources < <(files '*.c' '*.h' '*.cc' '*.def' '*.inc' '*.sh' '*.py' '*.sql')
declare -A first # base name -> the first file that has it; for C, without the ending
for f in "${sources[@]}"; do
    base=${f##*/} key=$base
    [[ $base =~ ^[a-z0-9][a-z0-9_]*\.[a-z]+$ ]] || echo "$f:1: the name is not lower snake_case"
    case $base in *.c | *.h | *.cc) key=${base%.*} ;; esac
    if [[ ! -v first[$key] ]]; then
        first[$key]=$f
    elif [[ $key == "$base" || ${f%/*} != "${first[$key]%/*}" ]]; then
        echo "$f:1: ${first[$key]} has the same name"
    fi
done

described() { # FOLDER
    [[ -e $1/README.md ]] && return
    case $1 in
    */*/* | [!h]*/*) grep -qsE "(^|[^a-z_])${1##*/}/" "${1%/*}/README.md" ;;
    *) return 1 ;;
    esac
}

# Data within a described folder needs nothing more.
while IFS= read -r folder; do
    described "$folder" || echo "$folder:1: no README.md describes this folder"
done < <(files '*' | grep / | sed 's|/[^/]*$||' | grep -vE '^\.|/(corpus|data)/|^configs/models/' |
    awk -F/ '{ p = $1; print p; for (i = 2; i <= NF; i++) print p = p "/" $i }' | sort -u)

while IFS= read -r f; do
    n=$(wc -l <"$f")
    [[ $f == configs/README.md ]] && continue # written from the tables of options
    ((n <= page || $(tr -cd / <<<"$f" | wc -c) == 0)) || echo "$f:$n: longer than a page ($page lines)"
done < <(files 'README.md' '*/README.md')
exit 0
