#!/bin/bash
# Every table and view is read by pandas, as people open the file: columns of numbers are numbers, names are there
# once, keys are declared. Prints TAP; skipped without python3-pandas.
set -u
KVLAB=${KVLAB:-./kvlab}
python=
for p in python3 /usr/bin/python3; do # Debian's package belongs to Debian's
    [[ -n $python ]] || ! "$p" -c 'import pandas' 2>/dev/null || python=$p
done
if [[ -z $python ]]; then
    echo "ok 1 - the database in pandas # SKIP python3-pandas is not there"
    echo 1..1
    exit 0
fi
"$(dirname "$KVLAB")/tests/test_views" s.db || exit 1
sqlite3 s.db "INSERT INTO run VALUES (90, 'paper', 1, 1, 1, 'published', '2026-01-01T00:00:00Z');
    INSERT INTO published VALUES (90, 1, 41.5, 200, NULL, 'Table 3')"
"$python" - <<'P'
import sqlite3, pandas
db = sqlite3.connect("file:s.db?mode=ro", uri=True)
n = bad = 0
def check(name, good, why=""):
    global n, bad
    n += 1
    bad += not good
    print(("ok %d - %s" if good else "not ok %d - %s\n# %s") % ((n, name) if good else (n, name, why)))
def ask(sql):
    return pandas.read_sql(sql, db)
numbers = {"result": ["n", "score", "stderr", "kv_ratio", "kv_read_ratio", "failed", "left", "planned", "key_bits",
                      "token_budget", "decode_tps", "kv_bytes_token", "prompt_tokens", "max_prompt_tokens"],
           "item": ["score", "prompt_tokens", "new_tokens", "kv_ratio", "kv_bytes", "sample_index", "prefill_seconds"],
           "comparison": ["n", "missing", "score", "full_score", "difference", "stderr", "won", "lost", "tied", "kv_ratio"],
           "item_comparison": ["score", "full_score", "difference", "kv_bytes"],
           "provenance": ["tasks", "items", "failed", "threads"],
           "ledger": ["held_bytes", "read_bytes", "written_bytes", "steps"],
           "traffic": ["context", "read_bytes", "full_bytes", "dense_share"],
           "experiment_cell": ["n", "score", "stderr", "kv_ratio"]}
objects = ask("SELECT name, type FROM sqlite_schema WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite_%'")
for name, kind in objects.itertuples(index=False):
    frame = ask('SELECT * FROM "%s"' % name)
    check("%s is read" % name, len(frame.columns) == len(set(frame.columns)), list(frame.columns))
    columns = numbers.get(name, []) if kind == "view" else [
        c for c, t, f in ask("SELECT name, type, pk FROM pragma_table_info('%s')" % name).itertuples(index=False)
        if t in ("INTEGER", "REAL") and frame[c].notna().any()]
    odd = [(c, str(frame[c].dtype)) for c in columns if not pandas.api.types.is_numeric_dtype(frame[c])]
    check("%s: %d columns of numbers" % (name, len(columns)), not odd and (kind == "table" or len(frame)), odd)
    if kind == "table":
        check("%s has a key" % name, ask("SELECT count(*) AS n FROM pragma_table_info('%s') WHERE pk" % name).n[0] > 0)
views = set(objects[objects.type == "view"].name)
check("every view to start with was looked at", views - set(numbers) == {"cell"}, views)
full = ask("SELECT setting, score, full_score FROM comparison").groupby("setting").mean()
check("means by setting", abs(full.score["kvo-default"] - 62.5) < 1e-9, full)
print("1..%d" % n)
raise SystemExit(bad > 0)
P
