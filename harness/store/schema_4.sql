-- From version 3 to 4: a database to ask. As released it stays as it is; see README.md. The statements
-- run with foreign keys off (store.c): table run is made anew.

DROP VIEW result;
DROP VIEW cell;
DROP VIEW experiment_cell;
DROP VIEW traffic;
DROP VIEW item;


-- ---- protocols: every option, and typed columns of those that people filter by ----

CREATE TABLE protocol_option (
    protocol INTEGER NOT NULL REFERENCES protocol (id),
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (protocol, name)
) STRICT, WITHOUT ROWID;

ALTER TABLE protocol ADD COLUMN compute TEXT;
ALTER TABLE protocol ADD COLUMN newline_stop INTEGER;
ALTER TABLE protocol ADD COLUMN first_may_stop INTEGER;
ALTER TABLE protocol ADD COLUMN max_new_tokens INTEGER;

-- Until now the JSON held them; compute only where it was not f32.
INSERT INTO protocol_option
SELECT p.id, o.key, CASE o.type WHEN 'true' THEN 'true' WHEN 'false' THEN 'false' ELSE o.value END
  FROM protocol p, json_each(iif(json_valid(p.json), p.json, '{}'), '$.options') o
 WHERE o.value IS NOT NULL
UNION ALL
SELECT p.id, 'wrapper', json_extract(p.json, '$.wrapper') FROM protocol p
 WHERE json_valid(p.json) AND json_extract(p.json, '$.wrapper') IS NOT NULL;
INSERT INTO protocol_option
SELECT DISTINCT protocol, 'compute', 'f32' FROM protocol_option WHERE true ON CONFLICT DO NOTHING;

UPDATE protocol SET
    compute = (SELECT value FROM protocol_option WHERE protocol = id AND name = 'compute'),
    newline_stop = (SELECT value = 'true' FROM protocol_option
                     WHERE protocol = id AND name = 'newline_stop'),
    first_may_stop = (SELECT value = 'true' FROM protocol_option
                       WHERE protocol = id AND name = 'first_may_stop'),
    max_new_tokens = (SELECT nullif(CAST(value AS INTEGER), 0) FROM protocol_option
                       WHERE protocol = id AND name = 'max_new_tokens');


-- ---- published numbers: runs without items ----

CREATE TABLE new_run (
    id INTEGER PRIMARY KEY,
    identity TEXT NOT NULL UNIQUE,
    model INTEGER NOT NULL REFERENCES model (id),
    setting INTEGER NOT NULL REFERENCES setting (id),
    protocol INTEGER NOT NULL REFERENCES protocol (id),
    origin TEXT NOT NULL CHECK (origin IN ('run', 'import', 'published')),
    created TEXT NOT NULL
) STRICT;
INSERT INTO new_run (id, identity, model, setting, protocol, origin, created)
SELECT id, identity, model, setting, protocol, origin, created FROM run;
DROP TABLE run;
ALTER TABLE new_run RENAME TO run;

-- Of a setting the runs: which one is the full cache of a model and protocol.
CREATE INDEX run_setting ON run (setting, model, protocol, origin);
CREATE INDEX setting_full ON setting (id, chain) WHERE method = 'full' AND weights IS NULL;

CREATE TABLE published (
    run INTEGER NOT NULL REFERENCES run (id),
    task INTEGER NOT NULL REFERENCES task (id),
    score REAL NOT NULL,
    n INTEGER CHECK (n > 0),
    stderr REAL CHECK (stderr >= 0),
    source TEXT NOT NULL,
    PRIMARY KEY (run, task)
) STRICT, WITHOUT ROWID;


-- ---- what a setting is in an ablation ----

CREATE TABLE experiment_factor (
    experiment INTEGER NOT NULL REFERENCES experiment (id),
    run INTEGER NOT NULL REFERENCES run (id),
    ablation TEXT NOT NULL,
    factor TEXT NOT NULL,
    value TEXT NOT NULL,
    base INTEGER NOT NULL REFERENCES run (id),
    PRIMARY KEY (experiment, run, ablation, factor)
) STRICT, WITHOUT ROWID;

-- Runs stand in the order of the configuration's settings, all of them once for each model and
-- protocol.
WITH listed AS (
    SELECT e.id AS experiment, x.run AS run, r.model AS model, r.protocol AS protocol,
           json_extract(f.value, '$.ablation') AS ablation,
           json_extract(f.value, '$.factor') AS factor, json_extract(f.value, '$.value') AS value,
           json_extract(f.value, '$.base') AS is_base
      FROM experiment e
      JOIN experiment_run x ON x.experiment = e.id
      JOIN run r ON r.id = x.run
      JOIN json_each(iif(json_valid(e.config), e.config, '{}'), '$.settings') s
        ON s.key = x.position % json_array_length(e.config, '$.settings')
      JOIN json_each(s.value, '$.ablations') f)
INSERT INTO experiment_factor
SELECT l.experiment, l.run, l.ablation, l.factor, l.value, b.run
  FROM listed l
  JOIN listed b ON b.experiment = l.experiment AND b.model = l.model AND b.protocol = l.protocol
   AND b.ablation = l.ablation AND b.factor = l.factor AND b.is_base
 WHERE true
    ON CONFLICT DO NOTHING;


-- ---- jobs: what tables are made of, without the predictions ----

DROP INDEX job_run;
CREATE INDEX job_cell ON job (run, task, state, sample_index, prompt_tokens, new_tokens, kv_bytes,
                              kv_full_bytes, kv_read_bytes, kv_read_full_bytes, kv_basis,
                              prefill_seconds, decode_seconds, build, finished_at, decode_batch,
                              shared_tokens, stop);

-- Who removes a job asks whether it failed.
CREATE INDEX failure_job ON failure (job);

ALTER TABLE ledger RENAME TO item_ledger;


-- ---- views ----

-- An item's score is by the newest version of its task's metric, here and below.
CREATE VIEW item AS
SELECT j.id AS job, j.run AS run, m.name AS model, t.name AS task, j.task AS task_id,
       t.category AS category, j.sample AS sample, j.sample_index AS sample_index,
       c.name AS setting, c.method AS method, j.state AS state, j.prediction AS prediction,
       100 * s.value AS score, t.metric AS metric, s.metric_version AS metric_version,
       j.prompt_tokens AS prompt_tokens, j.prompt_tokens_before_cut AS prompt_tokens_before_cut,
       j.new_tokens AS new_tokens, j.stop AS stop, j.error AS error,
       1.0 * j.kv_bytes / j.kv_full_bytes AS kv_ratio,
       1.0 * j.kv_read_bytes / j.kv_read_full_bytes AS kv_read_ratio,
       j.kv_bytes AS kv_bytes, j.kv_full_bytes AS kv_full_bytes, j.kv_basis AS kv_basis,
       j.kv_read_bytes AS kv_read_bytes, j.kv_read_full_bytes AS kv_read_full_bytes,
       j.prefill_seconds AS prefill_seconds, j.shared_tokens AS shared_tokens,
       j.decode_seconds AS decode_seconds, j.decode_batch AS decode_batch,
       j.finished_at AS finished_at, j.build AS build, a.answers AS answers,
       c.chain AS chain, c.key_bits AS key_bits, c.value_bits AS value_bits,
       c.key_kept AS key_kept, c.value_kept AS value_kept, c.prune_keys AS prune_keys,
       c.prune_values AS prune_values, c.token_budget AS token_budget, c.window AS window,
       c.first_layer AS first_layer, c.ordering AS ordering, c.weights AS weights,
       c.weight_bits AS weight_bits, c.weight_group AS weight_group, p.preset AS protocol,
       r.protocol AS protocol_id, p.max_prompt_tokens AS max_prompt_tokens, p.chat AS chat,
       p.prefill_path AS prefill_path, p.compute AS compute, t.language AS language,
       t.data AS data, r.origin AS origin
  FROM job j
  JOIN run r ON r.id = j.run
  JOIN model m ON m.id = r.model
  JOIN setting c ON c.id = r.setting
  JOIN protocol p ON p.id = r.protocol
  JOIN task t ON t.id = j.task
  LEFT JOIN sample a ON a.hash = j.sample_hash
  LEFT JOIN score s ON s.job = j.id AND s.metric = t.metric
       AND s.metric_version = (SELECT max(x.metric_version) FROM score x
                                WHERE x.job = j.id AND x.metric = t.metric);

-- The names stand in GROUP BY so that a condition on one of them is met before anything is added
-- up. CROSS JOIN: in this order, which is that of index job_cell, so that nothing is sorted. The
-- variance is a difference of sums: scores are of the size of their deviations, and equal ones have
-- none.
CREATE VIEW result AS
SELECT r.id AS run, m.name AS model, t.name AS task, t.category AS category, c.method AS method,
       c.name AS setting, count(s.value) AS n, 100 * avg(s.value) AS score,
       CASE WHEN count(s.value) < 2 THEN NULL WHEN min(s.value) = max(s.value) THEN 0.0
            ELSE 100 * sqrt(max(0, sum(s.value * s.value) - sum(s.value) * avg(s.value))
                            / (count(s.value) - 1) / count(s.value)) END AS stderr,
       1.0 * sum(j.kv_bytes) / sum(j.kv_full_bytes) AS kv_ratio,
       1.0 * sum(j.kv_read_bytes) / sum(j.kv_read_full_bytes) AS kv_read_ratio,
       sum(j.state = 'failed') AS failed, sum(j.state IN ('ready', 'running')) AS "left",
       count(*) AS planned, sum(j.state = 'done') AS done, t.metric AS metric,
       CASE WHEN min(s.metric_version) = max(s.metric_version) THEN '' || min(s.metric_version)
            WHEN min(s.metric_version) IS NOT NULL THEN 'mixed' END AS metric_version,
       c.chain AS chain, c.key_bits AS key_bits, c.value_bits AS value_bits,
       c.key_kept AS key_kept, c.value_kept AS value_kept, c.prune_keys AS prune_keys,
       c.prune_values AS prune_values, c.token_budget AS token_budget, c.window AS window,
       c.first_layer AS first_layer, c.ordering AS ordering, c.weights AS weights,
       c.weight_bits AS weight_bits, c.weight_group AS weight_group,
       CASE WHEN min(j.kv_basis) = max(j.kv_basis) THEN min(j.kv_basis)
            WHEN min(j.kv_basis) IS NOT NULL THEN 'mixed' END AS kv_basis,
       1.0 * sum(j.kv_bytes) / sum(j.kv_full_bytes) * 4 * m.layers * m.kv_heads * m.head_dim
           AS kv_bytes_token,
       sum(j.prompt_tokens) / sum(iif(j.prompt_tokens IS NULL, NULL, j.prefill_seconds))
           AS prefill_tps,
       sum(j.new_tokens) / sum(iif(j.new_tokens IS NULL, NULL, j.decode_seconds)) AS decode_tps,
       avg(j.prompt_tokens) AS prompt_tokens, avg(j.new_tokens) AS new_tokens,
       p.preset AS protocol, p.max_prompt_tokens AS max_prompt_tokens, t.data AS data,
       r.origin AS origin, count(DISTINCT j.build) AS builds, t.id AS task_id,
       p.id AS protocol_id, p.truncation AS truncation, p.chat AS chat, p.bos AS bos,
       p.newline_stop AS newline_stop, p.first_may_stop AS first_may_stop,
       p.max_new_tokens AS max_new_tokens, p.prefill_path AS prefill_path, p.compute AS compute,
       t.language AS language, t.data_hash AS data_hash, t.template_hash AS template_hash,
       NULL AS source
  FROM run r NOT INDEXED
  CROSS JOIN setting c ON c.id = r.setting
  CROSS JOIN model m ON m.id = r.model
  CROSS JOIN protocol p ON p.id = r.protocol
  CROSS JOIN task t NOT INDEXED
  CROSS JOIN job j INDEXED BY job_cell ON j.run = r.id AND j.task = t.id
  LEFT JOIN score s ON s.job = j.id AND s.metric = t.metric
       AND s.metric_version = (SELECT max(x.metric_version) FROM score x
                                WHERE x.job = j.id AND x.metric = t.metric)
 GROUP BY r.id, t.id, m.name, t.name, t.category, c.method, c.name, t.metric, c.chain, c.key_bits,
          c.value_bits, c.key_kept, c.value_kept, c.prune_keys, c.prune_values, c.token_budget,
          c.window, c.first_layer, c.ordering, c.weights, c.weight_bits, c.weight_group, p.preset,
          p.max_prompt_tokens, t.data, r.origin, p.id, p.truncation, p.chat, p.bos, p.newline_stop,
          p.first_may_stop, p.max_new_tokens, p.prefill_path, p.compute, t.language, t.data_hash,
          t.template_hash
UNION ALL
SELECT r.id, m.name, t.name, t.category, c.method, c.name, q.n, q.score, q.stderr, NULL, NULL,
       NULL, NULL, NULL, NULL, t.metric, NULL, c.chain, c.key_bits, c.value_bits, c.key_kept,
       c.value_kept, c.prune_keys, c.prune_values, c.token_budget, c.window, c.first_layer,
       c.ordering, c.weights, c.weight_bits, c.weight_group, NULL, NULL, NULL, NULL, NULL, NULL,
       p.preset, p.max_prompt_tokens, t.data, r.origin, NULL, t.id, p.id, p.truncation, p.chat,
       p.bos, p.newline_stop, p.first_may_stop, p.max_new_tokens, p.prefill_path, p.compute,
       t.language, t.data_hash, t.template_hash, q.source
  FROM published q
  JOIN run r ON r.id = q.run
  JOIN setting c ON c.id = r.setting
  JOIN model m ON m.id = r.model
  JOIN protocol p ON p.id = r.protocol
  JOIN task t ON t.id = q.task;

CREATE VIEW cell AS
SELECT run, task_id, planned, n, score, stderr, done, failed, "left", prompt_tokens, new_tokens,
       kv_ratio, kv_read_ratio, kv_basis, prefill_tps, decode_tps, metric_version, builds
  FROM result
 WHERE origin <> 'published';

-- As result, with the items of one experiment.
CREATE VIEW experiment_cell AS
SELECT x.experiment AS experiment, x.run AS run, t.id AS task_id, count(*) AS planned,
       count(s.value) AS n, 100 * avg(s.value) AS score,
       CASE WHEN count(s.value) < 2 THEN NULL WHEN min(s.value) = max(s.value) THEN 0.0
            ELSE 100 * sqrt(max(0, sum(s.value * s.value) - sum(s.value) * avg(s.value))
                            / (count(s.value) - 1) / count(s.value)) END AS stderr,
       sum(j.state = 'done') AS done, sum(j.state = 'failed') AS failed,
       sum(j.state IN ('ready', 'running')) AS "left",
       avg(j.prompt_tokens) AS prompt_tokens, avg(j.new_tokens) AS new_tokens,
       1.0 * sum(j.kv_bytes) / sum(j.kv_full_bytes) AS kv_ratio,
       1.0 * sum(j.kv_read_bytes) / sum(j.kv_read_full_bytes) AS kv_read_ratio,
       CASE WHEN min(j.kv_basis) = max(j.kv_basis) THEN min(j.kv_basis)
            WHEN min(j.kv_basis) IS NOT NULL THEN 'mixed' END AS kv_basis,
       sum(j.prompt_tokens) / sum(iif(j.prompt_tokens IS NULL, NULL, j.prefill_seconds))
           AS prefill_tps,
       sum(j.new_tokens) / sum(iif(j.new_tokens IS NULL, NULL, j.decode_seconds)) AS decode_tps,
       CASE WHEN min(s.metric_version) = max(s.metric_version) THEN '' || min(s.metric_version)
            WHEN min(s.metric_version) IS NOT NULL THEN 'mixed' END AS metric_version,
       count(DISTINCT j.build) AS builds
  FROM experiment_run x
  CROSS JOIN task t NOT INDEXED
  CROSS JOIN job j INDEXED BY job_cell ON j.run = x.run AND j.task = t.id
  CROSS JOIN experiment_job e ON e.experiment = x.experiment AND e.job = j.id
  LEFT JOIN score s ON s.job = j.id AND s.metric = t.metric
       AND s.metric_version = (SELECT max(y.metric_version) FROM score y
                                WHERE y.job = j.id AND y.metric = t.metric)
 GROUP BY x.experiment, x.run, t.id;

-- Of several full caches the first is the one to compare with: plain ones before those that have
-- another codec. The items of both are found by index job_cell. ifnull(x, NULL) is x, but hides from
-- SQLite that a condition such as full_score = 100 leaves out NULL: it would make inner joins of the
-- left ones and, free to begin with the last, read all of table job.
CREATE VIEW item_comparison AS
SELECT r.id AS run, b.id AS full_run, j.id AS job, ifnull(f.id, NULL) AS full_job, m.name AS model,
       t.name AS task, t.id AS task_id, t.category AS category, c.name AS setting,
       c.method AS method, j.sample_index AS sample_index, ifnull(100 * s.value, NULL) AS score,
       ifnull(100 * g.value, NULL) AS full_score,
       ifnull(100 * (s.value - g.value), NULL) AS difference,
       j.kv_bytes AS kv_bytes, j.kv_full_bytes AS kv_full_bytes,
       j.kv_read_bytes AS kv_read_bytes, j.kv_read_full_bytes AS kv_read_full_bytes,
       c.chain AS chain, c.key_bits AS key_bits, c.value_bits AS value_bits,
       c.key_kept AS key_kept, c.value_kept AS value_kept, c.prune_keys AS prune_keys,
       c.prune_values AS prune_values, c.token_budget AS token_budget, c.window AS window,
       c.first_layer AS first_layer, c.ordering AS ordering, c.weights AS weights,
       c.weight_bits AS weight_bits, c.weight_group AS weight_group, p.preset AS protocol,
       p.id AS protocol_id, p.max_prompt_tokens AS max_prompt_tokens, t.language AS language,
       t.data AS data, r.origin AS origin, j.prompt_tokens AS prompt_tokens,
       j.new_tokens AS new_tokens
  FROM run r NOT INDEXED
  CROSS JOIN setting c ON c.id = r.setting
  CROSS JOIN model m ON m.id = r.model
  CROSS JOIN protocol p ON p.id = r.protocol
  CROSS JOIN task t NOT INDEXED
  CROSS JOIN setting d INDEXED BY setting_full ON d.method = 'full' AND d.weights IS NULL
  CROSS JOIN run b INDEXED BY run_setting ON b.setting = d.id AND b.model = r.model AND b.protocol = r.protocol
       AND b.origin = r.origin AND b.id <> r.id
       AND EXISTS (SELECT 1 FROM job k WHERE k.run = b.id AND k.task = t.id)
       AND NOT EXISTS (SELECT 1 FROM setting e INDEXED BY setting_full CROSS JOIN run o
                            ON o.setting = e.id
                        WHERE e.method = 'full' AND e.weights IS NULL AND o.model = r.model
                          AND o.protocol = r.protocol AND o.origin = r.origin
                          AND (e.chain <> 'full', o.id) < (d.chain <> 'full', b.id)
                          AND EXISTS (SELECT 1 FROM job k WHERE k.run = o.id AND k.task = t.id))
  CROSS JOIN job j INDEXED BY job_cell ON j.run = r.id AND j.task = t.id
  LEFT JOIN job f INDEXED BY job_cell ON f.run = b.id AND f.task = t.id AND f.state = 'done'
       AND f.sample_index = j.sample_index
  LEFT JOIN score s ON s.job = j.id AND s.metric = t.metric
       AND s.metric_version = (SELECT max(x.metric_version) FROM score x
                                WHERE x.job = j.id AND x.metric = t.metric)
  LEFT JOIN score g ON g.job = f.id AND g.metric = t.metric
       AND g.metric_version = (SELECT max(x.metric_version) FROM score x
                                WHERE x.job = f.id AND x.metric = t.metric);

-- A run and task have one full_run: among the groups' columns it would ask for a sort.
CREATE VIEW comparison AS
SELECT run, min(full_run) AS full_run, model, task, task_id, category, setting, method, count(difference) AS n,
       count(*) - count(difference) AS missing,
       avg(iif(difference IS NULL, NULL, score)) AS score,
       avg(iif(difference IS NULL, NULL, full_score)) AS full_score,
       avg(difference) AS difference,
       CASE WHEN count(difference) < 2 THEN NULL WHEN min(difference) = max(difference) THEN 0.0
            ELSE sqrt(max(0, sum(difference * difference) - sum(difference) * avg(difference))
                      / (count(difference) - 1) / count(difference)) END AS stderr,
       count(iif(difference > 0, 1, NULL)) AS won, count(iif(difference < 0, 1, NULL)) AS lost,
       count(iif(difference = 0, 1, NULL)) AS tied,
       1.0 * sum(kv_bytes) / sum(kv_full_bytes) AS kv_ratio,
       1.0 * sum(kv_read_bytes) / sum(kv_read_full_bytes) AS kv_read_ratio,
       chain, key_bits, value_bits, key_kept, value_kept, prune_keys, prune_values, token_budget,
       window, first_layer, ordering, weights, weight_bits, weight_group, protocol, protocol_id,
       max_prompt_tokens, language, data, origin
  FROM item_comparison
 GROUP BY run, task_id, model, task, category, setting, method, chain, key_bits,
          value_bits, key_kept, value_kept, prune_keys, prune_values, token_budget, window,
          first_layer, ordering, weights, weight_bits, weight_group, protocol, protocol_id,
          max_prompt_tokens, language, data, origin;

CREATE VIEW provenance AS
SELECT e.run AS run, e.build AS build, m.name AS model, c.name AS setting, c.method AS method,
       p.preset AS protocol, r.protocol AS protocol_id, r.origin AS origin, e.tasks AS tasks,
       e.items AS items, e.failed AS failed, e.first_finished AS first_finished,
       e.last_finished AS last_finished, b.version AS version, b."commit" AS "commit",
       b.dirty AS dirty, b.compiler AS compiler, b.cflags AS cflags, b.blas AS blas,
       b.kernels AS kernels, b.cpu AS cpu, b.host AS host, b.threads AS threads,
       m.config_sha256 AS config_sha256, m.weights_sha256 AS weights_sha256,
       m.tokenizer_sha256 AS tokenizer_sha256, m.weights_dtype AS weights_dtype, c.chain AS chain,
       c.weights AS weights, c.json AS setting_json, p.json AS protocol_json,
       p.max_prompt_tokens AS max_prompt_tokens, p.truncation AS truncation, p.chat AS chat,
       p.bos AS bos, p.newline_stop AS newline_stop, p.first_may_stop AS first_may_stop,
       p.max_new_tokens AS max_new_tokens, p.prefill_path AS prefill_path, p.compute AS compute,
       r.identity AS run_identity, m.identity AS model_identity, c.identity AS setting_identity,
       p.identity AS protocol_identity
  FROM (SELECT run, build, count(DISTINCT task) AS tasks, count(*) AS items,
               sum(state = 'failed') AS failed, min(finished_at) AS first_finished,
               max(finished_at) AS last_finished
          FROM job INDEXED BY job_cell
         WHERE finished_at IS NOT NULL
         GROUP BY run, build) e
  JOIN run r ON r.id = e.run
  JOIN model m ON m.id = r.model
  JOIN setting c ON c.id = r.setting
  JOIN protocol p ON p.id = r.protocol
  LEFT JOIN build b ON b.id = e.build;

CREATE VIEW ledger AS
SELECT l.job AS job, l.class AS class, l.held_bytes AS held_bytes, l.read_bytes AS read_bytes,
       l.written_bytes AS written_bytes, j.run AS run, m.name AS model, t.name AS task,
       j.task AS task_id, t.category AS category, j.sample AS sample,
       j.sample_index AS sample_index, c.name AS setting, c.method AS method,
       p.preset AS protocol, r.protocol AS protocol_id, j.new_tokens - 1 AS steps,
       j.kv_full_bytes AS full_bytes, j.kv_read_full_bytes AS read_full_bytes
  FROM item_ledger l
  JOIN job j ON j.id = l.job
  JOIN run r ON r.id = j.run
  JOIN model m ON m.id = r.model
  JOIN setting c ON c.id = r.setting
  JOIN protocol p ON p.id = r.protocol
  JOIN task t ON t.id = j.task;

-- Uncompressed layers hold class rows and nothing else: dense_share is what of a full cache is theirs.
CREATE VIEW traffic AS
SELECT j.id AS job, j.run AS run, m.name AS model, t.name AS task, j.task AS task_id,
       j.sample AS sample, c.name AS setting, c.method AS method,
       j.prompt_tokens AS prompt_tokens, j.new_tokens AS new_tokens, j.new_tokens - 1 AS steps,
       CASE WHEN j.new_tokens > 1 THEN j.prompt_tokens + (j.new_tokens - 2) / 2.0 END AS context,
       sum(l.held_bytes) FILTER (WHERE l.class <> 'weights') AS held_bytes,
       sum(l.read_bytes) FILTER (WHERE l.class <> 'weights') AS read_bytes,
       sum(l.written_bytes) FILTER (WHERE l.class <> 'weights') AS written_bytes,
       j.kv_full_bytes AS full_bytes, j.kv_read_full_bytes AS read_full_bytes,
       total(l.held_bytes) FILTER (WHERE l.class IN ('pairs', 'masks', 'index'))
           AS metadata_held_bytes,
       total(l.read_bytes) FILTER (WHERE l.class IN ('pairs', 'masks', 'index'))
           AS metadata_read_bytes,
       total(l.held_bytes) FILTER (WHERE l.class = 'rows') AS rows_held_bytes,
       total(l.read_bytes) FILTER (WHERE l.class = 'rows') AS rows_read_bytes,
       CASE WHEN m.layers > 0 THEN 1.0 * min(coalesce(c.first_layer, 0), m.layers) / m.layers
            ELSE 0.0 END AS dense_share,
       sum(l.held_bytes) FILTER (WHERE l.class = 'weights') AS weights_held_bytes,
       sum(l.read_bytes) FILTER (WHERE l.class = 'weights') AS weights_read_bytes
  FROM job j
  JOIN item_ledger l ON l.job = j.id
  JOIN run r ON r.id = j.run
  JOIN model m ON m.id = r.model
  JOIN setting c ON c.id = r.setting
  JOIN task t ON t.id = j.task
 GROUP BY j.id;


-- ---- docs ----

-- The table keeps the descriptions of its columns; the view has them as well.
UPDATE docs SET object = 'item_ledger' WHERE object = 'ledger';
INSERT INTO docs SELECT 'ledger', "column", text FROM docs
 WHERE object = 'item_ledger' AND "column" <> '';
INSERT INTO docs VALUES
('ledger', '', 'one row an item and class of bytes: start here for what the cache consists of'),
('ledger', 'run', 'id in run'),
('ledger', 'model', 'name'),
('ledger', 'task', 'name'),
('ledger', 'task_id', 'id in task'),
('ledger', 'category', 'of the task'),
('ledger', 'sample', 'the record''s name in its data set'),
('ledger', 'sample_index', 'its place there, from 0'),
('ledger', 'setting', 'name'),
('ledger', 'method', 'of the setting; full is the uncompressed cache'),
('ledger', 'protocol', 'its preset'),
('ledger', 'protocol_id', 'id in protocol'),
('ledger', 'steps', 'decode steps of the item: the first token is the prefill''s'),
('ledger', 'full_bytes', 'of a full f16 cache of the same tokens: the same in all classes of an item'),
('ledger', 'read_full_bytes', 'what the same steps would read of a full f16 cache: as above');

UPDATE docs SET text = 'run: computed here; import: predictions made elsewhere; published: numbers of a paper, without items'
 WHERE object = 'run' AND "column" = 'origin';
UPDATE docs SET text = 'run, import or published' WHERE object = 'result' AND "column" = 'origin';
UPDATE docs SET text = 'one row a run and task, also of published numbers: start here to compare'
 WHERE object = 'result' AND "column" = '';
UPDATE docs SET text = 'chat wrapper that was used; none: none' WHERE object = 'protocol' AND "column" = 'chat';
UPDATE docs SET text = 'numbers of a run and task: those of result that are made of items'
 WHERE object = 'cell' AND "column" = '';
INSERT INTO docs VALUES
('protocol', 'compute', 'what a prompt''s products with weights are computed in: f32 or bf16'),
('protocol', 'newline_stop', '1 when tasks that say so also stop at a newline'),
('protocol', 'first_may_stop', '1 when an end of text as the very first new token ends the answer'),
('protocol', 'max_new_tokens', 'longest answer; NULL: the task''s'),
('protocol_option', '', 'every option of a protocol'),
('protocol_option', 'protocol', 'id in protocol'),
('protocol_option', 'name', 'option, as in a configuration; wrapper is the model''s chat wrapper'),
('protocol_option', 'value', 'value as text'),
('published', '', 'numbers of papers and leaderboards: runs of origin published, which have no items'),
('published', 'run', 'id in run'),
('published', 'task', 'id in task'),
('published', 'score', 'from 0 to 100, as published'),
('published', 'n', 'items it is the mean of; NULL: not said'),
('published', 'stderr', 'its standard error, in points; NULL: not said'),
('published', 'source', 'where it stands: paper, table, row'),
('experiment_factor', '', 'what a run of an experiment is in its ablations: the base, or the base with one factor changed'),
('experiment_factor', 'experiment', 'id in experiment'),
('experiment_factor', 'run', 'id in run'),
('experiment_factor', 'ablation', 'its name'),
('experiment_factor', 'factor', 'what is varied: kvo.key_bits, weights.bits, chain, ...'),
('experiment_factor', 'value', 'that this run has of it, as text'),
('experiment_factor', 'base', 'id in run: the base, under the same model and protocol; a base''s own id'),
('result', 'protocol_id', 'id in protocol: equal numbers, equal protocols'),
('result', 'truncation', 'see protocol, also for the next seven'),
('result', 'chat', 'see protocol'),
('result', 'bos', 'see protocol'),
('result', 'newline_stop', 'see protocol'),
('result', 'first_may_stop', 'see protocol'),
('result', 'max_new_tokens', 'see protocol'),
('result', 'prefill_path', 'see protocol'),
('result', 'compute', 'see protocol'),
('result', 'language', 'of the task'),
('result', 'data_hash', 'of the task: hash of all records'),
('result', 'template_hash', 'of the task: hash of the prompt template'),
('result', 'source', 'of a published number: where it stands; NULL for all others'),
('item', 'answers', 'reference answers, a JSON array of strings'),
('item', 'chain', 'methods of the setting'),
('item', 'protocol', 'its preset'),
('item', 'protocol_id', 'id in protocol: equal numbers, equal protocols'),
('item', 'max_prompt_tokens', 'of the protocol, also the next three'),
('item', 'chat', 'see protocol'),
('item', 'prefill_path', 'see protocol'),
('item', 'compute', 'see protocol'),
('item', 'language', 'of the task'),
('item', 'data', 'of the task'),
('item', 'origin', 'run or import'),
('item_comparison', '', 'one row an item beside the full cache''s item of the same sample, model and protocol. Of several full caches the one whose chain is full alone, then the one planned first; runs with packed weights are none'),
('item_comparison', 'run', 'id in run'),
('item_comparison', 'full_run', 'id in run: the full cache'),
('item_comparison', 'job', 'id in job'),
('item_comparison', 'full_job', 'id in job: the full cache''s item; NULL where it is not done'),
('item_comparison', 'model', 'name'),
('item_comparison', 'task', 'name'),
('item_comparison', 'task_id', 'id in task'),
('item_comparison', 'category', 'of the task'),
('item_comparison', 'setting', 'name'),
('item_comparison', 'method', 'of the setting'),
('item_comparison', 'sample_index', 'place of the sample in its data set, from 0'),
('item_comparison', 'score', 'from 0 to 100'),
('item_comparison', 'full_score', 'of the full cache''s item'),
('item_comparison', 'difference', 'score less full_score; NULL where either is missing'),
('item_comparison', 'kv_bytes', 'bytes of the cache at the end'),
('item_comparison', 'kv_full_bytes', 'bytes of a full f16 cache of the same tokens'),
('item_comparison', 'kv_read_bytes', 'bytes of the cache that the decode steps read, summed'),
('item_comparison', 'kv_read_full_bytes', 'what the same steps would read of a full f16 cache'),
('item_comparison', 'chain', 'methods of the setting'),
('item_comparison', 'protocol', 'its preset'),
('item_comparison', 'protocol_id', 'id in protocol'),
('item_comparison', 'max_prompt_tokens', 'of the protocol'),
('item_comparison', 'language', 'of the task'),
('item_comparison', 'data', 'of the task'),
('item_comparison', 'origin', 'run or import'),
('item_comparison', 'prompt_tokens', 'of the item'),
('item_comparison', 'new_tokens', 'of the item''s answer'),
('comparison', '', 'one row a run and task beside the full cache, item by item: see item_comparison'),
('comparison', 'n', 'items with a score in both'),
('comparison', 'missing', 'items of this run without a score in one or both'),
('comparison', 'score', 'mean of those n items, from 0 to 100'),
('comparison', 'full_score', 'mean of the full cache over the same n items'),
('comparison', 'difference', 'score less full_score, in points'),
('comparison', 'stderr', 'standard error of the difference, paired by item; NULL for fewer than two items'),
('comparison', 'won', 'items that score more than with the full cache'),
('comparison', 'lost', 'items that score less'),
('comparison', 'tied', 'items that score the same'),
('comparison', 'kv_ratio', 'bytes of the cache as a share of a full f16 cache, over all items of the run'),
('comparison', 'kv_read_ratio', 'bytes read a step as a share of a full f16 cache, over all items of the run'),
('provenance', '', 'one row a run and build: what made its results'),
('provenance', 'run', 'id in run'),
('provenance', 'build', 'id in build; NULL: made elsewhere'),
('provenance', 'model', 'name'),
('provenance', 'setting', 'name'),
('provenance', 'method', 'of the setting'),
('provenance', 'protocol', 'its preset'),
('provenance', 'protocol_id', 'id in protocol'),
('provenance', 'origin', 'run or import'),
('provenance', 'tasks', 'number of tasks; hashes of their data and templates are in result and task'),
('provenance', 'items', 'finished ones: done and failed'),
('provenance', 'failed', 'of these the failed'),
('provenance', 'first_finished', 'when the first of them was'),
('provenance', 'last_finished', 'when the last of them was'),
('provenance', 'setting_json', 'canonical configuration of the setting'),
('provenance', 'protocol_json', 'canonical configuration of the protocol'),
('provenance', 'run_identity', 'hash of model, setting, protocol and origin'),
('provenance', 'model_identity', 'hash of everything that decides the model''s numbers'),
('provenance', 'setting_identity', 'hash of the canonical configuration'),
('provenance', 'protocol_identity', 'hash of the canonical configuration');

-- What a view has from a table or from another view is described there.
INSERT INTO docs
SELECT v.view, i.name, d.text
  FROM (SELECT 'item' AS view, 'result' AS source UNION ALL SELECT 'item_comparison', 'result'
        UNION ALL SELECT 'provenance', 'build'
        UNION ALL SELECT 'provenance', 'model' UNION ALL SELECT 'provenance', 'protocol'
        UNION ALL SELECT 'provenance', 'setting') v
  JOIN pragma_table_info(v.view) i
  JOIN docs d ON d.object = v.source AND d."column" = i.name
 WHERE true
    ON CONFLICT DO NOTHING;
INSERT INTO docs
SELECT 'comparison', i.name, d.text
  FROM pragma_table_info('comparison') i
  JOIN docs d ON d.object = 'item_comparison' AND d."column" = i.name
 WHERE true
    ON CONFLICT DO NOTHING;
