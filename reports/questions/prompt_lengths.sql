-- Does compression cost more on long prompts? Points against the full cache by tokens of the
-- prompt, in steps of so many.
-- :step = 500
SELECT setting, :step * (prompt_tokens / :step) AS tokens_from, count(difference) AS n,
       round(avg(difference), 2) AS points
  FROM item_comparison
 WHERE difference IS NOT NULL
 GROUP BY run, tokens_from
 ORDER BY setting, tokens_from
