# shellcheck shell=bash
# What the lint scripts share: they work on the tree in the current folder, print findings as
# file:line: what, and notes on stderr.

# Files that belong to the tree, of the name patterns given.
files() {
    if [[ -e .git ]]; then
        git ls-files -co --exclude-standard -- "$@" | while IFS= read -r f; do [[ ! -e $f ]] || echo "$f"; done
    else
        local args=() p
        for p; do args+=(-o -name "$p"); done
        find . -path ./build -prune -o -type f \( "${args[@]:1}" \) -printf '%P\n'
    fi | LC_ALL=C sort
}

c_files() {
    files '*.c' '*.h' '*.cc'
}

# Files that people write, as against reference values and seeds.
written_files() {
    files '*' | grep -vE '^(tests/golden/data|tests/fuzz/corpus)/|\.(model|safetensors|svg)$'
}

# "file:line:code" of C files: no comments, and strings empty.
code_lines() {
    awk '
    FNR == 1 { comment = 0 }
    {
        line = $0; out = ""
        while (line != "") {
            if (comment) {
                if (!(at = index(line, "*/"))) break
                line = substr(line, at + 2); comment = 0
            } else if (match(line, /"([^"\\]|\\.)*"|\/\*|\/\//)) {
                what = substr(line, RSTART, 2)
                out = out substr(line, 1, RSTART - 1)
                line = substr(line, RSTART + RLENGTH)
                if (what == "//") break
                if (what == "/*") comment = 1
                else out = out "\"\""
            } else { out = out line; break }
        }
        print FILENAME ":" FNR ":" out
    }' "$@"
}

note() {
    echo "lint: $*" >&2
}
