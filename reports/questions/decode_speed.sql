-- How fast did each setting decode, beside the full cache of the same model and protocol? Tokens a
-- second over all items.
WITH speed AS MATERIALIZED (
    SELECT run, model, protocol_id, setting, chain, weights,
           sum(new_tokens * done) / sum(new_tokens * done / decode_tps) AS tps
      FROM result WHERE decode_tps > 0 GROUP BY run)
SELECT s.model, s.setting, round(s.tps, 1) AS tokens_s, round(s.tps / f.tps, 2) AS times_full
  FROM speed s
  LEFT JOIN speed f ON f.model = s.model AND f.protocol_id = s.protocol_id AND f.chain = 'full'
   AND f.weights IS NULL
 ORDER BY s.model, tokens_s DESC
