-- What does a decode step read, by class, in bytes?
SELECT setting, class, sum(read_bytes) / sum(steps) AS read_step,
       round(100.0 * sum(read_bytes) / sum(read_full_bytes), 2) AS "% of a full cache's"
  FROM ledger
 WHERE class <> 'weights'
 GROUP BY run, class
 ORDER BY setting, read_step DESC
