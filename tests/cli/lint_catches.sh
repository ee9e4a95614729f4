#!/bin/bash
# Lint catches what it is for: a made-up tree without a fault, then with one of each.
set -u
. "$KVLAB_TOP/tests/cli/lib.sh"

put() { # FILE TEXT
    mkdir -p "$(dirname "$1")"
    printf '%b' "$2" >"$1"
}

fresh_tree() {
    rm -rf tree
    mkdir tree
    cp "$KVLAB_TOP/.clang-format" tree/
    for d in harness harness/base harness/kv metrics more runner tests; do
        put "tree/$d/README.md" "# $d\n"
    done
    put tree/harness/base/one.c '#include "harness/base/one.h"\n\nint one(void)\n{\n    return 1;\n}\n'
    put tree/harness/base/one.h 'int one(void); // gets() in a comment is none\n'
    put tree/harness/kv/b.h 'int b(void);\n'
    put tree/metrics/exact.c '#include "harness/base/one.h"\nconst struct metric metric_exact = {1};\n'
    put tree/metrics/metrics.def 'METRIC(exact)\n'
}

lint() { # what it finds, one line a finding
    bash "$KVLAB_TOP/tests/lint/lint.sh" tree 2>notes
}

# catches FINDING FILE TEXT: in a fresh tree with this file, this finding alone and exit 1.
catches() {
    fresh_tree
    put "tree/$2" "$3"
    local out
    out=$(lint)
    is "$1" "1 $1" "$? $out"
}

fresh_tree
is "a tree without a fault" "" "$(lint)"
is "exit 0" 0 "$(lint; echo $?)"

catches 'metrics/a.c:2: metrics must not include harness/kv ("harness/kv/b.h")' metrics/a.c \
    '#include "harness/base/one.h"\n#include "harness/kv/b.h"\n'
catches 'metrics/a.c:1: includes "one.h", which is no file as seen from the root' metrics/a.c \
    '#include "one.h"\n'
catches 'more/a.c:1: more has no row in tests/lint/layers.sh' more/a.c \
    '#include "harness/base/one.h"\n'
catches 'metrics/a.c:1: only harness/base/hash.c includes nettle/' metrics/a.c '#include <nettle/sha1.h>\n'
catches 'metrics/metrics.def:2: METRIC(near) is not defined in metrics/near.c' metrics/metrics.def \
    'METRIC(exact)\nMETRIC(near)\n'
catches 'metrics/near.c:1: near has no row in metrics/metrics.def' metrics/near.c \
    'const struct metric metric_near = {1};\n'
catches 'runner/cmd_x.c:1: defines no command' runner/cmd_x.c 'int x;\n'
catches 'metrics/one.c:1: harness/base/one.c has the same name' metrics/one.c 'int x;\n'
catches 'metrics/Near.c:1: the name is not lower snake_case' metrics/Near.c 'int x;\n'
catches 'harness/model:1: no README.md describes this folder' harness/model/a.c 'int x;\n'
catches 'metrics/README.md:81: longer than a page (80 lines)' metrics/README.md \
    "$(printf 'x\\n%.0s' {1..81})"
catches 'metrics/a.c:1: longer than 100 columns' metrics/a.c "// $(printf 'x%.0s' {1..98})\n"
catches 'metrics/a.c:1: a tab' metrics/a.c '// a\tb\n'
catches 'metrics/README.md:1: blanks at the end of the line' metrics/README.md 'x \n'
catches 'metrics/a.c:1: a mark of unfinished work' metrics/a.c "// TO""DO: all\n"
catches 'metrics/a.sh:1: a folder of one machine' metrics/a.sh "cd /ho""me/me\n"
catches 'metrics/a.c:3: strcpy is banned' metrics/a.c 'void f(char *s)\n{\n    strcpy(s, "");\n}\n'
catches 'metrics/a.c:801: the file is longer than 800 lines' metrics/a.c "$(printf '//\\n%.0s' {1..801})"
if ! grep -q 'length of functions' notes; then
    catches 'metrics/a.c:1: f has 101 lines, more than 100' metrics/a.c \
        "void f(void)\n{\n$(printf '    f();\\n%.0s' {1..98})}\n"
fi
if ! grep -q 'format' notes; then
    catches 'metrics/a.c:1: not as make format leaves it' metrics/a.c 'int  x;\n'
fi
done_testing
