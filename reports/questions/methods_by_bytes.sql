-- What is left of the score at a half, a quarter and an eighth of the bytes? The mean of tasks ± the
-- paired standard error of its difference to the full cache (bytes held, % of the full cache's). A
-- row for the settings whose names differ in the number at the end; of several in a column the one
-- with most bytes. Of the experiment planned last, generated answers alone. compress_at: the question
-- was read before (prompt) or after it (context).
-- :compress_at = prompt
WITH mean AS MATERIALIZED (
    SELECT rtrim(c.setting, '0123456789. ') AS setting, avg(c.score) AS score,
           iif(count(c.stderr) < count(*), NULL, sqrt(sum(c.stderr * c.stderr)) / count(*)) AS stderr,
           avg(c.kv_ratio) AS kv, avg(c.kv_read_ratio) AS kv_read, sum(c.missing) AS missing
      FROM comparison c
      JOIN protocol p ON p.id = c.protocol_id
      JOIN experiment_run x ON x.run = c.run
       AND x.experiment = (SELECT id FROM experiment ORDER BY plans DESC LIMIT 1)
     WHERE coalesce(p.compress_at, 'prompt') = :compress_at
       AND NOT EXISTS (SELECT 1 FROM protocol_option o
                        WHERE o.protocol = p.id AND o.name = 'metric' AND o.value <> 'task')
     GROUP BY c.run HAVING count(c.score) > 0),
cell AS MATERIALIZED (
    SELECT setting, score, max(kv),
           CASE WHEN kv > 0.62 THEN 1 WHEN kv > 0.37 THEN 2 WHEN kv > 0.22 THEN 4 ELSE 8 END AS part,
           printf('%.1f%s (%.0f%s)', score, iif(stderr IS NULL, '', printf(' ±%.1f', stderr)), 100 * kv,
                  iif(kv > 0.62, printf(', reads %.0f', 100 * kv_read), '')
                  || iif(missing, printf(', %d items missing', missing), '')) AS shown
      FROM mean
     GROUP BY setting, part)
SELECT setting,
       max(iif(part = 1, shown, NULL)) AS "more",
       max(iif(part = 2, shown, NULL)) AS "1/2",
       max(iif(part = 4, shown, NULL)) AS "1/4",
       max(iif(part = 8, shown, NULL)) AS "1/8"
  FROM cell
 GROUP BY setting
 ORDER BY max(iif(part = 8, score, NULL)) DESC NULLS LAST, max(score) DESC, setting
