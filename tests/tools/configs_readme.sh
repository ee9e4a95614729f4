#!/bin/bash
# Writes configs/README.md from the program's own tables. usage: configs_readme.sh KVLAB
set -eu
kvlab=$(realpath "$1")
cd "$(dirname "$0")/../.."
part() { # TITLE WORDS...
    printf '\n## %s\n\n```\n' "$1"
    shift
    "$kvlab" show "$@"
    printf '```\n'
}
cat <<'TOP'
# configs

Data only: experiments (`*.json`), those of papers (`papers/`, at the end), known models (`models/*.json`), the built-in
model (`models/mini/`).
This page is written by `make docs` from the program's own tables; a test compares them.

An experiment is one JSON object. `kvlab run FILE` runs it, `kvlab plan FILE` says what that would do, `--set KEY=VALUE`
changes a key for one call (`--set protocol.bos=false`, `--set tasks='["qasper"]'`, `--set settings.1.name=x`). Unknown
and doubled keys, wrong types and values out of range are refused before any work.

| key | what |
|---|---|
| `name` | of the experiment; reports find it by this |
| `about` | for people; ignored |
| `model` | a known model (`kvlab list models`), a folder written with a `/`, or an object: see below |
| `models` | in place of `model`: a list of them, each with a name of its own; `--model` replaces all by one |
| `samples` | records of each task: the first so many; 0 or absent: all (of a generated task 10) |
| `data` | where samples come from, for all tasks: see "tasks" below |
| `tasks` | names (`kvlab list tasks`, LongBench-E's with `_e`), or objects with a name and what differs; a generated one may be listed several times with other words or seeds, and its `words` and `seed` may be lists; `text` reads a `file` of yours, see datasets/README.md |
| `protocol` | how a sample becomes a prompt and when an answer ends: see below; any of it may be a list |
| `settings` | what is compared: `{"name": ..., "chain": [...]}`; a chain lists methods, `"full"` or `{"kvo": {"key_bits": 4}}`; two methods that fill the same hook are refused; `"weights": {"bits": 4}` packs the weights; grids and ablations: see below |

The configuration is resolved (every option with its value), echoed, stored and hashed. What makes a result the same
result is the content: weights, tokenizer, records, template, protocol, setting; never a name or a date.

## Lists: grids, ablations, variants

`kvlab plan FILE` shows what lists come to, before any work. `grid.json` and `ablation.json` are examples.

**A grid** makes a setting for every combination of its lists, the last one varying fastest:

```
{"name": "kvo {key_bits} bit, read {token_budget}", "chain": ["kvo"],
 "grid": {"key_bits": [2, 3, 4], "token_budget": [128, 256, 384]},
 "exclude": [{"key_bits": 4, "token_budget": 128}]}
{"name": "kvo", "chain": ["kvo"], "zip": {"key_group": [16, 32], "value_group": [16, 32]}}
```

| key | what |
|---|---|
| `grid` | lists of which every combination is a setting |
| `zip` | lists of equal length that advance together; with `grid`: every combination with every step |
| `exclude` | points to leave out: those that agree with all members of an entry; each must meet a point |
| `name` | `{key}` stands for its value; keys that it does not name follow as ` key=value` (of a zip one is enough) |

A key that varies is an option of one of the chain's methods (`"key_bits"`, or `"kvo.key_bits"` where several methods have it),
`"weights.OPTION"` (`"weights.bits": [4, 8, 16]`), or `"chain"` itself, a list of chains in place of the key next to `name`; the
other keys must then be options in each of them. What a list states replaces what the chain or `weights` state. Keys in `exclude`
and between braces are written as in the lists. `--set 'settings.1.grid.key_bits=[1,2]'` changes a list for one call.

**An ablation** is a base and, for one factor at a time, a setting for each value other than the base's own:

```
{"ablation": "bits", "base": {"name": "kvo", "chain": ["kvo"]}, "vary": {"key_bits": [1, 2, 3, 4], "order": [false]}}
{"ablation": "pruning", "base": "kvo", "vary": {"key_kept": [0.25, 0.5], "weights.bits": [4]}}
```

`base` is a setting or the name of one above; ablations may share it, it runs once. A variation is called as the base with
` key=value`. The stored configuration keeps of each setting its ablation, factor and value.

**Variants.** `models`, and lists in `protocol` (`{"preset": ["longbench", "kvo"], "max_prompt_tokens": [1000, 2000]}`), make
variants, a model with a protocol each: every setting runs in every one, and the table has a block for each. A configuration
of one model and one protocol is the same experiment however it is written. Lists of `words` and `seed` in an entry of
`tasks` make a task of every combination.

At most 1024 settings, 64 tasks, 16 models and 64 variants. A list that is empty or doubles a value, two settings that are the
same and two names that are equal are refused.
TOP
part "A task, and data" task
part "Protocol" protocol
part "Model" model
part "Weights of a setting" weights
cat <<'WEIGHTS'

Group-wise round to nearest, by the quantizer that KVO has for keys and values: scale `(max - min) / (2^bits - 1)` and
offset `min` of each group of inputs (symmetric: scale `max / (2^(bits-1) - 1)`, no offset), both rounded to `pairs` before
the codes are made. Packed are the linear layers of all blocks (q, k, v, o, gate, up, down); embedding, norms and head stay
as the checkpoint stores them, as in the authors' experiments. They stay packed in memory: a prompt is read with panels
decoded on the fly, steps multiply the codes themselves; both give the bits that a checkpoint of the decoded values gives.
Settings with different weights share the mapped checkpoint and never a prefill; 16 bits are the same setting as none.
WEIGHTS
for method in $("$kvlab" list methods | awk '$2 ~ /^[0-9]+$/ {print $1}'); do
    part "Method $method" method "$method"
done
cat <<'PAPERS'

## Papers

Experiments that give others' tables again, in papers/. They name models and data that are not here: `kvlab plan` says which.
A row that needs a method that this version lacks is left out and named in `about`.

| experiment | what |
|---|---|
PAPERS
for file in configs/papers/*.json; do
    about=$(sed -n -E 's/^    "about": "(.*)",$/\1/p' "$file")
    echo "| \`${file#configs/}\` | $about |"
done
column() { # N: the different words in it; no field that is asked for has a comma
    tail -n +2 "$file" | cut -d, -f "$1" | awk '!seen[$0]++' | paste -sd, | sed 's/,/, /g'
}
cat <<'PUBLISHED'

Numbers as published, in papers/published/: a line a number with its source (`runner/published.h` has the columns).
`kvlab import --published PAPER` stores them, `kvlab report against PAPER` puts ours beside them.

| paper | numbers | models | from |
|---|--:|---|---|
PUBLISHED
for file in configs/papers/published/*.csv; do
    paper=${file##*/}
    echo "| \`${paper%.csv}\` | $(tail -n +2 "$file" | wc -l) | $(column 3) | $(column 10) |"
done
