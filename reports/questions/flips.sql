-- Which items flip from right (this score or more with the full cache) to wrong (this score or
-- less) under so many bits, and what was answered?
-- :bits = 2
-- :right = 50
-- :wrong = 0
SELECT c.setting, c.task, c.sample_index, c.full_score, c.score, f.prediction AS full_answer,
       j.prediction AS answer
  FROM item_comparison c
 CROSS JOIN job j ON j.id = c.job
  LEFT JOIN job f ON f.id = c.full_job
 WHERE c.key_bits = :bits AND c.full_score >= :right AND c.score <= :wrong
 ORDER BY c.difference, c.task, c.sample_index, c.setting
