-- One side with any number of rows a key: rows that repeat a document in everything count once, all others add up.
-- Input: relation {rows} with `confirms` and `contradicts` (told.sql); a row that only confirms another adds nothing.
-- A sum is unknown when any of its values is.
SELECT s.k AS k, CAST(sum(s.n) AS BIGINT) AS n_rows, CAST(sum(s.counts) AS BIGINT) AS n_docs,
  CAST(sum(s.n * s.counts) - sum(s.counts) AS BIGINT) AS n_repeated,
  CAST(count(s.payable_minor) - count(DISTINCT s.payable_minor) AS BIGINT) AS n_equal,
  CAST(max(s.contradicts) AS BIGINT) AS n_contradicting,
  min(s.first_row) AS first_row, CAST(sum(s.raw_minor) AS BIGINT) AS raw_minor,
  CASE WHEN count(s.quantity_milli) = sum(s.counts) THEN CAST(sum(s.quantity_milli) AS BIGINT) END AS quantity_milli,
  CASE WHEN count(s.amount_minor) = sum(s.counts) THEN CAST(sum(s.amount_minor) AS BIGINT) END AS amount_minor,
  CASE WHEN count(s.payable_minor) = sum(s.counts) THEN CAST(sum(s.payable_minor) AS BIGINT) END AS payable_minor,
  CASE WHEN count(s.price_micro) = sum(s.counts) AND min(s.price_micro) = max(s.price_micro)
       THEN min(s.price_micro) END AS price_micro,
  min(s.currency) AS currency, max(s.currency) AS other_currency, min(s.party) AS party,
  min(s.account) AS account, max(s.account) AS other_account,
  min(s.day) AS first_day, max(s.day) AS last_day, max(s.promised_day) AS promised_day,
  CASE WHEN count(s.due_day) = sum(s.counts) THEN max(s.due_day) END AS due_day
FROM (
  SELECT g.k, g.n, g.first_row, g.raw_minor, g.contradicts, g.currency, g.party, g.account, g.promised_day,
    1 - g.confirms AS counts,
    CASE WHEN g.confirms = 0 THEN g.quantity_milli END AS quantity_milli,
    CASE WHEN g.confirms = 0 THEN g.amount_minor END AS amount_minor,
    CASE WHEN g.confirms = 0 THEN g.payable_minor END AS payable_minor,
    CASE WHEN g.confirms = 0 THEN g.price_micro END AS price_micro,
    CASE WHEN g.confirms = 0 THEN g.day END AS day,
    CASE WHEN g.confirms = 0 THEN g.due_day END AS due_day
  FROM (
    SELECT r.k, r.doc, r.quantity_milli, r.amount_minor, r.payable_minor, r.price_micro, r.currency, r.party, r.account,
      r.day, r.promised_day, r.due_day, r.confirms, r.contradicts, count(*) AS n, min(r.row_id) AS first_row,
      sum(coalesce(r.payable_minor, r.amount_minor, 0)) AS raw_minor
    FROM {rows} r
    GROUP BY r.k, r.doc, r.quantity_milli, r.amount_minor, r.payable_minor, r.price_micro, r.currency, r.party,
      r.account, r.day, r.promised_day, r.due_day, r.confirms, r.contradicts
  ) g
) s
GROUP BY s.k
