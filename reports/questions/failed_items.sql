-- What failed or is left, of which setting and task, and why?
SELECT setting, task, state, count(*) AS items, min(error) AS one_reason
  FROM item
 WHERE state <> 'done'
 GROUP BY run, task_id, state
 ORDER BY items DESC, setting, task
