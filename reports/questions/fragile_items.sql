-- Which items does compression break most often: right with the full cache, and lost by the largest
-- share of settings?
-- :right = 50
-- :limit = 10
SELECT task, sample_index, full_score, count(*) AS settings, sum(difference < 0) AS lost,
       round(avg(score), 1) AS mean_score
  FROM item_comparison
 WHERE full_score >= :right AND score IS NOT NULL
 GROUP BY task_id, sample_index
 ORDER BY 1.0 * sum(difference < 0) / count(*) DESC, mean_score, task, sample_index
 LIMIT :limit
