#!/usr/bin/python3
"""Answers the problems that `test_stats problems` prints with NumPy and SciPy and compares.

Reads JSON lines; prints a line a kind and exits 1 where an answer differs, 77 without SciPy.
"""
import collections
import json
import sys

try:
    import numpy as np
    from scipy import special, stats
except ImportError:
    print("no SciPy")
    sys.exit(77)


def near(got, want, tolerance=1e-12):
    return abs(got - want) <= tolerance * max(1, abs(want))


def paired(d):
    a, b = np.array(d["a"]), np.array(d["b"])
    won, lost = int((a > b).sum()), int((a < b).sum())
    if d["binary"]:
        p = stats.binomtest(won, won + lost).pvalue if won + lost else 1
    else:
        p = stats.ttest_rel(a, b).pvalue
    return (won, lost) == (d["won"], d["lost"]) and near(d["stderr"], stats.sem(a - b)) and near(d["p"], p)


def sign(d):
    n = d["won"] + d["lost"]
    return near(d["p"], stats.binomtest(d["won"], n).pvalue if n else 1)


def t(d):
    return near(d["p"], 2 * stats.t.sf(abs(d["t"]), d["degrees"]))


def beta(d):
    return near(d["value"], special.betainc(d["a"], d["b"], d["x"]))


def adjust(d):
    """By the definition; SciPy 1.10 has no false_discovery_control yet."""
    p = np.array(d["p"])
    want = [min(1, min(q * len(p) / (p <= q).sum() for q in p if q >= mine)) for mine in p]
    same = True
    if hasattr(stats, "false_discovery_control"):
        same = np.allclose(want, stats.false_discovery_control(p), atol=1e-12)
    return same and np.allclose(d["adjusted"], want, rtol=0, atol=1e-12)


def welch(d):
    return near(d["p"], stats.ttest_ind(d["a"], d["b"], equal_var=False).pvalue)


def boot(d):
    x, level = np.array(d["x"]), d["level"]
    if d["counts"]:
        means = np.array(d["counts"]).reshape(d["resamples"], len(x)) @ x / len(x)
        lo, hi = np.quantile(means, [(1 - level) / 2, 1 - (1 - level) / 2])
        return near(d["lo"], lo, 1e-11) and near(d["hi"], hi, 1e-11)
    rng = np.random.default_rng(1)
    i = stats.bootstrap((x,), np.mean, n_resamples=20000, confidence_level=level, method="percentile",
                        random_state=rng, batch=1000).confidence_interval
    few = 0.12 * stats.sem(x)  # 20,000 resamples place a 95 % limit within 0.02 standard errors
    return abs(d["lo"] - i.low) < few and abs(d["hi"] - i.high) < few


def main():
    right, wrong = collections.Counter(), collections.Counter()
    for line in sys.stdin:
        d = json.loads(line)
        (right if globals()[d["kind"]](d) else wrong)[d["kind"]] += 1
    for kind in sorted(right | wrong):
        print(kind, right[kind], "equal,", wrong[kind], "not")
    sys.exit(1 if wrong or not right else 0)


main()
