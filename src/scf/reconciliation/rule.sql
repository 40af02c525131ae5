-- The rule of rule.py in the common subset of SQL engines: integers only, no division, no functions beyond abs and coalesce.
-- Input: a relation {cases} with the columns of Case. Output: the same rows with `flags`, one bit a reason.
SELECT c.*,
    CASE WHEN c.contradictions > 0 THEN 1 ELSE 0 END
  + CASE WHEN c.account_conflicts > 0 THEN 2 ELSE 0 END
  + CASE WHEN c.duplicate_invoices > 0 OR (c.equal_invoices > 0 AND c.over_invoiced = 1) THEN 4 ELSE 0 END
  + CASE WHEN c.orders = 0 THEN 8 ELSE 0 END
  + CASE WHEN c.currency_conflicts > 0 THEN 16 ELSE 0 END
  + CASE WHEN c.payments > 0
          AND ((c.orders > 0 AND c.deliveries = 0 AND {deliveries_expected} = 1)
            OR c.first_paid_day < c.first_delivered_day
            OR (c.invoices = 0 AND (c.paid_minor - c.goods_minor) * 1000 > c.allowed_goods
                AND (c.ordered_minor - c.goods_minor) * 1000 > c.allowed_ordered)) THEN 32 ELSE 0 END
  + CASE WHEN c.over_invoiced = 1 THEN 64 ELSE 0 END
  + CASE WHEN c.orders > 0 AND c.invoices > 0 AND c.deliveries = 0 AND {deliveries_expected} = 1
          AND (c.promised_day IS NULL OR {as_of_day} > c.promised_day + {late_days}) THEN 128 ELSE 0 END
  + CASE WHEN c.price_conflicts > 0
           OR abs(c.invoiced_price - c.ordered_price) * 1000 > {price_per_mille} * c.ordered_price
           OR (c.invoiced_quantity = c.ordered_quantity
               AND abs(c.invoiced_minor - c.ordered_minor) * 1000 > c.allowed_ordered)
           OR (c.invoiced_quantity = c.delivered_quantity
               AND abs(c.invoiced_minor - c.delivered_minor) * 1000 > c.allowed_goods) THEN 256 ELSE 0 END
  + CASE WHEN c.quantity_conflicts > 0
           OR (c.delivered_quantity - c.ordered_quantity) * 1000 > {quantity_per_mille} * c.ordered_quantity
           OR (c.short_delivered = 1 AND {as_of_day} > c.promised_day + {late_days})
           OR (c.short_invoiced = 1 AND {as_of_day} > c.last_delivered_day + {invoice_window_days})
           OR ((c.ordered_quantity IS NULL OR c.delivered_quantity IS NULL)
               AND (c.delivered_minor - c.ordered_minor) * 1000 > c.allowed_ordered) THEN 512 ELSE 0 END
  + CASE WHEN c.payments > 0 AND (c.deliveries > 0 OR c.invoices > 0 OR {deliveries_expected} = 0)
          AND ((c.paid_minor - c.owed_minor) * 1000 > c.allowed_owed
            OR ((c.owed_minor - c.paid_minor) * 1000 > c.allowed_owed
                AND {as_of_day} > c.last_due_day + {payment_grace_days})) THEN 1024 ELSE 0 END
  + CASE WHEN c.orders > 0 AND c.deliveries > 0 AND c.invoices = 0 AND {invoices_expected} = 1
          AND {as_of_day} > c.last_delivered_day + {invoice_window_days} THEN 2048 ELSE 0 END
  + CASE WHEN c.orders > 0 AND c.deliveries = 0 AND {deliveries_expected} = 1 AND c.invoices = 0 AND c.payments = 0
          AND ({as_of_day} > c.promised_day + {late_days}
            OR (c.promised_day IS NULL AND {as_of_day} > c.order_day + {delivery_window_days})) THEN 4096 ELSE 0 END
  + CASE WHEN c.orders > 0 AND c.deliveries > 0 AND c.payments = 0 AND {payments_expected} = 1
          AND (c.owed_minor IS NULL OR c.owed_minor > 0)
          AND {as_of_day} > c.last_due_day + {payment_grace_days} THEN 8192 ELSE 0 END
  + CASE WHEN (c.orders > 0 AND c.ordered_minor IS NULL AND c.ordered_quantity IS NULL)
           OR (c.orders > 0 AND c.deliveries > 0 AND c.goods_minor IS NULL
               AND (c.ordered_quantity IS NULL OR c.delivered_quantity IS NULL))
           OR (c.invoices > 0 AND (c.invoiced_minor IS NULL OR c.payable_minor IS NULL))
           OR (c.payments > 0 AND (c.paid_minor IS NULL
               OR (c.owed_minor IS NULL AND (c.deliveries > 0 OR c.invoices > 0 OR {deliveries_expected} = 0))))
           OR (c.invoices > 0 AND c.deliveries > 0 AND c.goods_minor IS NULL
               AND (c.invoiced_quantity IS NULL OR c.delivered_quantity IS NULL))
           OR ({required_trust} > 0 AND (c.weakest_trust IS NULL OR c.weakest_trust < {required_trust}))
         THEN 16384 ELSE 0 END
  + CASE WHEN c.last_delivered_day > c.promised_day + {late_days}
           OR c.last_paid_day > c.last_due_day + {payment_grace_days} THEN 32768 ELSE 0 END
  + CASE WHEN c.first_delivered_day < c.promised_day - {early_days} THEN 65536 ELSE 0 END
  + CASE WHEN c.orders > 0
          AND ((c.short_delivered = 1 AND (c.promised_day IS NULL OR {as_of_day} <= c.promised_day + {late_days}))
            OR ((c.ordered_quantity IS NULL OR c.delivered_quantity IS NULL)
                AND (c.ordered_minor - c.goods_minor) * 1000 > c.allowed_ordered)
            OR (c.short_invoiced = 1 AND (c.last_delivered_day IS NULL
                OR {as_of_day} <= c.last_delivered_day + {invoice_window_days}))
            OR (c.payments > 0 AND (c.owed_minor - c.paid_minor) * 1000 > c.allowed_owed
                AND (c.last_due_day IS NULL OR {as_of_day} <= c.last_due_day + {payment_grace_days})))
         THEN 131072 ELSE 0 END
  + CASE WHEN c.orders > 0
          AND ((c.deliveries = 0 AND {deliveries_expected} = 1) OR (c.invoices = 0 AND {invoices_expected} = 1)
            OR (c.payments = 0 AND {payments_expected} = 1 AND (c.owed_minor IS NULL OR c.owed_minor > 0))) THEN 262144 ELSE 0 END AS flags
FROM (
  SELECT b.*,
    CASE WHEN b.invoices > 0
          AND ((b.deliveries > 0
                AND (b.invoiced_quantity - b.delivered_quantity) * 1000 > {quantity_per_mille} * b.delivered_quantity)
            OR (b.deliveries > 0 AND (b.invoiced_quantity IS NULL OR b.delivered_quantity IS NULL)
                AND (b.invoiced_minor - b.goods_minor) * 1000 > b.allowed_goods)
            OR (b.orders > 0 AND (b.invoiced_minor - b.ordered_minor) * 1000 > b.allowed_ordered
                AND (b.invoiced_quantity IS NULL OR b.ordered_quantity IS NULL
                     OR b.invoiced_quantity > b.ordered_quantity))) THEN 1 ELSE 0 END AS over_invoiced,
    CASE WHEN (b.ordered_quantity - b.delivered_quantity) * 1000 > {quantity_per_mille} * b.ordered_quantity
         THEN 1 ELSE 0 END AS short_delivered,
    CASE WHEN (b.delivered_quantity - b.invoiced_quantity) * 1000 > {quantity_per_mille} * b.delivered_quantity
         THEN 1 ELSE 0 END AS short_invoiced,
    CASE WHEN {amount_fixed_minor} * 1000 > {amount_per_mille} * b.owed_minor
         THEN {amount_fixed_minor} * 1000 ELSE {amount_per_mille} * b.owed_minor END AS allowed_owed
  FROM (
    SELECT a.*,
      CASE WHEN a.invoices > 0 THEN a.payable_minor ELSE a.goods_minor END AS owed_minor,
      CASE WHEN {amount_fixed_minor} * 1000 > {amount_per_mille} * a.goods_minor
           THEN {amount_fixed_minor} * 1000 ELSE {amount_per_mille} * a.goods_minor END AS allowed_goods,
      CASE WHEN {amount_fixed_minor} * 1000 > {amount_per_mille} * a.ordered_minor
           THEN {amount_fixed_minor} * 1000 ELSE {amount_per_mille} * a.ordered_minor END AS allowed_ordered
    FROM (
      SELECT t.*,
        CASE WHEN t.delivered_minor IS NOT NULL THEN t.delivered_minor
             WHEN t.delivered_quantity = t.ordered_quantity
               OR ({deliveries_expected} = 0 AND t.deliveries = 0) THEN t.ordered_minor END AS goods_minor,
        CASE WHEN t.due_day IS NOT NULL THEN t.due_day
             ELSE t.last_delivered_day + {payment_window_days} END AS last_due_day
      FROM {cases} t
    ) a
  ) b
) c
