#!/bin/bash
# kvlab metric and kvlab list metrics: what they print, what they refuse. Prints TAP.
set -u
KVLAB=${KVLAB:-./kvlab}
n=0 failed=0

# check NAME EXIT STDOUT STDERR-PATTERN -- ARGS: standard input is in $in.
check() {
    local name=$1 want_rc=$2 want_out=$3 want_err=$4
    shift 5
    local out rc err
    out=$(printf '%b' "$in" | "$KVLAB" "$@" 2>metric.err)
    rc=$? err=$(cat metric.err)
    n=$((n + 1))
    # shellcheck disable=SC2053  # the message is compared with a pattern
    if [[ $rc == "$want_rc" && $out == "$want_out" && $err == $want_err ]]; then
        echo "ok $n - $name"
    else
        failed=$((failed + 1))
        echo "not ok $n - $name"
        printf '# exit %s\n# stdout: %s\n# stderr: %s\n' "$rc" "$out" "$err"
    fi
}

good='{"prediction": "the x", "ground_truth": "x", "all_classes": null, "other": 1}\n'
third='{"prediction": "x y y", "ground_truth": "x z z"}'
in=$good$third
check "one score a line" 0 $'1\n0.33333333333333331' "" -- metric qa_f1_score
in='{"prediction": "x y", "ground_truth": "x", "all_classes": ["x", "y"]}\n'
check "classes are read" 0 0.5 "" -- metric classification_score
in=''
check "no line, no score" 0 "" "" -- metric count_score
in=$good'{"prediction": "x"}\n'
check "a missing key is placed, nothing is printed" 2 "" \
    "*standard input, line 2: key 'ground_truth' is missing" -- metric qa_f1_score
in=$good'{"prediction": 3, "ground_truth": "x"}\n'
check "a wrong type is placed" 2 "" "*line 2: key 'prediction' is a number, must be a string" \
    -- metric qa_f1_score
in=$good'{"prediction": }\n'
check "broken JSON is placed" 2 "" "*standard input, line 2: column 16: not valid JSON" \
    -- metric qa_f1_score
in='[]\n'
check "a line is an object" 2 "" "*line 1: *must be an object" -- metric qa_f1_score
in='{"prediction": "", "ground_truth": "", "all_classes": ["x", 1]}\n'
check "classes are strings" 2 "" "*line 1: key 'all_classes': element 2 is a number, must be a string" \
    -- metric classification_score
in='{"prediction": "3", "ground_truth": "3"}\n{"prediction": "3", "ground_truth": "Paragraph 3"}\n'
check "an item that cannot be scored is nan, the others go on" 1 $'nan\n1' "*line 1: *" \
    -- metric retrieval_score
in='{"text": "我来到北京", "x": 1}\n{"text": "a\\u0000"}\n{"text": ""}\n'
check "words of a text" 0 $'["我", "来到", "北京"]\n["a", "\\u0000"]\n[]' "" -- metric jieba_cut
in='{"text": "x"}\n{"prediction": "x"}\n'
check "a text is missing" 2 "" "*line 2: key 'text' is missing" -- metric jieba_cut
in=''
check "the nearest name" 2 "" "*did you mean 'rouge_score'*" -- metric rogue_score
check "no name" 2 "" "*metric: which one*" -- metric
check "the nearest list" 2 "" "*did you mean 'metrics'*" -- list metric
check "list of nothing" 2 "" "*list: of what*" -- list
names=$("$KVLAB" list metrics | cut -d' ' -f1 | tr '\n' ' ')
n=$((n + 1))
if [[ $names == *"qa_f1_score qa_f1_zh_score "*"code_sim_difflib "* ]]; then
    echo "ok $n - list metrics"
else
    failed=$((failed + 1))
    echo "not ok $n - list metrics: $names"
fi
echo "1..$n"
((failed == 0))
