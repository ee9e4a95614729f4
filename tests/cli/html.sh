#!/bin/bash
# kvlab report html, failures and provenance: the page as a file here, as a browser sees it in
# tests/tools/page_check.py where chromium and its driver are. Prints TAP.
# KVLAB_SHOTS=FOLDER keeps pictures of it there.
set -u
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/cli/lib.sh
source "$here/lib.sh"
KVLAB=${KVLAB:-./kvlab}
home=${KVLAB_HOME:-.}

settings='settings=[{"name": "full", "chain": ["full"]}, {"name": "kvo", "chain": ["kvo"]},
 {"name": "kvo 1 bit", "chain": [{"kvo": {"key_bits": 1, "value_bits": 1, "first_layer": 0}}]}]'
tasks='tasks=[{"name": "mini_classify", "words": 200}, {"name": "mini_retrieval", "words": 200}]'
"$KVLAB" run "$home/configs/demo.json" --db h.db --limit 3 --set "$settings" --set "$tasks" >out 2>err ||
    { cat err; echo "not ok 1 - a small experiment runs"; exit 1; }

report() {
    "$KVLAB" report "$@" --db h.db >out 2>err
}

# ---- failures ----
report failures
is "a whole experiment has no failures" 0 $?
like "and says so" "*No item failed.*Every cell is whole*" "$(cat out)"
report failures --format csv
is "a table without rows has its heads" "setting,model,task,items,class,reason,machine,for_example,tries,crashes" "$(cat out)"
sqlite3 h.db "
UPDATE job SET state = 'failed', prediction = NULL, error = 'out of memory <b>&' WHERE id IN
 (SELECT j.id FROM job j JOIN run r ON r.id = j.run JOIN setting c ON c.id = r.setting WHERE c.name = 'kvo' ORDER BY j.id LIMIT 1);
DELETE FROM score WHERE job IN (SELECT id FROM job WHERE state = 'failed');
INSERT INTO failure (job, finished_at, build, error) SELECT id, finished_at, build, error FROM job WHERE state = 'failed';
INSERT INTO failure (job, finished_at, build, error) SELECT max(id), max(finished_at), 1, 'disk full' FROM job WHERE state = 'done';
UPDATE job SET kv_bytes = kv_full_bytes, kv_read_bytes = kv_read_full_bytes WHERE run =
 (SELECT r.id FROM run r JOIN setting c ON c.id = r.setting WHERE c.name = 'kvo 1 bit');
UPDATE job SET prediction = '<script>document.title=1</script>' || char(7, 8238, 10) || CAST(x'ff' AS TEXT) || '&\"''end'
 WHERE id = (SELECT max(id) FROM job WHERE state = 'done');"
report failures
like "a failed item stands there with its reason" "*kvo *out of memory <b>&*--retry*" "$(tr -s ' \n' ' ' <out)"
like "one that was mended, too" "*disk full*" "$(cat out)"
like "its cell is not whole" "*Cells of a table that are not whole*kvo mini mini_* 3 2 1 0 0 0 *" "$(tr -s ' \n' ' ' <out)"
like "compression that changed nothing is named" "*stayed full*kvo 1 bit mini kvo 6 6 *" "$(tr -s ' \n' ' ' <out)"
classes() { # REASON
    cp h.db class.db
    sqlite3 class.db "UPDATE job SET error = '$1' WHERE state = 'failed'"
    "$KVLAB" report failures --db class.db --format csv | tail -1 | cut -d, -f5
    "$KVLAB" report failures --db class.db | grep -A3 -E '^(crash|memory|disk|length|data|metric|setting|other)  [0-9]+ item' | tr -s ' \n' ' '
}
like "class: crash" "crash?crash 1 item: kvlab run CONFIG.json --retry --workers 1. *" "$(classes 'a worker crashed twice at it (signal 11, Segmentation fault)')"
like "class: memory, with what is needed" "memory?memory 1 item: kvlab run CONFIG.json --retry --workers 1 --memory 514M. *" \
    "$(classes 'mini_code[3]: prompt of 2000 tokens needs 512.3 MiB for its cache, 100.0 MiB are allowed')"
like "class: memory of weights" "memory?memory 1 item: kvlab run CONFIG.json --retry --workers 1. *" "$(classes 'weights of 4 bits need 9.0 GiB, 1.0 GiB are free')"
like "class: disk" "disk?disk 1 item: kvlab run CONFIG.json --retry. *" "$(classes 'database or disk is full')"
like "class: length is not tried again" "length?length 1 item; no retry: *" "$(classes 'prompt has 9000 tokens, the model has 4096 positions')"
like "class: data" "data?data 1 item; no retry: *" "$(classes 'byte 7 of the text is not valid UTF-8')"
like "class: metric" "metric?metric 1 item: *--rescore*" "$(classes 'classification_score needs the list of classes (all_classes)')"
like "class: setting" "setting?setting 1 item; no retry: *" "$(classes 'snapkv: layer 3: kept 140 > budget 128')"
like "class: other" "other?other 1 item: *" "$(classes 'the moon was full')"
for f in markdown csv json latex html; do
    report failures --format $f
    like "failures as $f" "0 *memory*" "$? $(cat out)"
    report provenance --format $f
    like "provenance as $f" "0 *gcc*" "$? $(tr -d '\n' <out | sed 's/clang/gcc/')"
done

# ---- provenance ----
report provenance --format json
is "whole hashes, of data and templates" "2 2" "$(python3 -c '
import json; t = json.load(open("out"))["grids"]["tasks"]
print(len(t), sum(len(x["data_hash"]) == len(x["template_hash"]) == 64 for x in t))')"
versions() { # DATABASE: of its first experiment
    "$KVLAB" report provenance --db "$1" --experiment demo --format json |
        python3 -c 'import json, sys; print(*(x["metric_version"] for x in json.load(sys.stdin)["grids"]["tasks"]), sep="|")'
}
was=$(versions h.db)
cp h.db versions.db
sqlite3 versions.db "INSERT INTO run (id, identity, model, setting, protocol, origin, created) SELECT 999, 'other', model, setting, protocol, origin, created FROM run LIMIT 1;
INSERT INTO job (id, identity, run, task, sample, sample_index, sample_hash, prefill_class, state) SELECT 9999, 'other', 999, task, sample, sample_index, sample_hash, prefill_class, 'ready' FROM job WHERE state = 'done' LIMIT 1;
INSERT INTO score SELECT 9999, metric, 77, value FROM score WHERE job = (SELECT id FROM job WHERE state = 'done' LIMIT 1)"
is "a version that scored other runs is not of these" "$was" "$(versions versions.db)"
sqlite3 versions.db "INSERT INTO score SELECT job, metric, 78, value FROM score WHERE job = (SELECT id FROM job WHERE state = 'done' LIMIT 1)"
like "one that scored an item of these is" "*, 78*" "$(versions versions.db)"
is "each build with its items" "$(sqlite3 h.db "SELECT count(*) FROM job WHERE finished_at IS NOT NULL")" \
    "$(python3 -c 'import json; print(sum(b["items"] for b in json.load(open("out"))["grids"]["builds"]))')"
sqlite3 h.db "INSERT INTO build (identity, version, host) VALUES ('x', '9.9', 'elsewhere');
UPDATE job SET build = 2 WHERE id IN (SELECT id FROM job ORDER BY id LIMIT 4);"
report provenance
like "several builds are named first" "*2 builds or machines computed*Build 2*9.9*elsewhere*items * 4*Items by run and build*" "$(cat out)"

# ---- the page as a file ----
report html -o page.html
is "the page is written" 0 $?
report html
is "and is the same each time" "" "$(cmp out page.html 2>&1)"
is "nothing of another address is asked for" "" "$(grep -oE '(src|href)="[^#"][^"]*"' page.html)"
is "answers run nothing" "" "$(grep -o '<script>document' page.html)"
is "they are shown as they are" 1 "$(grep -cF '&lt;script&gt;document.title=1&lt;/script&gt;\x07\u202e' page.html)"
is "to their last byte" 1 "$(grep -cF '\xff&amp;&quot;&#39;end' page.html)"
is "it is UTF-8" 0 "$(iconv -f utf-8 -t utf-8 page.html >/dev/null 2>&1; echo $?)"
for name in $("$KVLAB" list reports | awk '{print $1}'); do
    [[ $name == table || $name == html ]] && continue
    "$KVLAB" report "$name" --help | grep -q "report $name \[" || continue
    is "report $name stands in it" 1 "$(grep -c "id=\"report-$name\"" page.html)"
done
attack='<script>alert(1)</script>" onclick="x'
cp h.db bad.db
sqlite3 bad.db "UPDATE experiment_run SET name = '$attack'; UPDATE experiment SET name = '$attack' || char(7);
UPDATE model SET name = '$attack'; UPDATE task SET name = '$attack' || name; UPDATE protocol SET preset = '$attack';
UPDATE job SET sample = '$attack' || id; UPDATE sample SET answers = 'not JSON $attack'"
"$KVLAB" report html --db bad.db -o bad.html
is "names that attack stay names: one script, no handler" "0 1 0" "$? $(python3 - bad.html <<'P'
import html.parser, sys
class Seen(html.parser.HTMLParser):
    scripts = handlers = 0
    def handle_starttag(self, tag, attributes):
        self.scripts += tag == "script"
        self.handlers += any(name.startswith("on") for name, _ in attributes)
seen = Seen()
seen.feed(open(sys.argv[1], encoding="utf-8").read())
print(seen.scripts, seen.handlers)
P
)"
report html --items 2
is "as many items as are asked for" 2 "$(grep -c '<tr><th scope="row">' <(sed -n '/id="items0"/,$p' out))"
like "and of how many" "*2 of 18 items of this page*--items N*" "$(cat out)"
report html --format csv
like "no other format" "2 *report html is a page of its own*" "$? $(cat err)"
report html --experiment demmo
like "an experiment that is not there" "2 *demmo*demo*" "$? $(cat err)"

# ---- the page in a browser ----
if command -v chromium >/dev/null && command -v chromedriver >/dev/null; then
    HOME=$PWD timeout 100 python3 "$home/tests/tools/page_check.py" "$PWD/page.html" ${KVLAB_SHOTS:+"$KVLAB_SHOTS"} >seen 2>seen.err
    is "the browser's checks end" 0 $?
    [[ -s seen.err ]] && sed 's/^/# /' seen.err
    while IFS= read -r line; do
        case $line in "ok "*) ok "${line#ok }" ;; "not ok "*) not_ok "${line#not ok }" "" "" ;; *) echo "$line" ;; esac
    done <seen
else
    ok "the page in a browser # SKIP no chromium or chromedriver (make deps-dev)"
fi
done_testing
