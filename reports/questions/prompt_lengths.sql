-- Does compression cost more on long prompts? Points against the full cache by tokens of the
-- prompt, in steps of so many.
-- :step = 500
SELECT c.setting, :step * (j.prompt_tokens / :step) AS tokens_from, count(c.difference) AS n,
       round(avg(c.difference), 2) AS points
  FROM item_comparison c
 CROSS JOIN job j ON j.id = c.job
 WHERE c.difference IS NOT NULL
 GROUP BY c.run, tokens_from
 ORDER BY c.setting, tokens_from
