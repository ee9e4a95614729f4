#!/usr/bin/env python3
"""Writes metrics/pystr_tables.inc from the code point tables of Python's own str and re.

usage: gen_pystr_tables.py python311_unicode14.json > metrics/pystr_tables.inc

The tables are taken from Python rather than from a library of this machine because the official
scores were computed with Python 3.11, that is Unicode 14: a newer Unicode would change scores.
"""
import json
import sys

RANGES = [
    ("space", "isspace", "str.isspace, what str.split() splits on"),
    ("digit", "decimal_digit (re \\d)", "re's \\d: general category Nd"),
    ("word", "word (re \\w)", "re's \\w: str.isalnum or '_'"),
    ("cased", "sigma_cased", "for the final sigma of str.lower"),
    ("case_ignorable", "sigma_case_ignorable", "for the final sigma of str.lower"),
]


def put_rows(rows):
    line = "   "
    for row in rows:
        if len(line) + len(row) + 2 > 100:
            print(line)
            line = "   "
        line += " " + row + ","
    print(line)
    print("};")


def lower_runs(pairs):
    """Merges code points with equal distance to their lower case: {lo, hi, step, delta}."""
    runs = []
    for c, low in pairs:
        last = runs[-1] if runs else None
        if last and last[3] == low - c:
            gap = c - last[1]
            if last[0] == last[1] and gap in (1, 2):
                last[2] = gap
            if gap == last[2]:
                last[1] = c
                continue
        runs.append([c, c, 1, low - c])
    return runs


def main():
    with open(sys.argv[1], encoding="utf-8") as f:
        tables = json.load(f)
    print(f"/* Python {tables['python']}, Unicode {tables['unicode_version']}. "
          "Written by metrics/tools/gen_pystr_tables.py: do not edit. */")
    for name, key, what in RANGES:
        print(f"\n/* {what} */")
        print(f"static const struct range {name}_ranges[] = {{")
        put_rows([f"{{0x{lo:X}, 0x{hi:X}}}" for lo, hi in tables[key]])
    print("\n/* str.lower of one code point: lo, hi, step, what to add. U+0130 is pystr.c's own. */")
    print("static const struct lower_run lower_runs[] = {")
    pairs = [m for m in tables["lower_map"] if len(m) == 2]
    put_rows([f"{{0x{a:X}, 0x{b:X}, {s}, {d}}}" for a, b, s, d in lower_runs(pairs)])


main()
