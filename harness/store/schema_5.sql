-- From version 4 to 5: what of a prompt goes through the compressed cache, and what a method had fed
-- again. As released it stays as it is; see README.md.

DROP VIEW result;
DROP VIEW provenance;
DROP VIEW ledger;
DROP VIEW traffic;
DROP VIEW item;

ALTER TABLE protocol ADD COLUMN compress_at TEXT;
ALTER TABLE protocol ADD COLUMN decode_tail INTEGER;
ALTER TABLE job ADD COLUMN tail_tokens INTEGER;
ALTER TABLE job ADD COLUMN replay_tokens INTEGER;
ALTER TABLE job ADD COLUMN replay_seconds REAL;

-- Until now a cache was compressed after the whole prompt. Protocols without options are those of
-- predictions made elsewhere and of published numbers.
INSERT INTO protocol_option
SELECT DISTINCT protocol, 'compress_at', 'prompt' FROM protocol_option WHERE true ON CONFLICT DO NOTHING;
INSERT INTO protocol_option
SELECT DISTINCT protocol, 'decode_tail', '0' FROM protocol_option WHERE true ON CONFLICT DO NOTHING;
INSERT INTO protocol_option
SELECT DISTINCT protocol, 'metric', 'task' FROM protocol_option WHERE true ON CONFLICT DO NOTHING;
UPDATE protocol SET compress_at = 'prompt', decode_tail = 0
 WHERE id IN (SELECT protocol FROM protocol_option);
UPDATE job SET tail_tokens = 0, replay_tokens = 0, replay_seconds = 0
 WHERE prompt_tokens IS NOT NULL AND prefill_seconds IS NOT NULL;

DROP INDEX job_cell;
CREATE INDEX job_cell ON job (run, task, state, sample_index, prompt_tokens, new_tokens, kv_bytes,
                              kv_full_bytes, kv_read_bytes, kv_read_full_bytes, kv_basis,
                              prefill_seconds, decode_seconds, build, finished_at, decode_batch,
                              shared_tokens, tail_tokens, stop, replay_tokens, replay_seconds);


-- ---- views: those of version 4 with the new columns ----

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
       j.tail_tokens AS tail_tokens,
       j.replay_tokens AS replay_tokens, j.replay_seconds AS replay_seconds,
       j.decode_seconds AS decode_seconds, j.decode_batch AS decode_batch,
       j.finished_at AS finished_at, j.build AS build, a.answers AS answers,
       c.chain AS chain, c.key_bits AS key_bits, c.value_bits AS value_bits,
       c.key_kept AS key_kept, c.value_kept AS value_kept, c.prune_keys AS prune_keys,
       c.prune_values AS prune_values, c.token_budget AS token_budget, c.window AS window,
       c.first_layer AS first_layer, c.ordering AS ordering, c.weights AS weights,
       c.weight_bits AS weight_bits, c.weight_group AS weight_group, p.preset AS protocol,
       r.protocol AS protocol_id, p.max_prompt_tokens AS max_prompt_tokens, p.chat AS chat,
       p.prefill_path AS prefill_path, p.compute AS compute,
       p.compress_at AS compress_at, p.decode_tail AS decode_tail, t.language AS language,
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
       avg(j.replay_tokens) AS replay_tokens, avg(j.replay_seconds) AS replay_seconds,
       p.preset AS protocol, p.max_prompt_tokens AS max_prompt_tokens, t.data AS data,
       r.origin AS origin, count(DISTINCT j.build) AS builds, t.id AS task_id,
       p.id AS protocol_id, p.truncation AS truncation, p.chat AS chat, p.bos AS bos,
       p.newline_stop AS newline_stop, p.first_may_stop AS first_may_stop,
       p.max_new_tokens AS max_new_tokens, p.prefill_path AS prefill_path, p.compute AS compute,
       p.compress_at AS compress_at, p.decode_tail AS decode_tail,
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
          p.first_may_stop, p.max_new_tokens, p.prefill_path, p.compute, p.compress_at, p.decode_tail, t.language,
          t.data_hash, t.template_hash
UNION ALL
SELECT r.id, m.name, t.name, t.category, c.method, c.name, q.n, q.score, q.stderr, NULL, NULL,
       NULL, NULL, NULL, NULL, t.metric, NULL, c.chain, c.key_bits, c.value_bits, c.key_kept,
       c.value_kept, c.prune_keys, c.prune_values, c.token_budget, c.window, c.first_layer,
       c.ordering, c.weights, c.weight_bits, c.weight_group, NULL, NULL, NULL, NULL, NULL, NULL,
       NULL, NULL, p.preset, p.max_prompt_tokens, t.data, r.origin, NULL, t.id, p.id, p.truncation, p.chat,
       p.bos, p.newline_stop, p.first_may_stop, p.max_new_tokens, p.prefill_path, p.compute, p.compress_at,
       p.decode_tail,
       t.language, t.data_hash, t.template_hash, q.source
  FROM published q
  JOIN run r ON r.id = q.run
  JOIN setting c ON c.id = r.setting
  JOIN model m ON m.id = r.model
  JOIN protocol p ON p.id = r.protocol
  JOIN task t ON t.id = q.task;

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
       p.compress_at AS compress_at, p.decode_tail AS decode_tail,
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
       p.preset AS protocol, r.protocol AS protocol_id, j.new_tokens - 1 + ifnull(j.tail_tokens, 0) AS steps,
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
       j.prompt_tokens AS prompt_tokens, j.new_tokens AS new_tokens, j.new_tokens - 1 + ifnull(j.tail_tokens, 0) AS steps,
       CASE WHEN j.new_tokens - 1 + ifnull(j.tail_tokens, 0) > 0
            THEN j.prompt_tokens + (j.new_tokens - 2 - ifnull(j.tail_tokens, 0)) / 2.0 END AS context,
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

UPDATE docs SET text = 'decode steps of the item: of the prompt''s tail and, but for the first, of the new tokens'
 WHERE object IN ('ledger', 'traffic') AND "column" = 'steps';
INSERT INTO docs VALUES
('protocol', 'compress_at', 'where caches are compressed: prompt (after all of it) or context (before the question)'),
('protocol', 'decode_tail', 'last tokens of a prompt that are read as decode steps, through the compressed cache'),
('job', 'tail_tokens', 'of the prompt, read as decode steps through the compressed cache'),
('item', 'tail_tokens', 'of the prompt, read as decode steps through the compressed cache'),
('job', 'replay_tokens', 'fed to the model again behind the prompt, for what the method observes of that; 0: none'),
('job', 'replay_seconds', 'that this took; no part of prefill_seconds; items of one prompt whose settings share it have all of it'),
('item', 'replay_tokens', 'fed to the model again behind the prompt, for what the method observes of that; 0: none'),
('item', 'replay_seconds', 'that this took; no part of prefill_seconds'),
('result', 'replay_tokens', 'an item, the mean: fed to the model again behind the prompt'),
('result', 'replay_seconds', 'an item, the mean: that this took; no part of prefill_tps'),
('item', 'compress_at', 'see protocol'),
('item', 'decode_tail', 'see protocol'),
('result', 'compress_at', 'see protocol'),
('result', 'decode_tail', 'see protocol'),
('provenance', 'compress_at', 'see protocol'),
('provenance', 'decode_tail', 'see protocol');
