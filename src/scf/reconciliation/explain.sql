-- What disagrees with what, for the most serious reason of each judged case: field, left, right, allowed difference x 1000.
-- Input: a relation {judged} as rule.sql returns it. Output: its rows with reason (bit number; -1 matched), field, values.
SELECT e.*,
  CASE e.reason
    WHEN 0 THEN 'contradictions' WHEN 1 THEN 'account_conflicts'
    WHEN 2 THEN CASE WHEN e.duplicate_invoices > 0 THEN 'duplicate_invoices' ELSE 'equal_invoices' END
    WHEN 3 THEN 'orders' WHEN 4 THEN 'currency_conflicts'
    WHEN 5 THEN CASE WHEN e.orders > 0 AND e.deliveries = 0 AND {deliveries_expected} = 1 THEN 'paid_minor'
                     WHEN e.first_paid_day < e.first_delivered_day THEN 'first_paid_day' ELSE 'delivered_minor' END
    WHEN 6 THEN CASE WHEN e.over_by = 1 THEN 'invoiced_quantity' WHEN e.over_by = 2 THEN 'invoiced_minor'
                     ELSE 'ordered_minor' END
    WHEN 7 THEN 'invoiced_minor'
    WHEN 8 THEN CASE e.price_by WHEN 1 THEN 'price_conflicts' WHEN 2 THEN 'invoiced_price' WHEN 3 THEN 'ordered_minor'
                     ELSE 'delivered_minor' END
    WHEN 9 THEN CASE e.quantity_by WHEN 1 THEN 'quantity_conflicts' WHEN 2 THEN 'delivered_quantity'
                     WHEN 3 THEN 'invoiced_quantity' ELSE 'delivered_minor' END
    WHEN 10 THEN 'paid_minor' WHEN 11 THEN 'last_delivered_day'
    WHEN 12 THEN CASE WHEN e.promised_day IS NOT NULL THEN 'promised_day' ELSE 'order_day' END
    WHEN 13 THEN 'due_day'
    WHEN 14 THEN CASE e.missing_by WHEN 1 THEN 'ordered_minor' WHEN 2 THEN 'delivered_minor' WHEN 3 THEN 'invoiced_minor'
                      WHEN 4 THEN 'payable_minor' WHEN 5 THEN 'delivered_quantity' ELSE 'weakest_trust' END
    WHEN 15 THEN CASE WHEN e.last_delivered_day > e.promised_day + {late_days} THEN 'last_delivered_day'
                      ELSE 'last_paid_day' END
    WHEN 16 THEN 'first_delivered_day'
    WHEN 17 THEN CASE e.part_by WHEN 1 THEN 'delivered_quantity' WHEN 2 THEN 'delivered_minor' WHEN 3 THEN 'invoiced_quantity'
                      ELSE 'paid_minor' END
    WHEN 18 THEN CASE WHEN e.deliveries > 0 AND NOT (e.invoices = 0 AND {invoices_expected} = 1) THEN 'payments'
                      ELSE 'deliveries' END
  END AS field,
  coalesce(CASE e.reason
    WHEN 0 THEN e.contradictions WHEN 1 THEN e.account_conflicts
    WHEN 2 THEN CASE WHEN e.duplicate_invoices > 0 THEN e.duplicate_invoices ELSE e.equal_invoices END
    WHEN 4 THEN e.currency_conflicts
    WHEN 5 THEN CASE WHEN e.orders > 0 AND e.deliveries = 0 AND {deliveries_expected} = 1 THEN e.paid_minor
                     WHEN e.first_paid_day < e.first_delivered_day THEN e.first_paid_day ELSE e.paid_minor END
    WHEN 6 THEN CASE WHEN e.over_by = 1 THEN e.invoiced_quantity ELSE e.invoiced_minor END
    WHEN 7 THEN e.invoiced_minor
    WHEN 8 THEN CASE e.price_by WHEN 1 THEN e.price_conflicts WHEN 2 THEN e.invoiced_price ELSE e.invoiced_minor END
    WHEN 9 THEN CASE e.quantity_by WHEN 1 THEN e.quantity_conflicts WHEN 2 THEN e.delivered_quantity
                     WHEN 3 THEN e.invoiced_quantity ELSE e.delivered_minor END
    WHEN 10 THEN e.paid_minor WHEN 11 THEN e.last_delivered_day
    WHEN 12 THEN CASE WHEN e.promised_day IS NOT NULL THEN e.promised_day ELSE e.order_day END
    WHEN 13 THEN e.last_due_day
    WHEN 14 THEN CASE WHEN e.missing_by = 6 THEN e.weakest_trust ELSE 0 END
    WHEN 15 THEN CASE WHEN e.last_delivered_day > e.promised_day + {late_days} THEN e.last_delivered_day
                      ELSE e.last_paid_day END
    WHEN 16 THEN e.first_delivered_day
    WHEN 17 THEN CASE e.part_by WHEN 1 THEN e.delivered_quantity WHEN 2 THEN e.goods_minor WHEN 3 THEN e.invoiced_quantity
                      ELSE e.paid_minor END
    ELSE 0 END, 0) AS left_value,
  coalesce(CASE e.reason
    WHEN 3 THEN 1
    WHEN 5 THEN CASE WHEN e.orders > 0 AND e.deliveries = 0 AND {deliveries_expected} = 1 THEN 0
                     WHEN e.first_paid_day < e.first_delivered_day THEN e.first_delivered_day ELSE e.goods_minor END
    WHEN 6 THEN CASE WHEN e.over_by = 1 THEN e.delivered_quantity WHEN e.over_by = 2 THEN e.goods_minor
                     ELSE e.ordered_minor END
    WHEN 8 THEN CASE e.price_by WHEN 1 THEN 0 WHEN 2 THEN e.ordered_price WHEN 3 THEN e.ordered_minor
                     ELSE e.delivered_minor END
    WHEN 9 THEN CASE e.quantity_by WHEN 1 THEN 0 WHEN 2 THEN e.ordered_quantity WHEN 3 THEN e.delivered_quantity
                     ELSE e.ordered_minor END
    WHEN 10 THEN e.owed_minor
    WHEN 11 THEN {as_of_day} WHEN 12 THEN {as_of_day} WHEN 13 THEN {as_of_day}
    WHEN 14 THEN CASE WHEN e.missing_by = 6 THEN {required_trust} ELSE 1 END
    WHEN 15 THEN CASE WHEN e.last_delivered_day > e.promised_day + {late_days} THEN e.promised_day ELSE e.last_due_day END
    WHEN 16 THEN e.promised_day
    WHEN 17 THEN CASE e.part_by WHEN 1 THEN e.ordered_quantity WHEN 2 THEN e.ordered_minor WHEN 3 THEN e.delivered_quantity
                      ELSE e.owed_minor END
    WHEN 18 THEN 1
    ELSE 0 END, 0) AS right_value,
  coalesce(CASE e.reason
    WHEN 5 THEN CASE WHEN e.orders > 0 AND e.deliveries = 0 AND {deliveries_expected} = 1 THEN 0
                     WHEN e.first_paid_day < e.first_delivered_day THEN 0 ELSE e.allowed_goods END
    WHEN 6 THEN CASE WHEN e.over_by = 1 THEN {quantity_per_mille} * e.delivered_quantity
                     WHEN e.over_by = 2 THEN e.allowed_goods ELSE e.allowed_ordered END
    WHEN 8 THEN CASE e.price_by WHEN 1 THEN 0 WHEN 2 THEN {price_per_mille} * e.ordered_price
                     WHEN 3 THEN e.allowed_ordered ELSE e.allowed_goods END
    WHEN 9 THEN CASE e.quantity_by WHEN 1 THEN 0 WHEN 2 THEN {quantity_per_mille} * e.ordered_quantity
                     WHEN 3 THEN {quantity_per_mille} * e.delivered_quantity ELSE e.allowed_ordered END
    WHEN 10 THEN e.allowed_owed
    WHEN 11 THEN {invoice_window_days} * 1000
    WHEN 12 THEN CASE WHEN e.promised_day IS NOT NULL THEN {late_days} * 1000 ELSE {delivery_window_days} * 1000 END
    WHEN 13 THEN {payment_grace_days} * 1000
    WHEN 15 THEN CASE WHEN e.last_delivered_day > e.promised_day + {late_days} THEN {late_days} * 1000
                      ELSE {payment_grace_days} * 1000 END
    WHEN 16 THEN {early_days} * 1000
    WHEN 17 THEN CASE e.part_by WHEN 1 THEN {quantity_per_mille} * e.ordered_quantity WHEN 2 THEN e.allowed_ordered
                      WHEN 3 THEN {quantity_per_mille} * e.delivered_quantity ELSE e.allowed_owed END
    ELSE 0 END, 0) AS limit_milli
FROM (
  SELECT j.*,
    CASE WHEN j.flags = 0 THEN -1
         WHEN j.flags % 2 > 0 THEN 0 WHEN j.flags % 4 > 0 THEN 1 WHEN j.flags % 8 > 0 THEN 2 WHEN j.flags % 16 > 0 THEN 3
         WHEN j.flags % 32 > 0 THEN 4 WHEN j.flags % 64 > 0 THEN 5 WHEN j.flags % 128 > 0 THEN 6
         WHEN j.flags % 256 > 0 THEN 7 WHEN j.flags % 512 > 0 THEN 8 WHEN j.flags % 1024 > 0 THEN 9
         WHEN j.flags % 2048 > 0 THEN 10 WHEN j.flags % 4096 > 0 THEN 11 WHEN j.flags % 8192 > 0 THEN 12
         WHEN j.flags % 16384 > 0 THEN 13 WHEN j.flags % 32768 > 0 THEN 14 WHEN j.flags % 65536 > 0 THEN 15
         WHEN j.flags % 131072 > 0 THEN 16 WHEN j.flags % 262144 > 0 THEN 17 ELSE 18 END AS reason,
    CASE WHEN j.deliveries > 0
              AND (j.invoiced_quantity - j.delivered_quantity) * 1000 > {quantity_per_mille} * j.delivered_quantity THEN 1
         WHEN j.deliveries > 0 AND (j.invoiced_quantity IS NULL OR j.delivered_quantity IS NULL)
              AND (j.invoiced_minor - j.goods_minor) * 1000 > j.allowed_goods THEN 2 ELSE 3 END AS over_by,
    CASE WHEN j.price_conflicts > 0 THEN 1
         WHEN abs(j.invoiced_price - j.ordered_price) * 1000 > {price_per_mille} * j.ordered_price THEN 2
         WHEN j.invoiced_quantity = j.ordered_quantity
              AND abs(j.invoiced_minor - j.ordered_minor) * 1000 > j.allowed_ordered THEN 3 ELSE 4 END AS price_by,
    CASE WHEN j.quantity_conflicts > 0 THEN 1
         WHEN (j.delivered_quantity - j.ordered_quantity) * 1000 > {quantity_per_mille} * j.ordered_quantity
              OR (j.short_delivered = 1 AND {as_of_day} > j.promised_day + {late_days}) THEN 2
         WHEN j.short_invoiced = 1 AND {as_of_day} > j.last_delivered_day + {invoice_window_days} THEN 3
         ELSE 4 END AS quantity_by,
    CASE WHEN j.orders > 0 AND j.ordered_minor IS NULL AND j.ordered_quantity IS NULL THEN 1
         WHEN j.orders > 0 AND j.deliveries > 0 AND j.goods_minor IS NULL
              AND (j.ordered_quantity IS NULL OR j.delivered_quantity IS NULL) THEN 2
         WHEN j.invoices > 0 AND (j.invoiced_minor IS NULL OR j.payable_minor IS NULL) THEN 3
         WHEN j.payments > 0 AND (j.paid_minor IS NULL
              OR (j.owed_minor IS NULL AND (j.deliveries > 0 OR j.invoices > 0 OR {deliveries_expected} = 0))) THEN 4
         WHEN j.invoices > 0 AND j.deliveries > 0 AND j.goods_minor IS NULL
              AND (j.invoiced_quantity IS NULL OR j.delivered_quantity IS NULL) THEN 5 ELSE 6 END AS missing_by,
    CASE WHEN j.short_delivered = 1
              AND (j.promised_day IS NULL OR {as_of_day} <= j.promised_day + {late_days}) THEN 1
         WHEN (j.ordered_quantity IS NULL OR j.delivered_quantity IS NULL)
              AND (j.ordered_minor - j.goods_minor) * 1000 > j.allowed_ordered THEN 2
         WHEN j.short_invoiced = 1 AND (j.last_delivered_day IS NULL
              OR {as_of_day} <= j.last_delivered_day + {invoice_window_days}) THEN 3 ELSE 4 END AS part_by
  FROM {judged} j
) e
