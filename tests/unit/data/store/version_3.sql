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

-- ---- rows, as a run of that version left them; the stamp of version 3 ----

PRAGMA application_id = 0x6b766c62;
PRAGMA user_version = 3;
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
INSERT INTO protocol VALUES(1,'p0','{"options":{"preset":"kvo","max_prompt_tokens":3500,"truncation":"middle","chat":"task","bos":true,"newline_stop":false,"first_may_stop":true,"max_new_tokens":64,"path":"fast","compute":"bf16"},"wrapper":"llama2"}','kvo',3500,'middle','llama2',1,'fast');
INSERT INTO protocol VALUES(2,'p1','{"options":{"preset":"longbench","max_prompt_tokens":3500,"truncation":"none","chat":"never","bos":false,"newline_stop":true,"first_may_stop":false,"max_new_tokens":0,"path":"reference"},"wrapper":"none"}','longbench',3500,'none','none',0,'reference');
INSERT INTO protocol VALUES(3,'p2','not JSON','imported',NULL,NULL,NULL,NULL,NULL);
INSERT INTO build VALUES(1,'5bdcdfabc96f4ef4a4950e9cdadbd8ba9d7cf431a8c0d4bd6021eeb1bb18b548','0.1',NULL,0,NULL,NULL,NULL,NULL,NULL,NULL,2);
INSERT INTO run VALUES(1,'r0',1,1,1,'run','2025-01-01T00:00:00Z');
INSERT INTO run VALUES(2,'r1',1,2,1,'run','2025-01-01T00:00:00Z');
INSERT INTO run VALUES(3,'r2',1,3,1,'run','2025-01-01T00:00:00Z');
INSERT INTO run VALUES(4,'r3',1,1,2,'run','2025-01-01T00:00:00Z');
INSERT INTO run VALUES(5,'r4',1,2,2,'run','2025-01-01T00:00:00Z');
INSERT INTO run VALUES(6,'r5',1,3,2,'run','2025-01-01T00:00:00Z');
INSERT INTO run VALUES(7,'r6',1,2,3,'import','2025-01-01T00:00:00Z');
INSERT INTO experiment_run VALUES(1,1,0,'kvo-default');
INSERT INTO experiment_run VALUES(1,2,1,'full');
INSERT INTO experiment_run VALUES(1,3,2,'kvo-2bit');
INSERT INTO experiment_run VALUES(1,4,3,'kvo-default');
INSERT INTO experiment_run VALUES(1,5,4,'full');
INSERT INTO experiment_run VALUES(1,6,5,'kvo-2bit');
INSERT INTO experiment_run VALUES(2,7,0,'full');
INSERT INTO sample VALUES('h','["an answer"]',NULL,812);
INSERT INTO job VALUES(1,'61bef43d043f63dc5ab4877cc2e5eb22f1557750a1a1a634c34965fc2061984e',1,1,'mini_doc_qa-0',0,'h','plain','done',NULL,'2025-01-01T00:00:00Z','2025-01-01T00:00:00Z',1,'an answer in "two" lines',NULL,1000,NULL,10,NULL,NULL,2.0,0.25,250,1000,'counted',1000,10000,'h0',0,12,2.5);
INSERT INTO job VALUES(2,'a344ffd6aabcd47db2cecfdb05bdc9833217ffe965480294698f14c8eeef958e',2,1,'mini_doc_qa-0',0,'h','plain','done',NULL,'2025-01-01T00:00:00Z','2025-01-01T00:00:00Z',1,'an answer in "two" lines',NULL,1000,NULL,10,NULL,NULL,2.0,0.5,1000,1000,'counted',4000,10000,'h0',0,12,2.5);
INSERT INTO job VALUES(3,'bb6b46b997939c05d0e1d80ba8fce9edfd96c8b6a1d9fbd8a8099946572b5864',3,1,'mini_doc_qa-0',0,'h','plain','done',NULL,'2025-01-01T00:00:00Z','2025-01-01T00:00:00Z',1,'an answer in "two" lines',NULL,1000,NULL,10,NULL,NULL,2.0,0.25,150,1000,'counted',600,10000,NULL,0,NULL,NULL);
INSERT INTO job VALUES(4,'870b3c409b75006eaa1dd0844ef8fee33927c336157fd72033d890d7858fc317',1,1,'mini_doc_qa-1',1,'h','plain','done',NULL,'2025-01-01T00:00:00Z','2025-01-01T00:00:00Z',1,'an answer in "two" lines',NULL,1001,NULL,10,NULL,NULL,2.0,0.25,500,2000,'counted',1000,10000,NULL,0,NULL,NULL);
INSERT INTO job VALUES(5,'28de704caf3f40daba7f299518269e2ce1741b6515196f15a68f862d38ae0838',2,1,'mini_doc_qa-1',1,'h','plain','done',NULL,'2025-01-01T00:00:00Z','2025-01-01T00:00:00Z',1,'an answer in "two" lines',NULL,1001,NULL,10,NULL,NULL,2.0,0.5,2000,2000,'counted',4000,10000,NULL,0,NULL,NULL);
INSERT INTO job VALUES(6,'5b1c2b249b9f9537e925415390d5edd9a5a0aa2cb7a0a401da6317ce5ecc1773',3,1,'mini_doc_qa-1',1,'h','plain','done',NULL,'2025-01-01T00:00:00Z','2025-01-01T00:00:00Z',1,'an answer in "two" lines',NULL,1001,NULL,10,NULL,NULL,2.0,0.25,300,2000,'counted',600,10000,NULL,0,NULL,NULL);
INSERT INTO job VALUES(69,'cc8ea3572c9dbce328590f9064f7a836de2dd9379661923fce905b281f95c37d',3,6,'mini_code-2',2,'h','plain','failed',NULL,'2025-01-01T00:00:00Z','2025-01-01T00:00:00Z',1,NULL,'prompt of 4200 tokens is longer than the model''s 4096 positions',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,1,NULL,NULL);
INSERT INTO job VALUES(72,'a2194785b832669645c85d2ab079feb4501c374d7f1ce763c8e1a06af040f912',3,6,'mini_code-3',3,'h','plain','failed',NULL,'2025-01-01T00:00:00Z','2025-01-01T00:00:00Z',1,NULL,'prompt of 4200 tokens is longer than the model''s 4096 positions',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,0,NULL,NULL);
INSERT INTO job VALUES(73,'j73',2,6,'mini_code-0',0,'h','plain','ready',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,0,NULL,NULL);
INSERT INTO experiment_job VALUES(1,1);
INSERT INTO experiment_job VALUES(1,2);
INSERT INTO experiment_job VALUES(1,3);
INSERT INTO experiment_job VALUES(1,4);
INSERT INTO experiment_job VALUES(1,5);
INSERT INTO experiment_job VALUES(1,6);
INSERT INTO experiment_job VALUES(1,69);
INSERT INTO experiment_job VALUES(1,72);
INSERT INTO experiment_job VALUES(1,73);
INSERT INTO score VALUES(1,'qa_f1_score',1,1.0);
INSERT INTO score VALUES(2,'qa_f1_score',1,1.0);
INSERT INTO score VALUES(3,'qa_f1_score',1,1.0);
INSERT INTO score VALUES(4,'qa_f1_score',1,1.0);
INSERT INTO score VALUES(5,'qa_f1_score',1,1.0);
INSERT INTO score VALUES(6,'qa_f1_score',1,0.0);
INSERT INTO failure VALUES(1,69,'2025-01-01T00:00:00Z',1,'prompt of 4200 tokens is longer than the model''s 4096 positions');
INSERT INTO failure VALUES(2,72,'2025-01-01T00:00:00Z',1,'prompt of 4200 tokens is longer than the model''s 4096 positions');
INSERT INTO ledger VALUES(1,'pairs',150,100,4);
INSERT INTO ledger VALUES(1,'recent',100,900,20);
INSERT INTO ledger VALUES(3,'weights',4000,36000,0);
