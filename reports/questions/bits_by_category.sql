-- What do few bits cost, by category of task? Points against the full cache, the mean of
-- comparisons.
SELECT category, key_bits, count(*) AS comparisons, round(avg(difference), 2) AS points,
       sum(won) AS won, sum(lost) AS lost, sum(tied) AS tied
  FROM comparison
 WHERE key_bits IS NOT NULL
 GROUP BY category, key_bits
 ORDER BY category, key_bits DESC
