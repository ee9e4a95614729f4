#!/usr/bin/python3
"""Cut a set of reference values down to what is committed in tests/golden/data/kvo.

usage: cut_golden.py SOURCE DEST     (folders with index.json and its safetensors)

Takes the fewest cases (greedily) that between them show everything: each kind, width with grid,
group, chunk, kept share, ...; of whole layers and models those named below. Tensors that no test
reads are left out, shared inputs end where the longest case does, and weights, which are bf16
numbers stored in 32 bits, become BF16. Python 3, no packages.
"""
import json
import os
import struct
import sys

LEAVE_OUT = {"out_torch_cpu", "decode_out"}
LAYERS = {"sym_clip_small", "short_p20", "short_p0", "short_p45_nosel"}
RUNS = {"uncompressed", "gqa_uncompressed", "kvo_all"}
INPUTS = ("shared/q_rope", "shared/k_rope", "shared/v")  # [heads, tokens, head_dim]
PARTS = {"key", "value", "int8", "prompt_attn_weight_mask", "gen_attn_weight_mask",
         "local_heavy_hitter_mask"}
WIDTH = {"F64": 8, "I64": 8, "F32": 4, "I32": 4, "I16": 2, "BF16": 2, "U8": 1}
LARGEST_PROMPT = 65  # attention is n x n


def read(path):
    """Header and data of one safetensors file."""
    with open(path, "rb") as f:
        raw = f.read()
    n = struct.unpack("<Q", raw[:8])[0]
    header = json.loads(raw[8:8 + n])
    header.pop("__metadata__", None)
    return header, raw[8 + n:]


def write(path, tensors, about):
    """tensors: name -> (dtype, shape, bytes)."""
    header, at = {"__metadata__": about}, 0
    tensors = dict(sorted(tensors.items(), key=lambda t: WIDTH[t[1][0]], reverse=True))  # aligned
    for name, (dtype, shape, data) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [at, at + len(data)]}
        at += len(data)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text)
        for _, _, data in tensors.values():
            f.write(data)


def quant_features(c):
    q = c["config"]
    pruned = q.get("prune_en", 0)
    yield "kind", c.get("kind")
    yield "default", c["name"] == "default_random"
    yield "grid", q["n_bits"], q["symmetric"]
    yield "pruned", q["n_bits"], pruned
    yield "group", q["group_size"], q["symmetric"]
    yield "chunk", q.get("chunk_size"), q["symmetric"]
    yield "detail", c.get("detail"), q["n_bits"]
    yield "clip", q["symmetric"], q["clip_ratio"] < 1
    yield "steps", len(c.get("diff_len", []))
    yield "note", c.get("note", "")[:20]
    yield "crosses heads", q["group_size"] > c["head_dim"]
    if pruned:
        yield "kept", q["prune_budget"]


def features(c):
    if "config" in c:
        return set(quant_features(c))
    if c["part"] == "prompt_attn_weight_mask":
        return {("n", c["n"])} if c["n"] <= LARGEST_PROMPT else set()
    if c["part"] == "gen_attn_weight_mask":
        return {("start", c["start_len"])} if c["window"] <= 16 else set()
    return {("chunks", c["k"], c["chunk"], c["n"] % c["chunk"] > 0), ("queries", c["queries"])}


def choose(cases):
    """In the order of cases."""
    named = {i for i, c in enumerate(cases)
             if c["part"] == "layer" and c["name"] in LAYERS
             or c["part"] == "model" and c["name"] in RUNS}
    shows = {i: {(c["part"],) + f for f in features(c)} for i, c in enumerate(cases)
             if c["part"] in PARTS}
    seen, chosen = set(), named
    while True:
        best = max(shows, key=lambda i: len(shows[i] - seen))
        if not shows[best] - seen:
            return [cases[i] for i in sorted(chosen)]
        seen |= shows[best]
        chosen.add(best)


def shorten(dtype, shape, data, tokens):
    """[heads, all tokens, n] to [heads, tokens, n]."""
    row = WIDTH[dtype] * shape[2]
    parts = [data[h * shape[1] * row:(h * shape[1] + tokens) * row] for h in range(shape[0])]
    return dtype, [shape[0], tokens, shape[2]], b"".join(parts)


def inputs(cases, header, data):
    """What cases of one file share."""
    layers = [c["prompt"] + c["steps"] for c in cases if c["part"] == "layer"]
    for name in INPUTS if layers else ():
        h = header[name]
        yield name, shorten(h["dtype"], h["shape"], data[slice(*h["data_offsets"])], max(layers))
    if any(c["part"] == "model" for c in cases):
        h = header["prompt"]
        yield "prompt", (h["dtype"], h["shape"], data[slice(*h["data_offsets"])])


def cut_model(source, dest):
    header, data = read(os.path.join(source, "model.safetensors"))
    out = {}
    for name, h in header.items():
        x = data[slice(*h["data_offsets"])]
        assert h["dtype"] == "F32" and not any(x[0::4]) and not any(x[1::4]), name
        half = bytearray(len(x) // 2)
        half[0::2], half[1::2] = x[2::4], x[3::4]
        out[name] = "BF16", h["shape"], bytes(half)
    os.makedirs(dest, exist_ok=True)
    write(os.path.join(dest, "model.safetensors"), out, {"format": "pt"})
    with open(os.path.join(source, "config.json")) as f:
        config = f.read().replace('"float32"', '"bfloat16"')
    with open(os.path.join(dest, "config.json"), "w") as f:
        f.write(config)


def main(source, dest):
    with open(os.path.join(source, "index.json")) as f:
        index = json.load(f)
    chosen = choose(index["cases"])
    os.makedirs(dest, exist_ok=True)
    for name in sorted({c["file"] for c in chosen}):
        header, data = read(os.path.join(source, name))
        of_file = [c for c in chosen if c["file"] == name]
        out = dict(inputs(of_file, header, data))
        for c in of_file:
            c["tensors"] = [t for t in c["tensors"] if t not in LEAVE_OUT]
            for full in [c["name"] + "/" + t for t in c["tensors"]] + [c.get("input")]:
                if full:
                    h = header[full]
                    out[full] = h["dtype"], h["shape"], data[slice(*h["data_offsets"])]
        write(os.path.join(dest, name), out,
              {"generator": "authors code, float32, torch 1.13.0a0"})
        print(f"{name}: {len(out)} tensors, {os.path.getsize(os.path.join(dest, name))} bytes")
    for model in sorted({c["model"] for c in chosen if "model" in c}):
        cut_model(os.path.join(source, model), os.path.join(dest, model))
    kept = {k: index[k] for k in ("about", "source", "torch", "conventions", "tensors")}
    with open(os.path.join(dest, "index.json"), "w") as f:
        json.dump(dict(kept, cases=chosen), f, separators=(",", ":"))
        f.write("\n")
    print(f"{len(chosen)} of {len(index['cases'])} cases")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2])
