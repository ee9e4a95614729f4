# shellcheck shell=bash
# TAP for the scripts of this folder: source it, compare with is and like, end with done_testing.
n=0 bad=0

ok() { # NAME
    n=$((n + 1))
    echo "ok $n - $1"
}

not_ok() { # NAME WANTED GOT
    n=$((n + 1)) bad=1
    echo "not ok $n - $1"
    printf '# wanted: %s\n# got:    %s\n' "$2" "$3"
}

is() { # NAME WANTED GOT
    if [[ $2 == "$3" ]]; then ok "$1"; else not_ok "$@"; fi
}

like() { # NAME PATTERN GOT: a pattern as of case
    # shellcheck disable=SC2053  # a pattern on purpose
    if [[ $3 == $2 ]]; then ok "$1"; else not_ok "$@"; fi
}

done_testing() {
    echo "1..$n"
    exit "$bad"
}
