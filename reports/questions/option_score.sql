-- How does the score go with one option of a method? The mean over runs and tasks, whatever else
-- they differ in.
-- :method = kvo
-- :option = key_bits
SELECT o.value, count(DISTINCT r.run) AS runs, count(r.score) AS cells,
       round(avg(r.score), 2) AS score, round(100 * avg(r.kv_ratio), 1) AS "KV %"
  FROM result r
  JOIN run ON run.id = r.run
  JOIN setting_option o ON o.setting = run.setting
 WHERE o.method = :method AND o.name = :option
 GROUP BY o.value
 ORDER BY CAST(o.value AS REAL), o.value
