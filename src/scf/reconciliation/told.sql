-- Rows of one side, with who tells of a document beside somebody else: the best source counts, the others confirm or contradict.
-- Input: relation {rows} with number, source and trust. Output: its rows with `confirms` and `contradicts`, 0 or 1.
SELECT r.*,
  CASE WHEN t.n_sources > 1 AND r.source <> t.best THEN 1 ELSE 0 END AS confirms,
  CASE WHEN t.n_sources > 1 THEN t.differs ELSE 0 END AS contradicts
FROM {rows} r
LEFT JOIN (
  SELECT w.k, w.doc_number, count(*) AS n_sources, max(CASE WHEN w.place = 1 THEN w.source END) AS best,
    CASE WHEN min(w.quantity) <> max(w.quantity) OR ({by_amount} = 1 AND min(w.amount) <> max(w.amount))
           OR ({by_day} = 1 AND max(w.last_day) - min(w.last_day) > {same_days}) THEN 1 ELSE 0 END AS differs
  FROM (
    SELECT s.*, row_number() OVER (PARTITION BY s.k, s.doc_number ORDER BY s.best_trust DESC,
      CASE WHEN {by_day} = 1 THEN s.last_day ELSE 0 END, s.source) AS place
    FROM (
      SELECT q.k, coalesce(q.number, '') AS doc_number, q.source, coalesce(max(q.trust), 0) AS best_trust,
        sum(q.quantity_milli) AS quantity, sum(q.amount_minor) AS amount, max(q.day) AS last_day
      FROM {rows} q
      WHERE q.source IS NOT NULL
      GROUP BY q.k, coalesce(q.number, ''), q.source
    ) s
  ) w
  GROUP BY w.k, w.doc_number
) t ON t.k = r.k AND t.doc_number = coalesce(r.number, '')
