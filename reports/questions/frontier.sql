-- Which settings are beaten by no other: none has a higher mean of tasks at no more bytes? Generated
-- answers alone.
WITH mean AS MATERIALIZED (
    SELECT run, model, protocol_id, setting, count(score) AS tasks, avg(score) AS score,
           avg(kv_ratio) AS kv
      FROM result WHERE origin = 'run' AND metric NOT IN ('nll', 'kl', 'agree') GROUP BY run)
SELECT a.model, a.setting, a.tasks, round(a.score, 2) AS score, round(100 * a.kv, 1) AS "KV %"
  FROM mean a
 WHERE NOT EXISTS (SELECT 1 FROM mean b
                    WHERE b.model = a.model AND b.protocol_id = a.protocol_id
                      AND b.tasks = a.tasks AND b.score >= a.score AND b.kv <= a.kv
                      AND (b.score > a.score OR b.kv < a.kv))
 ORDER BY a.model, a.kv DESC
