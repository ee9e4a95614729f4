-- How often is the answer, to the letter, that of the full cache?
SELECT c.setting, count(f.id) AS items, sum(j.prediction = f.prediction) AS same,
       round(100.0 * sum(j.prediction = f.prediction) / count(f.id), 1) AS "same %"
  FROM item_comparison c
 CROSS JOIN job j ON j.id = c.job AND j.state = 'done'
  LEFT JOIN job f ON f.id = c.full_job
 GROUP BY c.run
 ORDER BY same DESC, c.setting
