#!/bin/bash
# Writes configs/README.md from the program's own tables. usage: configs_readme.sh KVLAB
set -eu
kvlab=$1
part() { # TITLE WORDS...
    printf '\n## %s\n\n```\n' "$1"
    shift
    "$kvlab" show "$@"
    printf '```\n'
}
cat <<'TOP'
# configs

Data only: experiments (`*.json`), known models (`models/*.json`), the built-in model (`models/mini/`).
This page is written by `make docs` from the program's own tables; a test compares them.

An experiment is one JSON object. `kvlab run FILE` runs it, `kvlab plan FILE` says what that would do, `--set KEY=VALUE`
changes a key for one call (`--set protocol.bos=false`, `--set tasks='["qasper"]'`, `--set settings.1.name=x`). Unknown
and doubled keys, wrong types and values out of range are refused before any work.

| key | what |
|---|---|
| `name` | of the experiment; reports find it by this |
| `about` | for people; ignored |
| `model` | a known model (`kvlab list models`), a folder written with a `/`, or an object: see below |
| `samples` | records of each task: the first so many; 0 or absent: all (of a generated task 10) |
| `data` | where samples come from, for all tasks: see "tasks" below |
| `tasks` | names (`kvlab list tasks`, LongBench-E's with `_e`), or objects with a name and what differs; a generated one may be listed several times with other words or seeds |
| `protocol` | how a sample becomes a prompt and when an answer ends: see below |
| `settings` | what is compared: `{"name": ..., "chain": [...]}`; a chain lists methods, `"full"` or `{"kvo": {"key_bits": 4}}`; two methods that fill the same hook are refused; `"weights": {"bits": 4}` packs the weights, see below |

The configuration is resolved (every option with its value), echoed, stored and hashed. What makes a result the same
result is the content: weights, tokenizer, records, template, protocol, setting; never a name or a date.
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
for method in $("$kvlab" list methods | awk '{print $1}'); do
    part "Method $method" method "$method"
done
