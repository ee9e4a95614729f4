#!/bin/bash
# Writes reports/DATABASE.md from the schema's own descriptions. usage: database_readme.sh SQL... (schema.sql and its steps)
set -eu
db=$(mktemp)
trap 'rm -f "$db"' EXIT
cat "$@" | sqlite3 "$db"
cat <<'TOP'
# The database

Every table, view and column, as `SELECT * FROM docs` has them. This page is written by `make docs`; a test compares
them. Start with the views `result`, `item`, `comparison`, `provenance` and `ledger`; [README.md](README.md) has
questions to begin with. Tables are STRICT, with primary and foreign keys; `application_id` is 0x6b766c62, `user_version`
the version of the schema. Scores are from 0 to 100 in the views and in `published`, from 0 to 1 in table `score`. In
older versions `ledger` was the table that is now `item_ledger`; a query of its columns still works.

## Several databases, and what is in the way

| command | what |
|---|---|
| `kvlab db merge INTO FROM...` | by identity: nothing doubled, conflicts named |
| `kvlab db check [FILE]` | is it sound? |
| `kvlab db prune [FILE] --experiment NAME` | what another experiment asks for stays; also `--failed`, `--published`, `--runs-without-experiment` |
| `kvlab db vacuum [FILE]` | as small as what it holds |

A merge knows results by what decides them, so the same run on two machines is one run; done goes before failed before not
run. Different answers to one question are named with both builds; the first file's is kept and the exit code is 1. Where
both have the same answer the first file keeps its times. Files of earlier versions are read as they are and not changed.
Two sets of imported answers under one name stay two runs.
TOP
for kind in view table; do
    printf '\n## %ss\n' "${kind^}"
    for name in $(sqlite3 "$db" "SELECT name FROM sqlite_schema WHERE type = '$kind' AND name NOT LIKE 'sqlite_%' ORDER BY name"); do
        printf '\n### %s\n\n' "$name"
        sqlite3 "$db" "SELECT text || '.' FROM docs WHERE object = '$name' AND \"column\" = ''"
        head='column' type="''"
        [[ $kind == view ]] || head='column | type' type="' | ' || lower(i.type) || iif(i.pk, ', key', '')
            || coalesce((SELECT ' → ' || f.\"table\" FROM pragma_foreign_key_list('$name') f WHERE f.\"from\" = i.name), '')"
        printf '\n| %s | what |\n|%s---|---|\n' "$head" "$([[ $kind == view ]] || echo '---|')"
        sqlite3 "$db" "SELECT '| \`' || i.name || '\`' || $type || ' | ' || replace(d.text, '|', '\\|') || ' |'
            FROM pragma_table_info('$name') i JOIN docs d ON d.object = '$name' AND d.\"column\" = i.name ORDER BY i.cid"
    done
done
