-- In which layers does a compressed cache go wrong? Errors of the prompt's rows that are held at the
-- end, in % of the full cache's rows; and how much of the full cache's attention goes to tokens that
-- were not read, in %. Means of items, of runs whose protocol has "layers": true. task: null for all.
-- :task = null
SELECT m.name AS model, r.protocol AS protocol_id, c.name AS setting, l.layer, count(*) AS items,
       round(100 * avg(l.key_error), 2) AS "key error %",
       round(100 * avg(l.value_error), 2) AS "value error %",
       round(100 * avg(l.mass_lost), 2) AS "attention lost %"
  FROM layer_error l
  JOIN job j ON j.id = l.job
  JOIN run r ON r.id = j.run
  JOIN setting c ON c.id = r.setting
  JOIN model m ON m.id = r.model
  JOIN task t ON t.id = j.task
 WHERE :task IS NULL OR t.name = :task
 GROUP BY r.id, l.layer
 ORDER BY m.name, r.protocol, c.name, r.id, l.layer
