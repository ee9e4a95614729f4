-- From version 5 to 6: what a compressed cache is off in each layer. As released it stays as it is; see
-- README.md.

CREATE TABLE layer_error (
    job INTEGER NOT NULL REFERENCES job (id),
    layer INTEGER NOT NULL CHECK (layer >= 0),
    key_error REAL CHECK (key_error >= 0),
    value_error REAL CHECK (value_error >= 0),
    mass_lost REAL CHECK (mass_lost BETWEEN 0 AND 1),
    PRIMARY KEY (job, layer)
) STRICT, WITHOUT ROWID;

INSERT INTO protocol_option
SELECT DISTINCT protocol, 'layers', 'false' FROM protocol_option WHERE true ON CONFLICT DO NOTHING;


-- ---- docs ----

INSERT INTO docs VALUES
('layer_error', '', 'what a setting''s cache is off in one layer, of items whose protocol has the option layers: see runner/layer_error.h'),
('layer_error', 'job', 'id in job'),
('layer_error', 'layer', 'of the model, from 0'),
('layer_error', 'key_error', 'relative error of the prompt''s keys that are held at the end: root of the sum of squares, against the full cache''s; NULL: none is held'),
('layer_error', 'value_error', 'the same of values'),
('layer_error', 'mass_lost', 'share of the full cache''s attention that goes to tokens that were not read: mean of the answer''s steps and of query heads, 0 to 1');
