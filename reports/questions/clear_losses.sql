-- On which tasks is a setting's difference more than so many of its standard errors? Of many pairs
-- some are by chance: 2 is one in twenty.
-- :errors = 2
SELECT setting, task, n, missing, round(difference, 2) AS points, round(stderr, 2) AS stderr,
       round(difference / stderr, 1) AS errors, won, lost, tied
  FROM comparison
 WHERE stderr > 0 AND abs(difference) > :errors * stderr
 ORDER BY abs(difference / stderr) DESC, setting, task
