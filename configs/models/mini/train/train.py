"""Trains the small Llama that the harness ships as its built-in model. Usage: train.py --seconds 480 --out DIR

Needs the program itself, which makes the text (KVLAB=PATH, default: kvlab at the top of the tree), PyTorch with a GPU,
numpy, safetensors and sentencepiece. KVLAB_MINI_TOKENIZER=PATH (default: tokenizer.model of the shipped model)."""
import argparse, json, math, multiprocessing as mp, os, struct, subprocess, time
import numpy as np
from tok import Tok

TASKS = {  # tokens per generator word, so that a target length in tokens can be asked for
    'mini_doc_qa': .92, 'mini_multi_hop': 1.62, 'mini_report': 1.05, 'mini_classify': 1.42,
    'mini_retrieval': 1.26, 'mini_code': 2.34, 'mini_qa_zh': .35}
BUCKETS = [128, 256, 512, 1024, 2048, 4096]
BOS, EOS = 1, 2
HERE = os.path.dirname(os.path.abspath(__file__))
KVLAB = os.environ.get('KVLAB', os.path.join(HERE, '..', '..', '..', '..', 'kvlab'))
TOKENIZER = os.environ.get('KVLAB_MINI_TOKENIZER', os.path.join(HERE, '..', 'tokenizer.model'))
GEN_ENV = dict(os.environ, OPENBLAS_NUM_THREADS='1')  # the generator computes nothing, and is started very often
SCHEDULE = [  # progress until -> probability of each bucket
    (.10, [1, 0, 0, 0, 0, 0]), (.20, [1, 1, 0, 0, 0, 0]), (.32, [1, 1, 1, 0, 0, 0]), (.45, [.5, .5, 1, 1, 0, 0]),
    (.60, [.3, .5, 1, 1, 1, 0]), (.80, [.2, .3, .7, 1, 1, .6]), (1.1, [.1, .2, .4, 1, 1.2, 1])]

def gen(task, n, words, seed, q):
    r = subprocess.run([KVLAB, 'data', 'generate', '--task', task, '--n', str(n), '--words', str(words),
                        '--min-words', str(max(min(8, words), words * 6 // 10)), '--seed', str(seed), '--train', str(min(q, 64))],
                       stdout=subprocess.PIPE, text=True, encoding='utf-8', check=True, env=GEN_ENV)
    return [l.replace('\x1e', '\n').split('\x1f') for l in r.stdout.split('\n')[:-1]]

def worker(wid, queue, progress, tokens_per_batch, ctxw, maxlen, base):
    tok = Tok(TOKENIZER); rng = np.random.default_rng(1000 + wid + base); seed = 10_000_000 * (wid + 1) + base * 1_000_000_000
    names = list(TASKS); weights = np.array([.8, 2.4, 1.8, .8, 1.0, .9, .5]); weights /= weights.sum()
    while True:
        p = progress.value
        for until, probs in SCHEDULE:
            if p < until: break
        probs = np.array(probs[:len(BUCKETS)], float) * (np.array(BUCKETS) <= maxlen); probs = probs if probs.sum() else 1. * (np.array(BUCKETS) == maxlen)
        L = int(rng.choice(BUCKETS, p=probs / probs.sum())); rows = tokens_per_batch // L
        x = np.zeros((rows, L + 1), np.uint16); w = np.zeros((rows, L + 1), np.float16)
        i = 0
        while i < rows:
            task = names[rng.choice(len(names), p=weights)]
            n = min(rows - i, 4)
            q = int(rng.integers(2, 4 + L // 20)); seed += 1
            words = max(8, int(L * (.72 if task == 'mini_report' else .6 if L < 512 else .8) / TASKS[task]))
            if rng.random() < .3: words = max(10, words // 2)
            for seg in gen(task, n, words, seed, q):
                ids = [BOS]; lw = [0.]
                for k, s in enumerate(seg):
                    if not s: continue
                    t = tok.encode(s, k == 0)
                    if k % 2: t = t + [EOS]
                    ids += t; lw += [1. if k % 2 else ctxw] * len(t)
                    if len(ids) > L + 1 and k == 0: break
                if sum(1 for v in lw[:L + 1] if v == 1.) < 2: continue
                m = min(len(ids), L + 1); x[i, :m] = ids[:m]; w[i, :m] = lw[:m]; i += 1
                if i == rows: break
        queue.put((x, w))

def main():
    ap = argparse.ArgumentParser()
    ap.add_argument('--seconds', type=float, default=480); ap.add_argument('--out', default='out')
    ap.add_argument('--dim', type=int, default=256); ap.add_argument('--layers', type=int, default=8); ap.add_argument('--heads', type=int, default=4)
    ap.add_argument('--ffn', type=int, default=768); ap.add_argument('--batch', type=int, default=131072); ap.add_argument('--workers', type=int, default=14)
    ap.add_argument('--muon', type=float, default=.02); ap.add_argument('--adam', type=float, default=3e-3); ap.add_argument('--theta', type=float, default=10000.)
    ap.add_argument('--ctxw', type=float, default=.1); ap.add_argument('--init', default=''); ap.add_argument('--name', default='mini-llama'); ap.add_argument('--maxlen', type=int, default=4096); ap.add_argument('--from-progress', type=float, default=0.); ap.add_argument('--log', type=int, default=500); ap.add_argument('--base', type=int, default=0); ap.add_argument('--adamw', type=float, default=0.); ap.add_argument('--wd', type=float, default=.05)
    a = ap.parse_args()
    os.makedirs(a.out, exist_ok=True)
    gen('mini_doc_qa', 1, 50, 1, 1)  # fails here, and not in every worker, when there is no program
    t_start = time.time()
    ctx = mp.get_context('fork'); queue = ctx.Queue(24); progress = ctx.Value('d', a.from_progress)
    procs = [ctx.Process(target=worker, args=(i, queue, progress, a.batch, a.ctxw, a.maxlen, a.base), daemon=True) for i in range(a.workers)]
    for p in procs: p.start()
    import torch, torch.nn as nn, torch.nn.functional as F
    torch.manual_seed(1); torch.set_float32_matmul_precision('high'); torch.backends.cuda.matmul.allow_tf32 = True
    V, D, H, NL = 4096, a.dim, a.heads, a.layers; hd = D // H
    class Norm(nn.Module):
        def __init__(s): super().__init__(); s.weight = nn.Parameter(torch.ones(D))
        def forward(s, x): return F.rms_norm(x.float(), (D,), eps=1e-5).type_as(x) * s.weight.type_as(x)
    def rot(x): h = x.shape[-1] // 2; return torch.cat((-x[..., h:], x[..., :h]), -1)
    class Block(nn.Module):
        def __init__(s):
            super().__init__(); s.n1, s.n2 = Norm(), Norm()
            s.q, s.k, s.v, s.o = (nn.Linear(D, D, bias=False) for _ in range(4))
            s.g, s.u = nn.Linear(D, a.ffn, bias=False), nn.Linear(D, a.ffn, bias=False); s.d = nn.Linear(a.ffn, D, bias=False)
        def forward(s, x, cos, sin, quant=0, plen=None):
            B, T, _ = x.shape; h = s.n1(x)
            q, k, v = (f(h).view(B, T, H, hd).transpose(1, 2) for f in (s.q, s.k, s.v))
            q = (q * cos + rot(q) * sin).type_as(h); k = (k * cos + rot(k) * sin).type_as(h)
            if quant:
                def fq(z):
                    y = z.float().reshape(*z.shape[:-1], hd // 32, 32); lo, hi = y.amin(-1, True), y.amax(-1, True)
                    sc = ((hi - lo) / (2 ** quant - 1)).clamp(min=1e-5); y = ((y - lo) / sc).round() * sc + lo
                    y = y.reshape(z.shape).type_as(z); m = (torch.arange(T, device=z.device)[None] < plen[:, None] - 64)[:, None, :, None]
                    return torch.where(m, y, z)
                k2, v2 = fq(k), fq(v)
                att = (q @ k.transpose(-1, -2)).float() / math.sqrt(hd); att2 = (q @ k2.transpose(-1, -2)).float() / math.sqrt(hd)
                msk = torch.ones(T, T, device=x.device, dtype=torch.bool).tril()
                dec = (torch.arange(T, device=x.device)[None] >= plen[:, None])[:, None, :, None]   # queries made while decoding
                p1 = att.masked_fill(~msk, -1e30).softmax(-1).type_as(v) @ v; p2 = att2.masked_fill(~msk, -1e30).softmax(-1).type_as(v) @ v2
                y = torch.where(dec, p2, p1)
            else: y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
            x = x + s.o(y.transpose(1, 2).reshape(B, T, D)); h = s.n2(x)
            return x + s.d(F.silu(s.g(h)) * s.u(h))
    class Model(nn.Module):
        def __init__(s):
            super().__init__(); s.emb = nn.Embedding(V, D); s.blocks = nn.ModuleList(Block() for _ in range(NL)); s.norm = Norm()
            for n, p in s.named_parameters():
                if p.dim() == 2: nn.init.normal_(p, std=.02 if 'emb' in n else 1 / math.sqrt(p.shape[1]) * (.5 if not n.endswith(('o.weight', 'd.weight')) else .5 / math.sqrt(2 * NL)))
        def forward(s, ids, cos, sin, quant=0, plen=None):
            x = s.emb(ids)
            for b in s.blocks: x = b(x, cos, sin, quant, plen)
            return F.linear(s.norm(x), s.emb.weight)
    model = Model().cuda(); print('params %.2fM' % (sum(p.numel() for p in model.parameters()) / 1e6), flush=True)
    def export():
        sd = {'model.embed_tokens.weight': model.emb.weight, 'model.norm.weight': model.norm.weight}
        for i, b in enumerate(model.blocks):
            pre = f'model.layers.{i}.'
            for hf, m in (('self_attn.q_proj', b.q), ('self_attn.k_proj', b.k), ('self_attn.v_proj', b.v), ('self_attn.o_proj', b.o), ('mlp.gate_proj', b.g), ('mlp.up_proj', b.u), ('mlp.down_proj', b.d), ('input_layernorm', b.n1), ('post_attention_layernorm', b.n2)):
                sd[pre + hf + '.weight'] = m.weight
        from safetensors.torch import save_file
        save_file({k: v.detach().to(torch.bfloat16).contiguous().cpu() for k, v in sd.items()}, os.path.join(a.out, 'model.safetensors'), {'format': 'pt'})
        json.dump({'architectures': ['LlamaForCausalLM'], 'model_type': 'llama', 'hidden_size': D, 'intermediate_size': a.ffn, 'num_hidden_layers': NL, 'num_attention_heads': H, 'num_key_value_heads': H,
                   'head_dim': hd, 'vocab_size': V, 'max_position_embeddings': 4096, 'rms_norm_eps': 1e-5, 'rope_theta': a.theta, 'hidden_act': 'silu', 'tie_word_embeddings': True,
                   'bos_token_id': 1, 'eos_token_id': 2, 'torch_dtype': 'bfloat16'}, open(os.path.join(a.out, 'config.json'), 'w'), indent=2)
    if a.init:
        from safetensors.torch import load_file
        sd = load_file(a.init); model.emb.weight.data.copy_(sd['model.embed_tokens.weight']); model.norm.weight.data.copy_(sd['model.norm.weight'])
        for i, b in enumerate(model.blocks):
            pre = f'model.layers.{i}.'
            for hf, m in (('self_attn.q_proj', b.q), ('self_attn.k_proj', b.k), ('self_attn.v_proj', b.v), ('self_attn.o_proj', b.o), ('mlp.gate_proj', b.g), ('mlp.up_proj', b.u), ('mlp.down_proj', b.d), ('input_layernorm', b.n1), ('post_attention_layernorm', b.n2)):
                m.weight.data.copy_(sd[pre + hf + '.weight'])
    inv = 1. / a.theta ** (torch.arange(0, hd, 2).float() / hd); fr = torch.outer(torch.arange(4200).float(), inv); fr = torch.cat((fr, fr), -1).cuda(); COS, SIN = fr.cos(), fr.sin()
    mats = [p for n, p in model.named_parameters() if p.dim() == 2 and 'emb' not in n]; rest = [p for n, p in model.named_parameters() if p.dim() != 2 or 'emb' in n]
    adam = torch.optim.AdamW(rest, lr=a.adam, betas=(.9, .95), weight_decay=0., fused=True); bufs = [torch.zeros_like(p) for p in mats]; adam2 = torch.optim.AdamW(mats, lr=a.adamw or 1e-3, betas=(.9, .98), weight_decay=a.wd, fused=True)
    groups = {}
    for i, p in enumerate(mats): groups.setdefault(tuple(p.shape), []).append(i)
    @torch.compile
    def ns(G):
        X = G.bfloat16(); tr = X.size(-2) > X.size(-1)
        if tr: X = X.mT
        X = X / (X.norm(dim=(-2, -1), keepdim=True) + 1e-7)
        for _ in range(5): A = X @ X.mT; X = 3.4445 * X + (-4.7750 * A + 2.0315 * A @ A) @ X
        return X.mT if tr else X
    def muon(lr, mom):
        grads = [p.grad for p in mats]
        torch._foreach_lerp_(bufs, grads, 1 - mom); look = torch._foreach_lerp(grads, bufs, mom)
        torch._foreach_mul_(mats_data, 1 - lr * a.wd)
        for shape, idx in groups.items():
            U = ns(torch.stack([look[i] for i in idx])).float() * max(1, shape[0] / shape[1]) ** .5
            torch._foreach_add_([mats_data[i] for i in idx], list(U.unbind(0)), alpha=-lr)
    mats_data = [p.data for p in mats]
    torch._dynamo.config.recompile_limit = 64
    cmodel = model
    for b in model.blocks: b.compile(dynamic=False)
    def lossf(ids, w, L):
        with torch.autocast('cuda', torch.bfloat16): lg = cmodel(ids[:, :-1], COS[:L], SIN[:L])
        ce = F.cross_entropy(lg.float().view(-1, V), ids[:, 1:].reshape(-1), reduction='none'); ww = w[:, 1:].reshape(-1)
        return (ce * ww).sum() / ww.sum(), (ce * (ww == 1)).sum() / (ww == 1).sum()
    for L in [b for b in BUCKETS if b <= a.maxlen]:   # compile every length before the clock starts
        ids = torch.randint(0, V, (a.batch // L, L + 1), device='cuda'); lossf(ids, torch.ones_like(ids, dtype=torch.float), L)[0].backward(); model.zero_grad()
    torch.cuda.synchronize(); t0 = time.time(); print('compiled %.0fs' % (t0 - t_start), flush=True)
    step, seen, run, tw = 0, 0, 0., 0.
    while True:
        p = (time.time() - t0) / a.seconds
        if p >= 1: break
        progress.value = a.from_progress + (1 - a.from_progress) * p
        t1 = time.time(); x, w = queue.get(); tw += time.time() - t1
        ids = torch.from_numpy(x.astype(np.int64)).cuda(non_blocking=True); ww = torch.from_numpy(w).cuda(non_blocking=True).float(); L = ids.shape[1] - 1
        sc = min(1, (step + 1) / 100) * (1 if p < .6 else max(.01, (1 - p) / .4))
        loss, al = lossf(ids, ww, L); loss.backward(); torch.nn.utils.clip_grad_norm_(rest, 1.)
        for gp in adam.param_groups: gp['lr'] = a.adam * sc
        adam.step()
        if a.adamw:
            torch.nn.utils.clip_grad_norm_(mats, 1.)
            for gp in adam2.param_groups: gp['lr'] = a.adamw * sc
            adam2.step()
        else: muon(a.muon * sc, min(.95, .85 + step / 3000))
        model.zero_grad(set_to_none=True)
        step += 1; seen += ids.numel(); run = al.detach() if step == 1 else run * .95 + al.detach() * .05
        if step % a.log == 0: print(f'{a.name} {time.time()-t0:6.0f}s step {step} L {L} answer-loss {float(run):.4f} tok/s {seen/(time.time()-t0)/1e6:.2f}M wait {tw:.0f}s', flush=True)
    export(); print('exported', step, 'steps', flush=True)
    # exact match of the first answer under teacher forcing (the same as greedy decoding)
    tok = Tok(TOKENIZER); model.eval(); torch.compiler.set_stance('force_eager')
    for tgt in [t for t in (300, 1000, 2000, 3600) if t < a.maxlen * 9 // 10]:
        row = {}
        for t, r in TASKS.items():
            res = {0: [], 4: [], 3: [], 2: []}; segs = gen(t, 40, int(tgt / r * 1.1), 424242, 1)
            for seg in segs:
                pr = [BOS] + tok.encode(seg[0], True); an = tok.encode(seg[1], False) + [EOS]
                if len(pr) + len(an) > a.maxlen: continue
                ids = torch.tensor([pr + an], device='cuda'); L = ids.shape[1] - 1; pl = torch.tensor([len(pr) - 1], device='cuda')
                for qb in (res if tgt >= 1000 else [0]):
                    if qb and len(res[qb]) >= 20: continue
                    with torch.no_grad(), torch.autocast('cuda', torch.bfloat16): lg = model(ids[:, :-1], COS[:L], SIN[:L], qb, pl)
                    res[qb].append(float((lg[0, len(pr) - 1:].argmax(-1) == ids[0, len(pr):]).all()))
            row[t] = '/'.join('%3.0f' % (100 * np.mean(v)) if v else 'na' for v in res.values()) + f' (n{len(res[0])})'
        print(a.name, 'tokens', tgt, 'exact match fp/4b/3b/2b:', row, flush=True)

if __name__ == '__main__':
    main()
