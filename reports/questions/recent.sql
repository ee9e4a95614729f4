-- What did I run since a day (null: in the last week) with a commit (its first digits; null: any)?
-- :commit = null
-- :since = null
SELECT "commit", dirty, model, protocol, setting, tasks, items, failed, first_finished,
       last_finished, host
  FROM provenance
 WHERE last_finished >= coalesce(:since, date('now', '-7 days'))
   AND (:commit IS NULL OR "commit" LIKE :commit || '%')
 ORDER BY last_finished DESC, run
