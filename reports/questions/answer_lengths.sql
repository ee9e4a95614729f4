-- Do answers become longer, or run into the limit of their length?
SELECT setting, count(*) AS items, round(avg(new_tokens), 1) AS tokens,
       round(100.0 * sum(stop = 'length') / count(*), 1) AS "ended by length %",
       sum(prediction = '') AS empty
  FROM item
 WHERE state = 'done'
 GROUP BY run
 ORDER BY tokens DESC, setting
