-- Version 1 of the database. Later versions are steps of their own in store.c; this file then stays
-- as it is. Every table, view and column is described in table docs at the end (a test looks).
-- Times are UTC text, for people: nothing is ever identified by one.

CREATE TABLE experiment (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    config TEXT NOT NULL,
    config_hash TEXT NOT NULL,
    created TEXT NOT NULL,
    planned TEXT NOT NULL,
    plans INTEGER NOT NULL,
    UNIQUE (name, config_hash)
) STRICT;

CREATE TABLE model (
    id INTEGER PRIMARY KEY,
    identity TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    config_sha256 TEXT,
    weights_sha256 TEXT,
    tokenizer_sha256 TEXT,
    family TEXT,
    layers INTEGER,
    heads INTEGER,
    kv_heads INTEGER,
    head_dim INTEGER,
    params INTEGER,
    weights_dtype TEXT
) STRICT;

CREATE TABLE task (
    id INTEGER PRIMARY KEY,
    identity TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    source TEXT NOT NULL,
    category TEXT NOT NULL,
    metric TEXT NOT NULL,
    metric_version INTEGER,
    language TEXT,
    data_hash TEXT,
    data TEXT,
    template_hash TEXT,
    max_new_tokens INTEGER
) STRICT;

CREATE TABLE setting (
    id INTEGER PRIMARY KEY,
    identity TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    chain TEXT NOT NULL,
    method TEXT NOT NULL,
    json TEXT NOT NULL,
    key_bits INTEGER,
    value_bits INTEGER,
    key_kept REAL,
    value_kept REAL,
    prune_keys INTEGER,
    prune_values INTEGER,
    token_budget INTEGER,
    window INTEGER,
    first_layer INTEGER,
    ordering TEXT
) STRICT;

CREATE TABLE setting_option (
    setting INTEGER NOT NULL REFERENCES setting (id),
    method TEXT NOT NULL,
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (setting, method, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE protocol (
    id INTEGER PRIMARY KEY,
    identity TEXT NOT NULL UNIQUE,
    json TEXT NOT NULL,
    preset TEXT,
    max_prompt_tokens INTEGER,
    truncation TEXT,
    chat TEXT,
    bos INTEGER,
    prefill_path TEXT
) STRICT;

CREATE TABLE build (
    id INTEGER PRIMARY KEY,
    identity TEXT NOT NULL UNIQUE,
    version TEXT,
    "commit" TEXT,
    dirty INTEGER,
    compiler TEXT,
    cflags TEXT,
    blas TEXT,
    kernels TEXT,
    cpu TEXT,
    host TEXT,
    threads INTEGER
) STRICT;

CREATE TABLE run (
    id INTEGER PRIMARY KEY,
    identity TEXT NOT NULL UNIQUE,
    model INTEGER NOT NULL REFERENCES model (id),
    setting INTEGER NOT NULL REFERENCES setting (id),
    protocol INTEGER NOT NULL REFERENCES protocol (id),
    origin TEXT NOT NULL CHECK (origin IN ('run', 'import')),
    created TEXT NOT NULL
) STRICT;

CREATE TABLE experiment_run (
    experiment INTEGER NOT NULL REFERENCES experiment (id),
    run INTEGER NOT NULL REFERENCES run (id),
    position INTEGER NOT NULL,
    name TEXT NOT NULL,
    PRIMARY KEY (experiment, run)
) STRICT, WITHOUT ROWID;

CREATE TABLE sample (
    hash TEXT PRIMARY KEY,
    answers TEXT NOT NULL,
    classes TEXT,
    length INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE job (
    id INTEGER PRIMARY KEY,
    identity TEXT NOT NULL UNIQUE,
    run INTEGER NOT NULL REFERENCES run (id),
    task INTEGER NOT NULL REFERENCES task (id),
    sample TEXT NOT NULL,
    sample_index INTEGER NOT NULL,
    sample_hash TEXT NOT NULL,
    prefill_class TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('ready', 'running', 'done', 'failed')),
    owner TEXT,
    claimed_at TEXT,
    finished_at TEXT,
    build INTEGER REFERENCES build (id),
    prediction TEXT,
    error TEXT,
    prompt_tokens INTEGER,
    prompt_tokens_before_cut INTEGER,
    new_tokens INTEGER,
    stop TEXT,
    new_ids TEXT,
    prefill_seconds REAL,
    decode_seconds REAL,
    kv_bytes INTEGER,
    kv_full_bytes INTEGER,
    kv_basis TEXT CHECK (kv_basis IN ('counted', 'held')),
    kv_read_bytes INTEGER,
    kv_read_full_bytes INTEGER,
    CHECK ((state = 'running') = (owner IS NOT NULL)),
    CHECK ((state = 'done') = (prediction IS NOT NULL)),
    CHECK ((state = 'failed') = (error IS NOT NULL)),
    CHECK ((state IN ('done', 'failed')) = (finished_at IS NOT NULL))
) STRICT;

-- Claiming asks for the first ready job and for the others of its group.
CREATE INDEX job_ready ON job (id) WHERE state = 'ready';
CREATE INDEX job_group ON job (task, sample, prefill_class);
CREATE INDEX job_run ON job (run, task, state);

CREATE TABLE experiment_job (
    experiment INTEGER NOT NULL REFERENCES experiment (id),
    job INTEGER NOT NULL REFERENCES job (id),
    PRIMARY KEY (experiment, job)
) STRICT, WITHOUT ROWID;
CREATE INDEX experiment_job_job ON experiment_job (job);

CREATE TABLE score (
    job INTEGER NOT NULL REFERENCES job (id),
    metric TEXT NOT NULL,
    metric_version INTEGER NOT NULL,
    value REAL NOT NULL,
    PRIMARY KEY (job, metric, metric_version)
) STRICT, WITHOUT ROWID;

CREATE TABLE failure (
    id INTEGER PRIMARY KEY,
    job INTEGER NOT NULL REFERENCES job (id),
    finished_at TEXT NOT NULL,
    build INTEGER REFERENCES build (id),
    error TEXT NOT NULL
) STRICT;

CREATE TABLE docs (
    object TEXT NOT NULL,
    "column" TEXT NOT NULL,
    text TEXT NOT NULL,
    PRIMARY KEY (object, "column")
) STRICT, WITHOUT ROWID;

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
       j.prefill_seconds AS prefill_seconds, j.decode_seconds AS decode_seconds,
       j.finished_at AS finished_at, j.build AS build
  FROM job j
  JOIN run r ON r.id = j.run
  JOIN model m ON m.id = r.model
  JOIN setting c ON c.id = r.setting
  JOIN task t ON t.id = j.task
  LEFT JOIN score s ON s.job = j.id AND s.metric = t.metric
       AND s.metric_version = (SELECT max(x.metric_version) FROM score x
                                WHERE x.job = j.id AND x.metric = t.metric);

-- The two cells differ in what they gather: all items of a run, or those of one experiment. The
-- mean goes along as a window so that the variance is taken around it, not as a difference of sums.
-- Columns are named one by one: with * the predictions would be sorted along.
CREATE VIEW cell AS
SELECT run, task_id, count(*) AS planned, count(score) AS n, avg(score) AS score,
       CASE WHEN count(score) > 1
            THEN sqrt(sum((score - mean) * (score - mean)) / (count(score) - 1) / count(score))
       END AS stderr,
       sum(state = 'done') AS done, sum(state = 'failed') AS failed,
       sum(state IN ('ready', 'running')) AS "left",
       avg(prompt_tokens) AS prompt_tokens, avg(new_tokens) AS new_tokens,
       1.0 * sum(kv_bytes) / sum(kv_full_bytes) AS kv_ratio,
       1.0 * sum(kv_read_bytes) / sum(kv_read_full_bytes) AS kv_read_ratio,
       CASE WHEN min(kv_basis) = max(kv_basis) THEN min(kv_basis)
            WHEN min(kv_basis) IS NOT NULL THEN 'mixed' END AS kv_basis,
       sum(prompt_tokens) / sum(iif(prompt_tokens IS NULL, NULL, prefill_seconds)) AS prefill_tps,
       sum(new_tokens) / sum(iif(new_tokens IS NULL, NULL, decode_seconds)) AS decode_tps,
       CASE WHEN min(metric_version) = max(metric_version) THEN '' || min(metric_version)
            WHEN min(metric_version) IS NOT NULL THEN 'mixed' END AS metric_version,
       count(DISTINCT build) AS builds
  FROM (SELECT run, task_id, state, score, prompt_tokens, new_tokens, kv_bytes, kv_full_bytes,
               kv_read_bytes, kv_read_full_bytes, kv_basis, prefill_seconds, decode_seconds,
               metric_version, build,
               avg(score) OVER (PARTITION BY run, task_id) AS mean FROM item)
 GROUP BY run, task_id;

CREATE VIEW experiment_cell AS
SELECT experiment, run, task_id, count(*) AS planned, count(score) AS n, avg(score) AS score,
       CASE WHEN count(score) > 1
            THEN sqrt(sum((score - mean) * (score - mean)) / (count(score) - 1) / count(score))
       END AS stderr,
       sum(state = 'done') AS done, sum(state = 'failed') AS failed,
       sum(state IN ('ready', 'running')) AS "left",
       avg(prompt_tokens) AS prompt_tokens, avg(new_tokens) AS new_tokens,
       1.0 * sum(kv_bytes) / sum(kv_full_bytes) AS kv_ratio,
       1.0 * sum(kv_read_bytes) / sum(kv_read_full_bytes) AS kv_read_ratio,
       CASE WHEN min(kv_basis) = max(kv_basis) THEN min(kv_basis)
            WHEN min(kv_basis) IS NOT NULL THEN 'mixed' END AS kv_basis,
       sum(prompt_tokens) / sum(iif(prompt_tokens IS NULL, NULL, prefill_seconds)) AS prefill_tps,
       sum(new_tokens) / sum(iif(new_tokens IS NULL, NULL, decode_seconds)) AS decode_tps,
       CASE WHEN min(metric_version) = max(metric_version) THEN '' || min(metric_version)
            WHEN min(metric_version) IS NOT NULL THEN 'mixed' END AS metric_version,
       count(DISTINCT build) AS builds
  FROM (SELECT x.experiment, run, task_id, state, score, prompt_tokens, new_tokens, kv_bytes, kv_full_bytes,
               kv_read_bytes, kv_read_full_bytes, kv_basis, prefill_seconds, decode_seconds,
               metric_version, build,
               avg(score) OVER (PARTITION BY x.experiment, run, task_id) AS mean
          FROM experiment_job x JOIN item i ON i.job = x.job)
 GROUP BY experiment, run, task_id;

CREATE VIEW result AS
SELECT e.run AS run, m.name AS model, t.name AS task, t.category AS category, c.method AS method,
       c.name AS setting, e.n AS n, e.score AS score, e.stderr AS stderr, e.kv_ratio AS kv_ratio,
       e.kv_read_ratio AS kv_read_ratio, e.failed AS failed, e."left" AS "left",
       e.planned AS planned, e.done AS done, t.metric AS metric,
       e.metric_version AS metric_version, c.chain AS chain, c.key_bits AS key_bits,
       c.value_bits AS value_bits, c.key_kept AS key_kept, c.value_kept AS value_kept,
       c.prune_keys AS prune_keys, c.prune_values AS prune_values,
       c.token_budget AS token_budget, c.window AS window, c.first_layer AS first_layer,
       c.ordering AS ordering, e.kv_basis AS kv_basis,
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

INSERT INTO docs VALUES
('experiment', '', 'a configuration by its name; one whose configuration changed is another row'),
('experiment', 'id', 'number within this database'),
('experiment', 'name', 'as the configuration calls it'),
('experiment', 'config', 'the whole configuration, defaults filled in, as JSON'),
('experiment', 'config_hash', 'SHA-256 of config'),
('experiment', 'created', 'when it was first planned'),
('experiment', 'planned', 'when it was last planned'),
('experiment', 'plans', 'counts up at each planning in this database: the largest is the latest'),
('model', '', 'weights, configuration and tokenizer that answered'),
('model', 'id', 'number within this database'),
('model', 'identity', 'hash of everything that decides its numbers'),
('model', 'name', 'as the configuration calls it'),
('model', 'config_sha256', 'of config.json'),
('model', 'weights_sha256', 'of the weight files'),
('model', 'tokenizer_sha256', 'of the tokenizer'),
('model', 'family', 'which chat wrapper it is made for'),
('model', 'layers', 'transformer layers'),
('model', 'heads', 'query heads a layer'),
('model', 'kv_heads', 'key-value heads a layer'),
('model', 'head_dim', 'numbers in one head''s key or value'),
('model', 'params', 'number of weights'),
('model', 'weights_dtype', 'stored type of the weights'),
('task', '', 'questions of one kind: data, prompt template and metric'),
('task', 'id', 'number within this database'),
('task', 'identity', 'hash of data, template and rules, not of the metric''s version'),
('task', 'name', 'LongBench''s name, or that of the built-in task'),
('task', 'source', 'where the records are from'),
('task', 'category', 'single-doc QA, multi-doc QA, ...'),
('task', 'metric', 'the metric that the views show'),
('task', 'metric_version', 'its version when the task was first planned'),
('task', 'language', 'en, zh or code'),
('task', 'data_hash', 'hash of all records'),
('task', 'data', 'the data for people: words, seed and number, or the files'),
('task', 'template_hash', 'hash of the prompt template'),
('task', 'max_new_tokens', 'longest answer that is generated'),
('setting', '', 'what is done to the KV cache: one row of a report'),
('setting', 'id', 'number within this database'),
('setting', 'identity', 'hash of the canonical configuration'),
('setting', 'name', 'as the first configuration that used it calls it'),
('setting', 'chain', 'methods in order, joined by +'),
('setting', 'method', 'the method to look for; full is the uncompressed reference'),
('setting', 'json', 'canonical configuration'),
('setting', 'key_bits', 'bits a stored number of a key; NULL here and below: does not apply'),
('setting', 'value_bits', 'bits a stored number of a value'),
('setting', 'key_kept', 'share of the keys'' numbers that is kept'),
('setting', 'value_kept', 'share of the values'' numbers that is kept'),
('setting', 'prune_keys', '1 when numbers of keys are dropped'),
('setting', 'prune_values', '1 when numbers of values are dropped'),
('setting', 'token_budget', 'tokens that a step reads or that the cache keeps'),
('setting', 'window', 'rows in one block that is ordered, coded or selected together'),
('setting', 'first_layer', 'first layer that is compressed'),
('setting', 'ordering', 'order of the rows within a window'),
('setting_option', '', 'every option of every method of a setting'),
('setting_option', 'setting', 'id in setting'),
('setting_option', 'method', 'whose option it is'),
('setting_option', 'name', 'option'),
('setting_option', 'value', 'value as text'),
('protocol', '', 'how a prompt is made and fed, and when an answer ends'),
('protocol', 'id', 'number within this database'),
('protocol', 'identity', 'hash of the canonical configuration'),
('protocol', 'json', 'canonical configuration'),
('protocol', 'preset', 'longbench, kvo, ...'),
('protocol', 'max_prompt_tokens', 'longer prompts are cut to this'),
('protocol', 'truncation', 'how they are cut'),
('protocol', 'chat', 'chat wrapper'),
('protocol', 'bos', '1 when the prompt starts with the model''s BOS token'),
('protocol', 'prefill_path', 'which code computes the prefill'),
('build', '', 'program, machine and threads that computed results; never part of an identity'),
('build', 'id', 'number within this database'),
('build', 'identity', 'hash of the other columns'),
('build', 'version', 'of kvlab'),
('build', 'commit', 'of kvlab''s repository'),
('build', 'dirty', '1 when it was built from files that differ from that commit'),
('build', 'compiler', 'name and version'),
('build', 'cflags', 'flags that can change numbers'),
('build', 'blas', 'library'),
('build', 'kernels', 'plain, avx2 or avx512'),
('build', 'cpu', 'model of the processor'),
('build', 'host', 'name of the machine'),
('build', 'threads', 'number of threads'),
('run', '', 'one model under one setting and one protocol, over any tasks'),
('run', 'id', 'number within this database'),
('run', 'identity', 'hash of model, setting, protocol and origin'),
('run', 'model', 'id in model'),
('run', 'setting', 'id in setting'),
('run', 'protocol', 'id in protocol'),
('run', 'origin', 'run: computed here; import: predictions made elsewhere'),
('run', 'created', 'when it was first planned'),
('experiment_run', '', 'which runs an experiment shows'),
('experiment_run', 'experiment', 'id in experiment'),
('experiment_run', 'run', 'id in run'),
('experiment_run', 'position', 'order in the configuration'),
('experiment_run', 'name', 'of the setting in that configuration'),
('job', '', 'one sample under one run: the unit of work and its result'),
('job', 'id', 'number within this database; the order of planning'),
('job', 'identity', 'hash of the identities of run, task and sample'),
('job', 'run', 'id in run'),
('job', 'task', 'id in task'),
('job', 'sample', 'the record''s name in its data set'),
('job', 'sample_index', 'its place there, from 0'),
('job', 'sample_hash', 'hash of the record'),
('job', 'prefill_class', 'jobs of one sample with the same class share a prefill'),
('job', 'state', 'ready, running, done or failed'),
('job', 'owner', 'of a running job: host/process/start of that process'),
('job', 'claimed_at', 'when it was last taken up'),
('job', 'finished_at', 'when it was done or failed'),
('job', 'build', 'id in build: what computed it'),
('job', 'prediction', 'the answer; may hold U+0000'),
('job', 'error', 'why it failed'),
('job', 'prompt_tokens', 'tokens of the prompt as fed'),
('job', 'prompt_tokens_before_cut', 'tokens of the prompt before truncation'),
('job', 'new_tokens', 'tokens generated'),
('job', 'stop', 'why generation ended'),
('job', 'new_ids', 'ids of the generated tokens, separated by spaces'),
('job', 'prefill_seconds', 'time of the prefill, the same for all jobs that shared it'),
('job', 'decode_seconds', 'time of this job''s own steps'),
('job', 'kv_bytes', 'bytes of the cache at the end'),
('job', 'kv_full_bytes', 'bytes of a full f16 cache of the same tokens'),
('job', 'kv_basis', 'of kv_bytes; counted: size of the packed records; held: memory really held'),
('job', 'kv_read_bytes', 'bytes of the cache that the decode steps read, summed'),
('job', 'kv_read_full_bytes', 'what the same steps would read of a full f16 cache'),
('sample', '', 'what a record is scored by, once for all runs'),
('sample', 'hash', 'sample_hash in job'),
('sample', 'answers', 'reference answers, a JSON array of strings'),
('sample', 'classes', 'all_classes, a JSON array of strings; NULL where the record has none'),
('sample', 'length', 'as recorded, in words or characters; NULL: not known'),
('experiment_job', '', 'which jobs an experiment asked for'),
('experiment_job', 'experiment', 'id in experiment'),
('experiment_job', 'job', 'id in job'),
('score', '', 'scores of predictions; another version of a metric adds a row'),
('score', 'job', 'id in job'),
('score', 'metric', 'name'),
('score', 'metric_version', 'version'),
('score', 'value', 'from 0 to 1'),
('failure', '', 'every failure there was, also of jobs that were tried again'),
('failure', 'id', 'number within this database'),
('failure', 'job', 'id in job'),
('failure', 'finished_at', 'when'),
('failure', 'build', 'id in build'),
('failure', 'error', 'why'),
('docs', '', 'this description'),
('docs', 'object', 'table or view'),
('docs', 'column', 'its column, or empty for the table itself'),
('docs', 'text', 'what it is');

INSERT INTO docs VALUES
('item', '', 'one row a prediction: start here to look at answers'),
('item', 'job', 'id in job'),
('item', 'run', 'id in run'),
('item', 'model', 'name'),
('item', 'task', 'name'),
('item', 'task_id', 'id in task'),
('item', 'category', 'of the task'),
('item', 'sample', 'the record''s name in its data set'),
('item', 'sample_index', 'its place there, from 0'),
('item', 'setting', 'name'),
('item', 'method', 'of the setting'),
('item', 'state', 'ready, running, done or failed'),
('item', 'prediction', 'the answer; may hold U+0000'),
('item', 'score', 'from 0 to 100, by the newest version of the task''s metric'),
('item', 'metric', 'name'),
('item', 'metric_version', 'that scored it'),
('item', 'prompt_tokens', 'tokens of the prompt as fed'),
('item', 'prompt_tokens_before_cut', 'tokens of the prompt before truncation'),
('item', 'new_tokens', 'tokens generated'),
('item', 'stop', 'why generation ended'),
('item', 'error', 'why it failed'),
('item', 'kv_ratio', 'kv_bytes as a share of kv_full_bytes'),
('item', 'kv_read_ratio', 'kv_read_bytes as a share of kv_read_full_bytes'),
('item', 'kv_bytes', 'bytes of the cache at the end'),
('item', 'kv_full_bytes', 'bytes of a full f16 cache of the same tokens'),
('item', 'kv_basis', 'of kv_bytes: counted or held'),
('item', 'kv_read_bytes', 'bytes of the cache that the decode steps read, summed'),
('item', 'kv_read_full_bytes', 'what the same steps would read of a full f16 cache'),
('item', 'prefill_seconds', 'time of the prefill, the same for all items that shared it'),
('item', 'decode_seconds', 'time of this item''s own steps'),
('item', 'finished_at', 'when it was done or failed'),
('item', 'build', 'id in build'),
('result', '', 'one row a run and task: start here to compare'),
('result', 'run', 'id in run'),
('result', 'model', 'name'),
('result', 'task', 'name'),
('result', 'category', 'of the task'),
('result', 'method', 'of the setting; full is the uncompressed reference'),
('result', 'setting', 'name'),
('result', 'n', 'items that have a score'),
('result', 'score', 'their mean, from 0 to 100'),
('result', 'stderr', 'standard error of that mean, in points; NULL for fewer than two items'),
('result', 'kv_ratio', 'bytes of the cache as a share of a full f16 cache, over all items'),
('result', 'kv_read_ratio', 'bytes read a step as a share of a full f16 cache, over all items'),
('result', 'failed', 'items that failed'),
('result', 'left', 'items that are not finished'),
('result', 'planned', 'items asked for: done, failed and left'),
('result', 'done', 'items with a prediction'),
('result', 'metric', 'name'),
('result', 'metric_version', 'that scored the items; mixed when several did'),
('result', 'chain', 'methods of the setting'),
('result', 'key_bits', 'see setting, also for the next nine'),
('result', 'value_bits', 'see setting'),
('result', 'key_kept', 'see setting'),
('result', 'value_kept', 'see setting'),
('result', 'prune_keys', 'see setting'),
('result', 'prune_values', 'see setting'),
('result', 'token_budget', 'see setting'),
('result', 'window', 'see setting'),
('result', 'first_layer', 'see setting'),
('result', 'ordering', 'see setting'),
('result', 'kv_basis', 'of kv_ratio: counted, held, or mixed'),
('result', 'kv_bytes_token', 'bytes of the cache a token, all layers together'),
('result', 'prefill_tps', 'prompt tokens a second of prefill'),
('result', 'decode_tps', 'generated tokens a second of decoding'),
('result', 'prompt_tokens', 'mean over the items'),
('result', 'new_tokens', 'mean over the items'),
('result', 'protocol', 'its preset'),
('result', 'max_prompt_tokens', 'of the protocol'),
('result', 'data', 'of the task'),
('result', 'origin', 'run or import'),
('result', 'builds', 'how many builds computed the items; 1 is what one wants'),
('result', 'task_id', 'id in task'),
('cell', '', 'what result is made from: numbers of a run and task'),
('experiment_cell', '', 'cell, counting only the items that one experiment asked for'),
('experiment_cell', 'experiment', 'id in experiment');

-- The columns of cell and experiment_cell are those of result.
INSERT INTO docs
SELECT c.o, i.name, d.text
  FROM (SELECT 'cell' AS o UNION ALL SELECT 'experiment_cell') c, pragma_table_info(c.o) i
  JOIN docs d ON d.object = 'result' AND d."column" = i.name;
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

-- ---- rows, as a run of that version left them; the stamp of version 5 ----

PRAGMA application_id = 0x6b766c62;
PRAGMA user_version = 5;
INSERT INTO build VALUES(1,'5bdcdfabc96f4ef4a4950e9cdadbd8ba9d7cf431a8c0d4bd6021eeb1bb18b548','0.1',NULL,0,NULL,NULL,NULL,NULL,NULL,NULL,2);
INSERT INTO experiment VALUES(1,'sample','{"name":"sample","settings":[{"name":"kvo-default","ablations":[{"ablation":"kvo-default","factor":"kvo.key_bits","value":"4","base":true}]},{"name":"full"},{"name":"kvo-2bit","ablations":[{"ablation":"kvo-default","factor":"kvo.key_bits","value":"2","base":false}]}]}','c0','2025-01-01T00:00:00Z','2025-01-01T00:00:00Z',1);
INSERT INTO experiment VALUES(2,'odd','not JSON','c1','2025-01-01T00:00:00Z','2025-01-01T00:00:00Z',2);
INSERT INTO model VALUES(1,'m0','mini',NULL,NULL,NULL,NULL,2,4,2,32,1000000,NULL);
INSERT INTO task VALUES(1,'t0','mini_doc_qa','mini','single-doc QA','qa_f1_score',1,NULL,NULL,NULL,NULL,0);
INSERT INTO task VALUES(6,'t5','mini_code','mini','code','qa_f1_score',1,NULL,NULL,NULL,NULL,0);
INSERT INTO setting VALUES(1,'s0','kvo-default','kvo','kvo','{}',4,4,NULL,NULL,NULL,NULL,1024,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO setting VALUES(2,'s1','full','full','full','{}',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO setting VALUES(3,'s2','kvo-2bit','kvo','kvo','{}',2,2,NULL,NULL,NULL,NULL,1024,NULL,NULL,NULL,'w4g128',4,128,0,1.0,16);
INSERT INTO setting_option VALUES(1,'kvo','key_bits','4');
INSERT INTO setting_option VALUES(1,'kvo','window','64');
INSERT INTO setting_option VALUES(3,'kvo','key_bits','4');
INSERT INTO setting_option VALUES(3,'kvo','window','64');
INSERT INTO protocol VALUES(1,'p0','{"options":{"preset":"kvo","max_prompt_tokens":3500,"truncation":"middle","chat":"task","bos":true,"newline_stop":false,"first_may_stop":true,"max_new_tokens":64,"path":"fast","compute":"bf16"},"wrapper":"llama2"}','kvo',3500,'middle','llama2',1,'fast','bf16',0,1,64,'prompt',0);
INSERT INTO protocol VALUES(2,'p1','{"options":{"preset":"longbench","max_prompt_tokens":3500,"truncation":"none","chat":"never","bos":false,"newline_stop":true,"first_may_stop":false,"max_new_tokens":0,"path":"reference","compress_at":"context","decode_tail":5,"metric":"kl"},"wrapper":"none"}','longbench',3500,'none','none',0,'reference','f32',1,0,NULL,'context',5);
INSERT INTO protocol VALUES(3,'p2','not JSON','imported',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO protocol_option VALUES(1,'bos','true');
INSERT INTO protocol_option VALUES(1,'chat','task');
INSERT INTO protocol_option VALUES(1,'compress_at','prompt');
INSERT INTO protocol_option VALUES(1,'compute','bf16');
INSERT INTO protocol_option VALUES(1,'decode_tail','0');
INSERT INTO protocol_option VALUES(1,'first_may_stop','true');
INSERT INTO protocol_option VALUES(1,'max_new_tokens','64');
INSERT INTO protocol_option VALUES(1,'max_prompt_tokens','3500');
INSERT INTO protocol_option VALUES(1,'metric','task');
INSERT INTO protocol_option VALUES(1,'newline_stop','false');
INSERT INTO protocol_option VALUES(1,'path','fast');
INSERT INTO protocol_option VALUES(1,'preset','kvo');
INSERT INTO protocol_option VALUES(1,'truncation','middle');
INSERT INTO protocol_option VALUES(1,'wrapper','llama2');
INSERT INTO protocol_option VALUES(2,'bos','false');
INSERT INTO protocol_option VALUES(2,'chat','never');
INSERT INTO protocol_option VALUES(2,'compress_at','context');
INSERT INTO protocol_option VALUES(2,'compute','f32');
INSERT INTO protocol_option VALUES(2,'decode_tail','5');
INSERT INTO protocol_option VALUES(2,'first_may_stop','false');
INSERT INTO protocol_option VALUES(2,'max_new_tokens','0');
INSERT INTO protocol_option VALUES(2,'max_prompt_tokens','3500');
INSERT INTO protocol_option VALUES(2,'metric','kl');
INSERT INTO protocol_option VALUES(2,'newline_stop','true');
INSERT INTO protocol_option VALUES(2,'path','reference');
INSERT INTO protocol_option VALUES(2,'preset','longbench');
INSERT INTO protocol_option VALUES(2,'truncation','none');
INSERT INTO protocol_option VALUES(2,'wrapper','none');
INSERT INTO run VALUES(1,'r0',1,1,1,'run','2025-01-01T00:00:00Z');
INSERT INTO run VALUES(2,'r1',1,2,1,'run','2025-01-01T00:00:00Z');
INSERT INTO run VALUES(3,'r2',1,3,1,'run','2025-01-01T00:00:00Z');
INSERT INTO run VALUES(4,'r3',1,1,2,'run','2025-01-01T00:00:00Z');
INSERT INTO run VALUES(5,'r4',1,2,2,'run','2025-01-01T00:00:00Z');
INSERT INTO run VALUES(6,'r5',1,3,2,'run','2025-01-01T00:00:00Z');
INSERT INTO run VALUES(7,'r6',1,2,3,'import','2025-01-01T00:00:00Z');
INSERT INTO sample VALUES('h','["an answer"]',NULL,812);
INSERT INTO job VALUES(1,'61bef43d043f63dc5ab4877cc2e5eb22f1557750a1a1a634c34965fc2061984e',1,1,'mini_doc_qa-0',0,'h','plain','done',NULL,'2025-01-01T00:00:00Z','2025-01-01T00:00:00Z',1,'an answer in "two" lines',NULL,1000,NULL,10,NULL,NULL,2.0,0.25,250,1000,'counted',1000,10000,'h0',0,12,2.5,0,0,0.0);
INSERT INTO job VALUES(2,'a344ffd6aabcd47db2cecfdb05bdc9833217ffe965480294698f14c8eeef958e',2,1,'mini_doc_qa-0',0,'h','plain','done',NULL,'2025-01-01T00:00:00Z','2025-01-01T00:00:00Z',1,'an answer in "two" lines',NULL,1000,NULL,10,NULL,NULL,2.0,0.5,1000,1000,'counted',4000,10000,'h0',0,12,2.5,0,0,0.0);
INSERT INTO job VALUES(3,'bb6b46b997939c05d0e1d80ba8fce9edfd96c8b6a1d9fbd8a8099946572b5864',3,1,'mini_doc_qa-0',0,'h','plain','done',NULL,'2025-01-01T00:00:00Z','2025-01-01T00:00:00Z',1,'an answer in "two" lines',NULL,1000,NULL,10,NULL,NULL,2.0,0.25,150,1000,'counted',600,10000,NULL,0,NULL,NULL,0,0,0.0);
INSERT INTO job VALUES(4,'870b3c409b75006eaa1dd0844ef8fee33927c336157fd72033d890d7858fc317',1,1,'mini_doc_qa-1',1,'h','plain','done',NULL,'2025-01-01T00:00:00Z','2025-01-01T00:00:00Z',1,'an answer in "two" lines',NULL,1001,NULL,10,NULL,NULL,2.0,0.25,500,2000,'counted',1000,10000,NULL,0,NULL,NULL,0,0,0.0);
INSERT INTO job VALUES(5,'28de704caf3f40daba7f299518269e2ce1741b6515196f15a68f862d38ae0838',2,1,'mini_doc_qa-1',1,'h','plain','done',NULL,'2025-01-01T00:00:00Z','2025-01-01T00:00:00Z',1,'an answer in "two" lines',NULL,1001,NULL,10,NULL,NULL,2.0,0.5,2000,2000,'counted',4000,10000,NULL,0,NULL,NULL,9,40,0.5);
INSERT INTO job VALUES(6,'5b1c2b249b9f9537e925415390d5edd9a5a0aa2cb7a0a401da6317ce5ecc1773',3,1,'mini_doc_qa-1',1,'h','plain','done',NULL,'2025-01-01T00:00:00Z','2025-01-01T00:00:00Z',1,'an answer in "two" lines',NULL,1001,NULL,10,NULL,NULL,2.0,0.25,300,2000,'counted',600,10000,NULL,0,NULL,NULL,0,0,0.0);
INSERT INTO job VALUES(69,'cc8ea3572c9dbce328590f9064f7a836de2dd9379661923fce905b281f95c37d',3,6,'mini_code-2',2,'h','plain','failed',NULL,'2025-01-01T00:00:00Z','2025-01-01T00:00:00Z',1,NULL,'prompt of 4200 tokens is longer than the model''s 4096 positions',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,1,NULL,NULL,NULL,NULL,NULL);
INSERT INTO job VALUES(72,'a2194785b832669645c85d2ab079feb4501c374d7f1ce763c8e1a06af040f912',3,6,'mini_code-3',3,'h','plain','failed',NULL,'2025-01-01T00:00:00Z','2025-01-01T00:00:00Z',1,NULL,'prompt of 4200 tokens is longer than the model''s 4096 positions',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,0,NULL,NULL,NULL,NULL,NULL);
INSERT INTO job VALUES(73,'j73',2,6,'mini_code-0',0,'h','plain','ready',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,0,NULL,NULL,NULL,NULL,NULL);
INSERT INTO experiment_run VALUES(1,1,0,'kvo-default');
INSERT INTO experiment_run VALUES(1,2,1,'full');
INSERT INTO experiment_run VALUES(1,3,2,'kvo-2bit');
INSERT INTO experiment_run VALUES(1,4,3,'kvo-default');
INSERT INTO experiment_run VALUES(1,5,4,'full');
INSERT INTO experiment_run VALUES(1,6,5,'kvo-2bit');
INSERT INTO experiment_run VALUES(2,7,0,'full');
INSERT INTO experiment_factor VALUES(1,1,'kvo-default','kvo.key_bits','4',1);
INSERT INTO experiment_factor VALUES(1,3,'kvo-default','kvo.key_bits','2',1);
INSERT INTO experiment_factor VALUES(1,4,'kvo-default','kvo.key_bits','4',4);
INSERT INTO experiment_factor VALUES(1,6,'kvo-default','kvo.key_bits','2',4);
INSERT INTO experiment_job VALUES(1,1);
INSERT INTO experiment_job VALUES(1,2);
INSERT INTO experiment_job VALUES(1,3);
INSERT INTO experiment_job VALUES(1,4);
INSERT INTO experiment_job VALUES(1,5);
INSERT INTO experiment_job VALUES(1,6);
INSERT INTO experiment_job VALUES(1,69);
INSERT INTO experiment_job VALUES(1,72);
INSERT INTO experiment_job VALUES(1,73);
INSERT INTO failure VALUES(1,69,'2025-01-01T00:00:00Z',1,'prompt of 4200 tokens is longer than the model''s 4096 positions');
INSERT INTO failure VALUES(2,72,'2025-01-01T00:00:00Z',1,'prompt of 4200 tokens is longer than the model''s 4096 positions');
INSERT INTO score VALUES(1,'qa_f1_score',1,1.0);
INSERT INTO score VALUES(2,'qa_f1_score',1,1.0);
INSERT INTO score VALUES(3,'qa_f1_score',1,1.0);
INSERT INTO score VALUES(4,'qa_f1_score',1,1.0);
INSERT INTO score VALUES(5,'qa_f1_score',1,1.0);
INSERT INTO score VALUES(6,'qa_f1_score',1,0.0);
INSERT INTO item_ledger VALUES(1,'pairs',150,100,4);
INSERT INTO item_ledger VALUES(1,'recent',100,900,20);
INSERT INTO item_ledger VALUES(3,'weights',4000,36000,0);
