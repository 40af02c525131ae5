-- One row for each order reference: the four sides joined, in the columns of Case, and what the tally needs.
-- Input: relations {orders}, {deliveries}, {invoices}, {payments} with one row a key. Nothing but joins, CASE and coalesce.
SELECT
  coalesce(o.k, d.k, i.k, p.k) AS order_reference,
  coalesce(o.n_rows, 0) AS order_rows, coalesce(d.n_rows, 0) AS delivery_rows,
  coalesce(i.n_rows, 0) AS invoice_rows, coalesce(p.n_rows, 0) AS payment_rows,
  o.first_row AS order_row, d.first_row AS delivery_row, i.first_row AS invoice_row, p.first_row AS payment_row,
  coalesce(o.raw_minor, 0) AS order_sum, coalesce(d.raw_minor, 0) AS delivery_sum,
  coalesce(i.raw_minor, 0) AS invoice_sum, coalesce(p.raw_minor, 0) AS payment_sum,
  CASE WHEN o.k IS NULL THEN 0 ELSE 1 END AS orders,
  coalesce(d.n_docs, 0) AS deliveries, coalesce(i.n_docs, 0) AS invoices, coalesce(p.n_docs, 0) AS payments,
  o.quantity_milli AS ordered_quantity, d.quantity_milli AS delivered_quantity, i.quantity_milli AS invoiced_quantity,
  o.amount_minor AS ordered_minor, d.amount_minor AS delivered_minor, i.amount_minor AS invoiced_minor,
  i.payable_minor AS payable_minor, p.amount_minor AS paid_minor,
  o.price_micro AS ordered_price, i.price_micro AS invoiced_price,
  o.first_day AS order_day, o.promised_day AS promised_day,
  d.first_day AS first_delivered_day, d.last_day AS last_delivered_day,
  i.due_day AS due_day, p.first_day AS first_paid_day, p.last_day AS last_paid_day,
  coalesce(o.n_contradicting, 0) + coalesce(d.n_contradicting, 0) + coalesce(i.n_contradicting, 0) AS contradictions,
  CASE WHEN o.account <> i.account OR o.account <> i.other_account
         OR (o.account IS NULL AND i.account <> i.other_account) THEN 1 ELSE 0 END
  + CASE WHEN coalesce(o.account, i.account) <> p.account AND coalesce(o.account, i.other_account) <> p.account THEN 1
         WHEN coalesce(o.account, i.account) <> p.other_account
          AND coalesce(o.account, i.other_account) <> p.other_account THEN 1 ELSE 0 END AS account_conflicts,
  coalesce(i.n_repeated, 0) AS duplicate_invoices, coalesce(i.n_equal, 0) AS equal_invoices,
  CASE WHEN o.currency <> o.other_currency OR d.currency <> d.other_currency OR i.currency <> i.other_currency
         OR p.currency <> p.other_currency OR o.currency <> d.currency OR o.currency <> i.currency
         OR o.currency <> p.currency OR d.currency <> i.currency OR d.currency <> p.currency
         OR i.currency <> p.currency THEN 1 ELSE 0 END AS currency_conflicts,
  0 AS price_conflicts, 0 AS quantity_conflicts, CAST(NULL AS INTEGER) AS weakest_trust,
  coalesce(o.party, d.party, i.party, p.party) AS party, coalesce(o.currency, i.currency, p.currency) AS currency
FROM {orders} o
FULL JOIN {deliveries} d ON d.k = o.k
FULL JOIN {invoices} i ON i.k = coalesce(o.k, d.k)
FULL JOIN {payments} p ON p.k = coalesce(o.k, d.k, i.k)
