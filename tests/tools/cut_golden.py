#!/usr/bin/python3
"""Cut a set of reference values down to what is committed in tests/golden/data/kvo.

usage: cut_golden.py SOURCE DEST     (folders with index.json and its safetensors)

Takes the fewest cases (greedily) that between them show everything: each kind, width with grid,
group, chunk, kept share, ... Tensors that no test reads are left out. Python 3, no packages.
"""
import json
import os
import struct
import sys

LEAVE_OUT = {"out_torch_cpu"}
PARTS = {"key", "value", "int8", "prompt_attn_weight_mask", "gen_attn_weight_mask",
         "local_heavy_hitter_mask"}
WIDTH = {"F64": 8, "I64": 8, "F32": 4, "I32": 4, "I16": 2, "U8": 1}
LARGEST_PROMPT = 65  # attention is n x n


def read(path):
    """Header and data of one safetensors file."""
    with open(path, "rb") as f:
        raw = f.read()
    n = struct.unpack("<Q", raw[:8])[0]
    header = json.loads(raw[8:8 + n])
    header.pop("__metadata__", None)
    return header, raw[8 + n:]


def write(path, tensors):
    """tensors: name -> (dtype, shape, bytes)."""
    header, at = {"__metadata__": {"generator": "authors code, float32, torch 1.13.0a0"}}, 0
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
    shows = {i: {(c["part"],) + f for f in features(c)} for i, c in enumerate(cases)
             if c["part"] in PARTS}
    seen, chosen = set(), set()
    while True:
        best = max(shows, key=lambda i: len(shows[i] - seen))
        if not shows[best] - seen:
            return [cases[i] for i in sorted(chosen)]
        seen |= shows[best]
        chosen.add(best)


def main(source, dest):
    with open(os.path.join(source, "index.json")) as f:
        index = json.load(f)
    chosen = choose(index["cases"])
    os.makedirs(dest, exist_ok=True)
    for name in sorted({c["file"] for c in chosen}):
        header, data = read(os.path.join(source, name))
        out = {}
        for c in (c for c in chosen if c["file"] == name):
            c["tensors"] = [t for t in c["tensors"] if t not in LEAVE_OUT]
            for full in [c["name"] + "/" + t for t in c["tensors"]] + [c.get("input")]:
                if full:
                    h = header[full]
                    out[full] = h["dtype"], h["shape"], data[slice(*h["data_offsets"])]
        write(os.path.join(dest, name), out)
        print(f"{name}: {len(out)} tensors, {os.path.getsize(os.path.join(dest, name))} bytes")
    kept = {k: index[k] for k in ("about", "source", "torch", "conventions", "tensors")}
    with open(os.path.join(dest, "index.json"), "w") as f:
        json.dump(dict(kept, cases=chosen), f, separators=(",", ":"))
        f.write("\n")
    print(f"{len(chosen)} of {len(index['cases'])} cases")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2])
