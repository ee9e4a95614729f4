#!/bin/bash
# kvlab bench: lines that can be parsed, mistakes refused before any work. Prints TAP.
set -u
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/cli/lib.sh
source "$here/lib.sh"

row='^\{"bench":"[a-z]+","case":"[^"]+","value":[0-9.e+-]+,"min":[^,]+,"max":[^,]+,"unit":"[^"]+","against":(null,"ratio":null|"[^"]+","ratio":[0-9.e+-]+,"ratio_min":[^,]+,"ratio_max":[^,]+)\}$'
rows() { # NAME AT-LEAST ARGS: every line is a row, in order of the bench named first
    local name=$1 least=$2
    shift 2
    "$KVLAB" bench "$@" --quick --json >out 2>err
    is "$name: exit" 0 $?
    is "$name: every line is a row" 0 "$(grep -cvE "$row" out)"
    is "$name: rows enough" yes "$( (($(wc -l <out) >= least)) && echo yes)"
}

refused() { # NAME PATTERN ARGS
    local name=$1 pattern=$2
    shift 2
    "$KVLAB" bench "$@" >out 2>err
    is "$name: exit" "2 0" "$? $(wc -c <out)"
    like "$name: message" "$pattern" "$(cat err)"
}

rows "bandwidth" 4 bandwidth --threads 1
rows "decode" 8 decode --context 64 --threads 2
is "decode: a step stands against its bytes" 1 \
    "$(grep -c '"case":"mini 64 kvo, step".*"against":"its bytes at the memory.s rate"' out)"
rows "prefill" 3 prefill --context 48 --threads 2
is "prefill: products stand against BLAS" 1 \
    "$(grep -c '"case":"mini 48 products".*"against":"sgemm alone"' out)"
rows "long" 6 long --context 32,64 --threads 1
is "long: a length stands against the one before" 1 \
    "$(grep -c '"case":"mini 64 kvo, prefill".*"against":"the length before"' out)"

rows "batch" 16 batch --context 48 --threads 2
is "batch: stands against one and against its bytes" "1 1" \
    "$(grep -c '"case":"mini 48 kvo, batch 16".*"against":"batch 1"' out) $(grep -c \
        '"case":"mini 48 kvo, batch 16".*"against":"its bytes at the memory.s rate"' out)"
rows "sweep" 5 sweep --context 160 --threads 2
is "sweep: stands against one pass" 1 \
    "$(grep -c '"case":"160 tokens and 8, sweep of 16".*"against":"one full pass"' out)"

rows "growth" 16 growth
is "growth: stands against the smallest case times the growth" 1 \
    "$(grep -c '"case":"settings: 4 of a prompt, time".*"against":"4 times the smallest (1: linear)"' out)"

refused "unknown bench" "kvlab: bench: there is no 'decod', did you mean 'decode'?*" bandwidth decod
refused "unknown shape" "*--shape is '1.1', must be one of mini, 1.1b, did you mean '1.1b'?*" \
    decode --shape 1.1
refused "unknown format of weights" "*--weights is 'q3', must be one of bf16, f16, f32*" decode --weights q3
refused "context" "*--context*" decode --context 100,x
refused "a folder without llama-bench" "*--llama-cpp: . holds neither llama-bench nor bin/llama-bench*" \
    decode --llama-cpp .
refused "a model that is not there" "*" model --model nowhere/

# A llama-bench that answers without computing.
mkdir -p bin
printf '#!/bin/bash\n' >bin/llama-bench
chmod +x bin/llama-bench
refused "no llama-batched-bench" "*./bin holds no llama-batched-bench; build it there*" batch --llama-cpp .
cat >bin/llama-bench <<'END'
#!/bin/bash
head -c 4 "$2" >&2
while (($#)); do [[ $1 == -r ]] && times=$2; [[ $1 == -ctk ]] && type=$2; shift; done
[[ $type == "$BREAK" ]] && exit 3
printf '[{"n_gen": 1, "samples_ts": ['
for ((i = 1; i < times; i++)); do printf '50, '; done
echo '100]}]'
END
chmod +x bin/llama-bench
cat >bin/llama-batched-bench <<'END'
#!/bin/bash
while (($#)); do [[ $1 == -npl ]] && list=$2; [[ $1 == -fa ]] && flash=$2; shift; done
for n in ${list//,/ }; do
    [[ $n == "$BREAK" ]] && exit
    echo "a line for people"
    [[ $flash == on ]] && echo "{\"pl\": $n, \"speed_tg\": 20}" || echo "{\"pl\": $n, \"speed_tg\": 10}"
done
END
chmod +x bin/llama-batched-bench
BREAK='' rows "batch against llama.cpp" 28 batch --context 48 --llama-cpp .
is "batch: the better of theirs" 1 "$(grep -c '"case":"mini 48 llama.cpp, batch 32","value":20,' out)"
is "batch: ours against theirs" 1 "$(grep -c '"case":"mini 48 f16, batch 4".*"llama.cpp.s batch"' out)"
BREAK=16 "$KVLAB" bench batch --context 48 --quick --llama-cpp . >out 2>err
is "a llama-batched-bench that stops: exit" 1 $?
like "a llama-batched-bench that stops: message" "*llama-batched-bench's output: 2 of 4 batches*" "$(cat err)"

BREAK='' rows "prefill against llama.cpp" 6 prefill --context 48 --llama-cpp .
is "prefill: ours against their best" 1 \
    "$(grep -c '"case":"mini 48 prefill","value".*"against":"llama.cpp f16"' out)"
BREAK='' rows "against llama.cpp" 16 decode --context 64 --llama-cpp . -v
is "the weights are a GGUF file" GGUFGGUF "$(tr -d '\n' <err | grep -o 'GGUFGGUF' | head -n 1)"
is "theirs stand against ours" 1 \
    "$(grep -c '"case":"mini 64 llama.cpp q8_0","value":100,.*"against":"f16"' out)"
is "ours against their best" 1 \
    "$(grep -c '"case":"mini 64 kvo","value".*"against":"llama.cpp f16"' out)"
BREAK=q8_0 "$KVLAB" bench decode --context 64 --quick --llama-cpp . >out 2>err
is "a llama-bench that fails: exit" 1 $?
like "a llama-bench that fails: message" "*llama.cpp q8_0*llama-bench failed*" "$(cat err)"
done_testing
