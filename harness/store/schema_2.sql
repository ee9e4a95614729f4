-- From version 1 to 2. As released it stays as it is; see README.md.

-- ---- how weights are stored: columns of setting ----

ALTER TABLE setting ADD COLUMN weights TEXT;
ALTER TABLE setting ADD COLUMN weight_bits INTEGER;
ALTER TABLE setting ADD COLUMN weight_group INTEGER;
ALTER TABLE setting ADD COLUMN weight_symmetric INTEGER;
ALTER TABLE setting ADD COLUMN weight_clip REAL;
ALTER TABLE setting ADD COLUMN weight_pair_bits INTEGER;

-- As in version 1, with the weights.
DROP VIEW result;
CREATE VIEW result AS
SELECT e.run AS run, m.name AS model, t.name AS task, t.category AS category, c.method AS method,
       c.name AS setting, e.n AS n, e.score AS score, e.stderr AS stderr, e.kv_ratio AS kv_ratio,
       e.kv_read_ratio AS kv_read_ratio, e.failed AS failed, e."left" AS "left",
       e.planned AS planned, e.done AS done, t.metric AS metric,
       e.metric_version AS metric_version, c.chain AS chain, c.key_bits AS key_bits,
       c.value_bits AS value_bits, c.key_kept AS key_kept, c.value_kept AS value_kept,
       c.prune_keys AS prune_keys, c.prune_values AS prune_values,
       c.token_budget AS token_budget, c.window AS window, c.first_layer AS first_layer,
       c.ordering AS ordering, c.weights AS weights, c.weight_bits AS weight_bits,
       c.weight_group AS weight_group, e.kv_basis AS kv_basis,
       e.kv_ratio * 4 * m.layers * m.kv_heads * m.head_dim AS kv_bytes_token,
       e.prefill_tps AS prefill_tps, e.decode_tps AS decode_tps,
       e.prompt_tokens AS prompt_tokens, e.new_tokens AS new_tokens, p.preset AS protocol,
       p.max_prompt_tokens AS max_prompt_tokens, t.data AS data, r.origin AS origin,
       e.builds AS builds, e.task_id AS task_id
  FROM cell e
  JOIN run r ON r.id = e.run
  JOIN model m ON m.id = r.model
  JOIN setting c ON c.id = r.setting
  JOIN protocol p ON p.id = r.protocol
  JOIN task t ON t.id = e.task_id;

UPDATE docs SET text = 'what is done to the KV cache and to the weights: one row of a report'
 WHERE object = 'setting' AND "column" = '';
UPDATE docs SET text = 'of the setting; full is the uncompressed cache' WHERE object IN ('result', 'item')
   AND "column" = 'method';
INSERT INTO docs VALUES
('setting', 'weights', 'how the layers'' weights are stored, as tables show it; NULL here and below: as in the checkpoint'),
('setting', 'weight_bits', 'bits of a weight'),
('setting', 'weight_group', 'inputs that share a scale and offset; 0: a whole row'),
('setting', 'weight_symmetric', '1 when there is no offset'),
('setting', 'weight_clip', 'factor on both ends of a group''s range'),
('setting', 'weight_pair_bits', 'bits of a stored scale, and of an offset'),
('result', 'weights', 'see setting, also for the next two; NULL: as in the checkpoint'),
('result', 'weight_bits', 'see setting'),
('result', 'weight_group', 'see setting');


-- ---- the ledger: bytes by class ----

CREATE TABLE ledger (
    job INTEGER NOT NULL REFERENCES job (id),
    class TEXT NOT NULL CHECK (class IN ('rows', 'recent', 'bases', 'diffs', 'values', 'pairs',
                                         'masks', 'index', 'sums', 'weights')),
    held_bytes INTEGER NOT NULL CHECK (held_bytes >= 0),
    read_bytes INTEGER NOT NULL CHECK (read_bytes >= 0),
    written_bytes INTEGER NOT NULL CHECK (written_bytes >= 0),
    PRIMARY KEY (job, class)
) STRICT, WITHOUT ROWID;

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
  JOIN ledger l ON l.job = j.id
  JOIN run r ON r.id = j.run
  JOIN model m ON m.id = r.model
  JOIN setting c ON c.id = r.setting
  JOIN task t ON t.id = j.task
 GROUP BY j.id;

INSERT INTO docs VALUES
('ledger', '', 'bytes of a finished item by class; classes that are all zero are left out'),
('ledger', 'job', 'id in job'),
('ledger', 'class', 'rows: kept in one piece, of uncompressed layers and plain formats; recent: the recent window, keys with their pairs; bases, diffs: codes of salient keys and of the others'' differences; values: codes; pairs: scales and offsets; masks: what is kept; index: where a record begins, and bits that fill up a byte; sums: received attention; weights: of the model, not of the cache'),
('ledger', 'held_bytes', 'at the end'),
('ledger', 'read_bytes', 'by all decode steps together; what several heads share counts once'),
('ledger', 'written_bytes', 'by all decode steps together'),
('traffic', '', 'one row an item that has a ledger: its sums; start here for bytes of a step'),
('traffic', 'job', 'id in job'),
('traffic', 'run', 'id in run'),
('traffic', 'model', 'name'),
('traffic', 'task', 'name'),
('traffic', 'task_id', 'id in task'),
('traffic', 'sample', 'the record''s name in its data set'),
('traffic', 'setting', 'name'),
('traffic', 'method', 'of the setting; full is the uncompressed reference'),
('traffic', 'prompt_tokens', 'tokens of the prompt as fed'),
('traffic', 'new_tokens', 'tokens generated'),
('traffic', 'steps', 'decode steps: the first token is the prefill''s'),
('traffic', 'context', 'tokens in the cache before a step, the mean over the steps; NULL without steps'),
('traffic', 'held_bytes', 'of the cache at the end, all classes but weights'),
('traffic', 'read_bytes', 'of the cache by all steps together'),
('traffic', 'written_bytes', 'of the cache by all steps together'),
('traffic', 'full_bytes', 'of a full f16 cache of the same tokens'),
('traffic', 'read_full_bytes', 'what the same steps would read of a full f16 cache'),
('traffic', 'metadata_held_bytes', 'of held_bytes: classes pairs, masks and index'),
('traffic', 'metadata_read_bytes', 'of read_bytes: classes pairs, masks and index'),
('traffic', 'rows_held_bytes', 'of held_bytes: class rows'),
('traffic', 'rows_read_bytes', 'of read_bytes: class rows'),
('traffic', 'dense_share', 'share of the layers, and so of a full cache, that the setting leaves uncompressed: they hold class rows alone'),
('traffic', 'weights_held_bytes', 'class weights; NULL where it was not counted'),
('traffic', 'weights_read_bytes', 'class weights, by all steps together');
