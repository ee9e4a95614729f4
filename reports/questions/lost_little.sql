-- Which KVO settings lose less than so many points on a task, at under a share of the bytes?
-- :task = qasper
-- :points = 1
-- :bytes = 0.15
SELECT setting, round(difference, 2) AS points, round(stderr, 2) AS stderr, n, missing,
       round(100 * kv_ratio, 1) AS "KV %", round(100 * kv_read_ratio, 1) AS "read %"
  FROM comparison
 WHERE method = 'kvo' AND task = :task AND difference > -:points AND kv_ratio < :bytes
 ORDER BY difference DESC
