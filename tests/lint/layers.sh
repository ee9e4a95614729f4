#!/bin/bash
# Includes point down: a folder includes its own files and those of the folders named in its row.
# A library is known to one file.
set -u
. "$(dirname "${BASH_SOURCE[0]}")/tree.sh"

declare -A may=(
    [harness/base]=""
    [harness/store]="harness/base"
    [harness/tensor]="harness/base"
    [harness/kv]="harness/base harness/tensor"
    [harness/methods]="harness/base harness/tensor harness/kv"
    [harness/model]="harness/base harness/tensor harness/kv"
    [datasets]="harness/base"
    [metrics]="harness/base"
    [reports]="harness/base harness/store"
    [runner]="harness/base harness/store harness/tensor harness/kv harness/model datasets metrics reports"
    [tests]="any"
)
# What Makefile writes into build/VARIANT/gen.
generated="build_info.inc questions.inc report.css.inc report.js.inc schema.inc schema_2.inc schema_3.inc schema_4.inc schema_5.inc schema_6.inc"

folder_of() { # the row that a path belongs to
    case $1 in
    harness/*/*) local rest=${1#harness/} && echo "harness/${rest%%/*}" ;;
    *) echo "${1%%/*}" ;;
    esac
}

check_include() { # FILE LINE INCLUDED
    local from to
    [[ " $generated " == *" $3 "* ]] && return
    if [[ ! -e $3 ]]; then
        echo "$1:$2: includes \"$3\", which is no file as seen from the root"
        return
    fi
    from=$(folder_of "$1") to=$(folder_of "$3")
    if [[ ! -v may[$from] ]]; then
        echo "$1:$2: $from has no row in tests/lint/layers.sh"
    elif [[ $from != "$to" && ${may[$from]} != any && " ${may[$from]} " != *" $to "* ]]; then
        echo "$1:$2: $from must not include $to (\"$3\")"
    fi
}

mapfile -t sources < <(files '*.c' '*.h' '*.cc' '*.def' '*.inc')
((${#sources[@]})) || exit 0
while IFS=: read -r file line text; do
    text=${text#*\"}
    check_include "$file" "$line" "${text%%\"*}"
done < <(grep -HnE '^ *# *include *"' "${sources[@]}")

# Library, the header's pattern, and the file that may include it (empty: any one; tests are free).
one_user() { # PATTERN FILE
    local users user
    users=$(grep -nE "^ *# *include *[<\"]($1)" "${sources[@]}" /dev/null | grep -v '^tests/')
    [[ -n $users ]] || return
    user=${2:-$(head -n 1 <<<"$users" | cut -d: -f1)}
    while IFS=: read -r file line _; do
        [[ $file == "$user" ]] || echo "$file:$line: only $user includes ${1%%\\*}"
    done <<<"$users"
}

one_user '(cjson/)?cJSON\.h' harness/base/json.c
one_user 'pcre2' harness/base/regex.c
one_user 'nettle/' harness/base/hash.c
one_user 'sqlite3\.h' harness/store/db_int.h
one_user 'cblas\.h|openblas' harness/tensor/gemm.c
one_user 'zip\.h' datasets/archive.c
one_user 'sentencepiece' harness/model/spm.cc
exit 0
