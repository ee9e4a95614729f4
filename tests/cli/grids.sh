#!/bin/bash
# Lists in configurations: grids, zips, exclusions, ablations, tasks, models and protocols; what is refused; a run
# of a grid under two protocols; that what was planned before is found again. Prints TAP.
set -u
here=$(dirname "$0")
# shellcheck source=tests/cli/lib.sh
source "$here/lib.sh"
KVLAB=${KVLAB:-./kvlab}
top=${KVLAB_HOME:-.}

small() { # SETTINGS [MORE KEYS]
    echo "{\"name\": \"small\", \"model\": \"mini\", \"samples\": 1, \"data\": {\"seed\": 5, \"words\": 60},
        \"tasks\": [\"mini_doc_qa\"], \"settings\": [$1]${2:-}}"
}
grid() { # MEMBERS: one entry that varies a chain of kvo
    echo "{\"name\": \"k\", \"chain\": [\"kvo\"], $1}"
}
plan() { # SETTINGS [FLAGS...]: the plan, on stdout
    small "$1" >plan.config
    "$KVLAB" plan plan.config --db none.db "${@:2}" 2>plan.err
}
names() { # SETTINGS: of all settings, joined by ;
    plan "$1" --json >plan.json
    sqlite3 :memory: "SELECT group_concat(json_extract(value, '\$.name'), ';')
        FROM json_each(readfile('plan.json'), '\$.configuration.settings')"
}

# ---- settings ----
is "a grid has every combination, the last list fastest" \
    "k key_bits=2 order=true;k key_bits=2 order=false;k key_bits=3 order=true;k key_bits=3 order=false" \
    "$(names "$(grid '"grid": {"key_bits": [2, 3], "order": [true, false]}')")"
is "a name is a template" "2 bit, read 64;3 bit, read 64" \
    "$(names '{"name": "{key_bits} bit, read {token_budget}", "chain": ["kvo"],
               "grid": {"key_bits": [2, 3], "token_budget": [64]}}')"
is "a zip advances its lists together" "k key_group=16 value_group=8;k key_group=32 value_group=16" \
    "$(names "$(grid '"zip": {"key_group": [16, 32], "value_group": [8, 16]}')")"
is "one key of a zip names its step" "g16 key_bits=2;g32 key_bits=2;g16 key_bits=3;g32 key_bits=3" \
    "$(names '{"name": "g{key_group}", "chain": ["kvo"], "grid": {"key_bits": [2, 3]},
               "zip": {"key_group": [16, 32], "value_group": [8, 16]}}')"
is "excluded points are left out" "k key_bits=2 order=true;k key_bits=3 order=true;k key_bits=3 order=false" \
    "$(names "$(grid '"grid": {"key_bits": [2, 3], "order": [true, false]}, "exclude": [{"key_bits": 2, "order": false}]')")"
is "weights and chains vary, too" "x full 4;x full 8;x kvo key_bits=4 4;x kvo key_bits=4 8" \
    "$(names '{"name": "x {chain} {weights.bits}", "grid": {"chain": [["full"], [{"kvo": {"key_bits": 4}}]], "weights.bits": [4, 8]}}')"
like "a key may name its method" "*k kvo.key_bits=3 *kvo key_bits=3*" "$(plan "$(grid '"grid": {"kvo.key_bits": [2, 3]}')")"
like "a list replaces what the chain states" "*k key_bits=3 *kvo key_bits=3 window=32*" \
    "$(plan '{"name": "k", "chain": [{"kvo": {"key_bits": 4, "window": 32}}], "grid": {"key_bits": [3]}}')"
is "an ablation varies one factor at a time" "b;b key_bits=1;b key_bits=3;b order=false" \
    "$(names '{"ablation": "a", "base": {"name": "b", "chain": ["kvo"]}, "vary": {"key_bits": [1, 2, 3], "order": [false]}}')"
shared='{"name": "b", "chain": ["kvo"]}, {"ablation": "one", "base": "b", "vary": {"key_bits": [1]}},
    {"ablation": "two", "base": {"name": "b", "chain": [{"kvo": {"key_bits": 2}}]}, "vary": {"window": [32], "key_bits": [1]}}'
is "ablations share a base" "b;b key_bits=1;b window=32" "$(names "$shared")"
is "the configuration keeps ablation, factor and value of each" \
    "b|one|kvo.key_bits|2|1
b|two|kvo.window|64|1
b|two|kvo.key_bits|2|1
b key_bits=1|one|kvo.key_bits|1|0
b key_bits=1|two|kvo.key_bits|1|0
b window=32|two|kvo.window|32|0" \
    "$(sqlite3 :memory: "SELECT json_extract(s.value, '\$.name'), json_extract(a.value, '\$.ablation'),
        json_extract(a.value, '\$.factor'), json_extract(a.value, '\$.value'), json_extract(a.value, '\$.base')
        FROM json_each(readfile('plan.json'), '\$.configuration.settings') s, json_each(s.value, '\$.ablations') a")"
is "--set reaches a list" "k key_bits=1;k key_bits=4" \
    "$(small "$(grid '"grid": {"key_bits": [2, 3]}')" >set.config
    "$KVLAB" plan set.config --db none.db --json --set 'settings.0.grid.key_bits=[1,4]' 2>set.err >set.json
    sqlite3 :memory: "SELECT group_concat(json_extract(value, '\$.name'), ';') FROM json_each(readfile('set.json'), '\$.configuration.settings')")"
long=$(grid '"grid": {"token_budget": [24,25,26,27,28,29,30,31,32,33,34,35,36,37,38,39,40,41,42,43,44,45,46,47,48]}')
like "a long list of settings is shortened" "*token_budget=46 *... and 2 more*" "$(plan "$long")"
like "and whole as JSON" '*"token_budget":48,*' "$(plan "$long" --json)"

# ---- what is refused: exit code 2, the place, no database ----
refused() { # NAME PATTERN CONFIG [FLAGS...]
    local name=$1 pattern=$2 rc
    echo "$3" >bad.config
    shift 3
    "$KVLAB" run bad.config --db m.db "$@" >out 2>err
    rc=$?
    is "$name: exit code" 2 $rc
    like "$name: message" "$pattern" "$(cat err)"
}
bad() { # NAME PATTERN MEMBERS
    refused "$1" "kvlab: bad.config: settings?0?: $2" "$(small "$(grid "$3")")"
}
bad "unknown key of a grid" "grid: unknown key 'key_bit', did you mean 'key_bits'?*option of kvo, weights.OPTION or chain*" \
    '"grid": {"key_bit": [2]}'
bad "the authors' name" "grid: unknown key 'kbits': it is called 'key_bits' here*" '"grid": {"kbits": [2]}'
bad "the authors' name after the method's" "zip: unknown key 'kvo.kbits': it is called 'key_bits' here*" '"zip": {"kvo.kbits": [2]}'
bad "another method's option" "grid: unknown key 'q8.group'*" '"grid": {"q8.group": [32]}'
bad "unknown option of the weights" "grid: unknown key 'weights.bit', did you mean 'weights.bits'*" '"grid": {"weights.bit": [4]}'
bad "unknown key of a setting" "unknown key 'gird', did you mean 'grid'?*" '"gird": {"key_bits": [2]}'
bad "a value out of range" "'k key_bits=17': kvo: key 'key_bits' is 17, must be a whole number from 1 to 16*" '"grid": {"key_bits": [2, 17]}'
bad "a value of another type" "'k key_bits=two': kvo: key 'key_bits' is a string, must be a number*" '"grid": {"key_bits": ["two"]}'
bad "no list" "grid: key 'key_bits' is a number, must be a list*" '"grid": {"key_bits": 2}'
bad "an empty list" "grid: key 'key_bits' is an empty list*" '"grid": {"key_bits": []}'
bad "an empty grid" "key 'grid' must be an object with a list for each key*" '"grid": {}'
bad "a doubled value" "grid: key 'key_bits' lists 2 twice*" '"grid": {"key_bits": [2, 3, 2.0]}'
bad "a zip of unequal lengths" "zip: key 'key_group' lists 2 values and 'value_group' 3: they must be equally many*" \
    '"zip": {"key_group": [16, 32], "value_group": [8, 16, 32]}'
bad "a zip that repeats a step" "zip: values 1 and 3 are the same in all lists*" '"zip": {"key_group": [16, 32, 16]}'
bad "an empty zip" "zip: lists of 0 values*" '"zip": {"key_group": []}'
bad "a key in grid and zip" "key 'key_bits' is in both 'grid' and 'zip'*" '"grid": {"key_bits": [2]}, "zip": {"key_bits": [2]}'
bad "one option under two keys" "grid: 'kvo.key_bits' varies under two keys*" '"grid": {"key_bits": [2], "kvo.key_bits": [3]}'
bad "a chain stated and varied" "key 'chain' is stated and varied*" '"grid": {"chain": [["full"]]}'
bad "an exclusion that meets no point" "exclude?1?: no point of the grid agrees with {\"key_bits\":5}*" \
    '"grid": {"key_bits": [2, 3]}, "exclude": [{"key_bits": 2}, {"key_bits": 5}]'
bad "an exclusion of no step of a zip" "exclude?0?: no point of the grid agrees with*" \
    '"zip": {"key_group": [16, 32], "value_group": [8, 16]}, "exclude": [{"key_group": 16, "value_group": 16}]'
bad "an exclusion by what does not vary" "exclude?0?: 'key_bit' does not vary here, did you mean 'key_bits'*" \
    '"grid": {"key_bits": [2, 3]}, "exclude": [{"key_bit": 2}]'
bad "an exclusion of everything" "'exclude' leaves no point of the grid*" \
    '"grid": {"key_bits": [2, 3]}, "exclude": [{"key_bits": 2}, {"key_bits": 3}]'
bad "an exclusion without keys" "exclude?0?: must be an object that names*" '"grid": {"key_bits": [2]}, "exclude": [{}]'
bad "an exclusion without a grid" "key 'exclude' without 'grid' or 'zip'*" '"exclude": [{"key_bits": 2}]'
numbers() { seq -s, "$1" "$2"; }
bad "too many settings" "makes 1200 settings, at most 1024 are allowed*" \
    "\"grid\": {\"token_budget\": [$(numbers 24 623)], \"key_bits\": [2, 3]}"
bad "too many combinations" "grid: the lists have 360000 combinations, at most 16384*" \
    "\"grid\": {\"token_budget\": [$(numbers 24 623)], \"window\": [$(numbers 24 623)]}"
refused "too many settings of several entries" "*key 'settings' makes 1201 settings, at most 1024*" "$(small \
    "$(grid "\"grid\": {\"token_budget\": [$(numbers 24 623)]}"), $(grid "\"grid\": {\"token_budget\": [$(numbers 1024 1623)]}"), {\"name\": \"full\", \"chain\": [\"full\"]}")"
refused "a placeholder that names nothing" "*settings?0?: key 'name': 'key_bit' does not vary here, did you mean 'key_bits'*" \
    "$(small '{"name": "x {key_bit}", "chain": ["kvo"], "grid": {"key_bits": [2]}}')"
refused "a placeholder without end" "*settings?0?: key 'name': '{key_bits' has no '}'*" \
    "$(small '{"name": "x {key_bits", "chain": ["kvo"], "grid": {"key_bits": [2]}}')"
refused "an option that one of the chains lacks" "*settings?0?: grid: unknown key 'key_bits'*an option of q8*" \
    "$(small '{"name": "x", "grid": {"chain": [["kvo"], ["q8"]], "key_bits": [2]}}')"
refused "a grid without chain" "*settings?0?: key 'chain' is missing*" "$(small '{"name": "x", "grid": {"key_bits": [2]}}')"
refused "equal settings under two names" "*settings?1?: settings 'k key_bits=2' and 'other' are the same*" \
    "$(small "$(grid '"grid": {"key_bits": [2, 3]}'), {\"name\": \"other\", \"chain\": [\"kvo\"]}")"
refused "two settings of one name" "*settings?1?: two settings are called 'k key_bits=3'*" \
    "$(small "$(grid '"grid": {"key_bits": [2, 3]}'), {\"name\": \"k key_bits=3\", \"chain\": [\"full\"]}")"
ablation() { # MEMBERS
    echo "{\"name\": \"b\", \"chain\": [\"kvo\"]}, {\"ablation\": \"a\", $1}"
}
off() { # NAME PATTERN MEMBERS
    refused "$1" "kvlab: bad.config: $2" "$(small "$(ablation "$3")")"
}
off "an ablation without a base" "settings?1?: key 'base' is missing*" '"vary": {"key_bits": [1]}'
off "an ablation of nothing" "settings?1?: vary: must have a list*" '"base": "b", "vary": {}'
off "a base that is not there" "settings?1?: base: no setting above is called 'bb', did you mean 'b'*" '"base": "bb", "vary": {"key_bits": [1]}'
off "a base with a grid" "settings?1?: base: unknown key 'grid'*" '"base": {"name": "x", "chain": ["kvo"], "grid": {}}, "vary": {"key_bits": [1]}'
off "a base that is neither" "settings?1?: base: is a number, must be a setting or the name of one*" '"base": 1, "vary": {"key_bits": [1]}'
off "unknown key of an ablation" "settings?1?: unknown key 'varry', did you mean 'vary'*" '"base": "b", "varry": {"key_bits": [1]}'
off "unknown factor" "settings?1?: vary: unknown key 'key_bit', did you mean 'key_bits'*" '"base": "b", "vary": {"key_bit": [1]}'
off "a factor without list" "settings?1?: vary: key 'key_bits' is a number, must be a list*" '"base": "b", "vary": {"key_bits": 1}'
off "a doubled value of a factor" "settings?1?: vary: key 'key_bits' lists 1 twice*" '"base": "b", "vary": {"key_bits": [1, 1]}'
off "only the base's own value" "ablation 'a': key 'kvo.key_bits' lists only 2, which the base has*" '"base": "b", "vary": {"key_bits": [2]}'
off "two ablations of one name" "settings?2?: two ablations are called 'a'*" \
    '"base": "b", "vary": {"key_bits": [1]}}, {"ablation": "a", "base": "b", "vary": {"key_bits": [3]}'
off "a base that is another setting of its name" "settings?1?: 'b': two settings are called 'b'*" \
    '"base": {"name": "b", "chain": ["full"]}, "vary": {"chain": [["q8"]]}'
full='{"name": "full", "chain": ["full"]}'
refused "model and models" "*'model' and 'models' are both there*" "$(small "$full" ', "models": ["mini"]')"
nomodel() { # KEYS
    small "$full" ", $1" | sed 's/"model": "mini", //'
}
refused "no models" "*key 'models' must list from 1 to 16*" "$(nomodel '"models": []')"
refused "a model twice" "*models?1?: two models are called 'mini'*" "$(nomodel '"models": ["mini", "mini"]')"
refused "an unknown model in a list" "*models?1?: unknown model 'minni', did you mean 'mini'*" "$(nomodel '"models": ["mini", "minni"]')"
refused "a folder for two models" "*--model-dir: there are 2 models*" \
    "$(nomodel '"models": ["mini", {"name": "m2", "dir": "configs/models/mini", "max_prompt_longbench": 2000}]')" --model-dir x
refused "one checkpoint under two names" "*models 'mini' and 'm2' are the same under the same protocol*" \
    "$(nomodel '"models": ["mini", {"name": "m2", "dir": "configs/models/mini", "max_prompt_longbench": 3500}]')"
refused "an empty list of an option of the protocol" "*protocol: key 'bos' is an empty list*" "$(small "$full" ', "protocol": {"bos": []}')"
refused "a doubled one" "*protocol: key 'bos' lists true twice*" "$(small "$full" ', "protocol": {"bos": [true, true]}')"
refused "a value of the protocol" "*protocol: key 'preset' is 'kvoo', must be one of longbench, kvo*" "$(small "$full" ', "protocol": {"preset": ["kvo", "kvoo"]}')"
refused "equal protocols" "*protocol: 'max_prompt_tokens=3500' and 'max_prompt_tokens=3500' are the same protocol*" \
    "$(small "$full" ', "protocol": {"max_prompt_tokens": [0, 3500]}')"
refused "too many variants" "*protocol: 1 models and 65 protocols make 65 variants, at most 64*" \
    "$(small "$full" ", \"protocol\": {\"max_prompt_tokens\": [$(numbers 100 164)]}")"
tasks() { # TASKS
    small "$full" | sed "s/\"tasks\": .*\],/\"tasks\": [$1],/"
}
refused "an empty list of words" "*tasks?0?: key 'words' is an empty list*" "$(tasks '{"name": "mini_code", "words": []}')"
refused "another list in a task" "*tasks?0?: key 'samples' is a list: only 'words', 'seed' and 'file' may be*" "$(tasks '{"name": "mini_code", "samples": [1, 2]}')"
refused "words of a task that is not generated" "*tasks?0?: key 'words' is a list, and task 'qasper' is not generated*" \
    "$(tasks '{"name": "qasper", "data_dir": "x", "words": [1, 2]}')"
refused "a task twice by lists" "*tasks?1?: task 'mini_code' is listed twice*" \
    "$(tasks '{"name": "mini_code", "words": [60, 80]}, {"name": "mini_code", "words": 80}')"
refused "too many tasks" "*tasks?1?: makes 64 tasks, at most 64 in all*" "$(tasks "\"mini_doc_qa\", {\"name\": \"mini_code\", \"seed\": [$(numbers 1 64)]}")"
is "no mistake made a database" no "$([[ -e m.db ]] && echo yes || echo no)"

# ---- two protocols and a grid from beginning to end ----
cat >both.json <<'J'
{"name": "both", "models": ["mini"], "samples": 3, "data": {"seed": 5},
 "tasks": [{"name": "mini_doc_qa", "words": [80, 160]}, {"name": "mini_report", "words": 120, "samples": 2}],
 "protocol": {"max_prompt_tokens": [60, 2000], "max_new_tokens": 12},
 "settings": [{"name": "full", "chain": ["full"]},
  {"name": "kvo {key_bits}", "chain": [{"kvo": {"window": 32, "token_budget": 64}}], "grid": {"key_bits": [2, 4]}},
  {"name": "four", "chain": ["full"], "weights": {"bits": 4}}]}
J
like "the plan says what there is of each" \
    "*variants    2*max_prompt_tokens=60*max_prompt_tokens=2000*items       64: 1 model x 2 protocols x 4 settings x 8 samples of 3 tasks*" \
    "$("$KVLAB" plan both.json --db none.db 2>err)"
like "as JSON, too" '{"items":64,"prefill_classes":3,"settings":4,"tasks":3,"models":1,"protocols":2,"samples":8,*' \
    "$("$KVLAB" plan both.json --db none.db --json 2>err)"
"$KVLAB" run both.json --db both.db >out 2>err
is "it runs" 0 $?
is "each item is there" "64" "$(sqlite3 both.db "SELECT count(*) FROM job WHERE state = 'done'")"
like "progress tells of the protocol that is at work, then of all, and how fast" \
    "*max_prompt_tokens=*: * of 32, all: * of 64 items  * prompt, * new tokens/s*" "$(cat err)"
is "prompts are cut as each protocol says" "60 cut 2000 whole " "$(sqlite3 both.db "SELECT p.max_prompt_tokens ||
    iif(max(j.prompt_tokens < j.prompt_tokens_before_cut), ' cut', ' whole') FROM job j JOIN run r ON r.id = j.run
    JOIN protocol p ON p.id = r.protocol GROUP BY p.max_prompt_tokens" | tr '\n' ' ')"
like "the table has a block for each, the notes once" \
    "both: mini, protocol longbench, max_prompt_tokens=60, 4 settings*kvo 2*four*both: mini, protocol longbench, max_prompt_tokens=2000, 4 settings*kvo 2*four*Scores 0-100*" "$(cat out)"
is "once" 1 "$(grep -c '^Scores' out)"
"$KVLAB" report table --db both.db --format markdown >out
is "so in Markdown" "2 1" "$(grep -c '^### both: mini' out) $(grep -c '^- Scores' out)"
"$KVLAB" report table --db both.db --format csv >out
is "CSV has a column for what differs" "model,protocol,max_prompt_tokens,setting,weights,mini_doc_qa words 80" "$(head -n 1 out | cut -d, -f 1-6)"
is "and a line for each setting of each" "60 60 60 60 2000 2000 2000 2000 " "$(tail -n +2 out | cut -d, -f 3 | tr '\n' ' ')"
is "phases of one weights format follow each other" "1" "$(sqlite3 both.db "SELECT count(*) FROM
    (SELECT w <> lag(w) OVER (ORDER BY id) AS new FROM (SELECT j.id, c.weights IS NOT NULL AS w FROM job j
     JOIN run r ON r.id = j.run JOIN setting c ON c.id = r.setting)) WHERE new")"
is "in a phase tasks take turns" "mini_doc_qa mini_doc_qa mini_report mini_doc_qa mini_doc_qa mini_report mini_doc_qa mini_doc_qa " \
    "$(sqlite3 both.db "SELECT t.name FROM (SELECT DISTINCT j.task, j.sample_hash, min(j.id) AS first FROM job j
        JOIN run r ON r.id = j.run JOIN setting c ON c.id = r.setting WHERE c.weights IS NULL GROUP BY 1, 2) g
        JOIN task t ON t.id = g.task ORDER BY first" | tr '\n' ' ')"
is "longer prompts come first in each task" 0 "$(sqlite3 both.db "SELECT count(*) FROM
    (SELECT j.prompt_tokens_before_cut + 8 < lead(j.prompt_tokens_before_cut) OVER (PARTITION BY j.task ORDER BY j.id) AS wrong FROM job j
     JOIN run r ON r.id = j.run JOIN setting c ON c.id = r.setting WHERE c.method = 'full' AND c.weights IS NULL
     AND r.protocol = (SELECT max(id) FROM protocol)) WHERE wrong")"
"$KVLAB" run both.json --db both.db >out 2>err
like "the same again computes nothing" "*0 of 64 items are new*0 items done*" "$(cat err)"
"$KVLAB" run both.json --db both.db --set protocol.max_prompt_tokens=2000 >out 2>err
like "one of its protocols alone is there already" "*0 of 32 items are new*" "$(cat err)"

# ---- answers of another length make other tasks ----
"$KVLAB" run both.json --db both.db --set protocol.max_prompt_tokens=2000 --set 'protocol.max_new_tokens=[4,12]' >out 2>err
is "lengths of answers run" 0 $?
is "no cell is missing in their tables" 0 "$(grep -c 'not comparable' out)"
is "and they share a column in CSV" "model,protocol,max_new_tokens,setting,weights,mini_doc_qa words 80,mini_doc_qa words 160,mini_report,mean" \
    "$("$KVLAB" report table --db both.db --format csv | head -n 1 | cut -d, -f 1-9)"

# ---- several models, engines by path ----
sed 's/"models": \["mini"\]/"models": ["mini", {"name": "long", "dir": "configs\/models\/mini", "max_positions": 5000, "max_prompt_longbench": 3500}]/; s/"max_new_tokens": 12/"max_new_tokens": 4, "path": ["fast", "floats"]/' both.json >models.json
"$KVLAB" run models.json --limit 1 --db models.db >out 2>err
is "two models with two engines each run" 0 $?
is "under their names" "long 2
mini 2" "$(sqlite3 -separator ' ' models.db "SELECT m.name, count(DISTINCT p.prefill_path) FROM run r JOIN model m ON m.id = r.model JOIN protocol p ON p.id = r.protocol GROUP BY 1")"
is "floats give the same answers as packed caches" 0 "$(sqlite3 models.db "SELECT count(*) FROM (SELECT count(DISTINCT j.new_ids) AS n
    FROM job j JOIN run r ON r.id = j.run JOIN protocol p ON p.id = r.protocol GROUP BY r.model, r.setting, j.task, j.sample, p.max_prompt_tokens) WHERE n > 1")"
"$KVLAB" plan models.json --db none.db --model mini >out 2>err
like "--model stands for all of them" "*: 1 model x 4 protocols x *" "$(cat out)"

# ---- what was planned before is found again ----
canonical() { # CONFIG: hash of the text that is its identity, without the folder of this machine
    "$KVLAB" plan "$1" --json --db none.db 2>err | sed -e 's/.*"configuration"://' -e 's/}$//' -e 's/"dir":"[^"]*"/"dir":""/' | sha256sum | cut -d' ' -f1
}
is "the demo is the experiment that it was before there were lists" 5fc7073117313647843f3ebe21d86ca5ab8310ebf6e8fa02e51261daaac61905 "$(canonical "$top/configs/demo.json")"
is "and ema" aa4818919c3612d464bcdf548ea2b700ed44b734d9e05bcd9c7b5a6f7420ca57 "$(canonical "$top/configs/ema.json")"
sed -e 's/"model": "mini"/"models": ["mini"]/' -e 's/{"preset": "longbench"}/{"preset": ["longbench"]}/' "$top/configs/demo.json" >lists.json
is "lists of one make the same experiment" "$(canonical "$top/configs/demo.json")" "$(canonical lists.json)"
for config in ablation grid; do
    like "configs/$config.json is planned" '{"items":*' "$("$KVLAB" plan "$top/configs/$config.json" --json --db none.db 2>err)"
done
done_testing
