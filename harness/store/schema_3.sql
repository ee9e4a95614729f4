-- From version 2 to 3: how work is shared out. As released it stays as it is; see README.md.

ALTER TABLE job ADD COLUMN head TEXT;
ALTER TABLE job ADD COLUMN crashes INTEGER NOT NULL DEFAULT 0;
ALTER TABLE job ADD COLUMN shared_tokens INTEGER;
ALTER TABLE job ADD COLUMN decode_batch REAL;

-- Claiming asks for the next group whose prompts begin as those of the last one, and whether
-- another process is at such a group.
CREATE INDEX job_head ON job (head, prefill_class, state) WHERE head IS NOT NULL;

-- As in version 1, with the two new columns of a result.
DROP VIEW item;
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
       j.finished_at AS finished_at, j.build AS build
  FROM job j
  JOIN run r ON r.id = j.run
  JOIN model m ON m.id = r.model
  JOIN setting c ON c.id = r.setting
  JOIN task t ON t.id = j.task
  LEFT JOIN score s ON s.job = j.id AND s.metric = t.metric
       AND s.metric_version = (SELECT max(x.metric_version) FROM score x
                                WHERE x.job = j.id AND x.metric = t.metric);

UPDATE docs SET text = 'its share of the time of the steps that it took with others: its own attention as measured, an even part of the rest'
 WHERE object = 'job' AND "column" = 'decode_seconds';
UPDATE docs SET text = 'its share of the time of the steps that it took with others'
 WHERE object = 'item' AND "column" = 'decode_seconds';
UPDATE docs SET text = 'generated tokens a second of decoding, each item with its share of the batches that it was in'
 WHERE object IN ('result', 'cell', 'experiment_cell') AND "column" = 'decode_tps';
UPDATE docs SET text = 'rows: kept in one piece, of uncompressed layers and plain formats; recent: the recent window, keys with their pairs; bases, diffs: codes of salient keys and of the others'' differences; values: codes; pairs: scales and offsets; masks: what is kept; index: where a record begins, and bits that fill up a byte; sums: received attention; weights: of the model, not of the cache, as its steps would read them alone (a batch reads them once for all its items)'
 WHERE object = 'ledger' AND "column" = 'class';
INSERT INTO docs VALUES
('job', 'head', 'hash of the text that this prompt begins with and others too: they are claimed one after the other and share its prefill; NULL: none'),
('job', 'crashes', 'how often a process crashed that worked on it'),
('job', 'shared_tokens', 'tokens of the prompt that were not read again: an earlier prompt began with them'),
('job', 'decode_batch', 'mean number of items that took a step together'),
('item', 'shared_tokens', 'tokens of the prompt that were not read again: an earlier prompt began with them'),
('item', 'decode_batch', 'mean number of items that took a step together');
