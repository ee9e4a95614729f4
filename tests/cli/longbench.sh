#!/bin/bash
# LongBench's real records, where they are there (KVLAB_SHARED/golden/longbench), all the way through
# the built-in model: loaded, prompted, cut, prefilled, compressed, decoded, scored, stored. Its answers
# are poor; the path is real. The first record of each of the 34 files with short answers, or with
# LONG=1 every record with answers of full length (make check-long).
# Prints TAP.
set -u
here=$(dirname "$0")
# shellcheck source=tests/cli/lib.sh
source "$here/lib.sh"
KVLAB=${KVLAB:-./kvlab}
data=${KVLAB_SHARED:-../shared}/golden/longbench
if [[ ! -d $data ]]; then
    echo "ok 1 - LongBench's records # SKIP third-party data is not here (KVLAB_SHARED)"
    exit 0
fi
configs=${KVLAB_HOME:-.}/configs
short=(--limit 1 --set protocol.max_prompt_tokens=1500 --set protocol.max_new_tokens=4 --set 'settings=[{"name": "kvo", "chain": ["kvo"]}]')
[[ ${LONG:-} ]] && short=()

for name in longbench longbench_e; do
    "$KVLAB" run "$configs/$name.json" --db lb.db --set data.data_dir="$data" "${short[@]}" >out 2>err
    is "$name runs" 0 $?
done
ask() {
    "$KVLAB" query --db lb.db --format csv "$1" | tail -n 1
}
is "34 files" 34 "$(ask "SELECT count(DISTINCT task) FROM item")"
is "no item failed" 0 "$(ask "SELECT count(*) FROM item WHERE error IS NOT NULL")"
is "every item has an answer" 0 "$(ask "SELECT count(*) FROM item WHERE new_tokens IS NULL")"
is "every item is scored" 0 "$(ask "SELECT count(*) FROM item WHERE score IS NULL")"
# Two halves decoded and encoded again may have some more tokens than before.
is "no prompt is longer than it may be" 0 "$(ask "SELECT count(*) FROM item WHERE prompt_tokens > 3550")"
[[ ${LONG:-} ]] &&
    is "every record is there" "$(cat "$data"/*.jsonl | wc -l)" \
        "$(ask "SELECT count(*) FROM (SELECT DISTINCT task, sample_index FROM item)")"
done_testing
