-- One side whose keys are taken to be unique: each row is its own document. Input: relation {rows}.
SELECT r.k AS k, 1 AS n_rows, 1 AS n_docs, 0 AS n_repeated, 0 AS n_equal, r.row_id AS first_row,
  coalesce(r.payable_minor, r.amount_minor, 0) AS raw_minor, r.quantity_milli AS quantity_milli,
  r.amount_minor AS amount_minor, r.payable_minor AS payable_minor, r.price_micro AS price_micro,
  r.currency AS currency, r.currency AS other_currency, r.party AS party, r.account AS account,
  r.account AS other_account, r.day AS first_day, r.day AS last_day, r.promised_day AS promised_day,
  r.due_day AS due_day
FROM {rows} r
