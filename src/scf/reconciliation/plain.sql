-- What is plainly matched: everything expected came, in time, and agrees. Where this says 0 rule.sql does, at more cost.
-- Input: a relation {cases} with the columns of Case. Output: its rows with `flags`, 0 for plainly matched and -1 for the rest.
SELECT t.*,
  CASE WHEN t.orders > 0 AND {required_trust} = 0
    AND (t.deliveries > 0 OR {deliveries_expected} = 0)
    AND (t.invoices > 0 OR {invoices_expected} = 0)
    AND (t.payments > 0 OR {payments_expected} = 0)
    AND t.contradictions = 0 AND t.account_conflicts = 0 AND t.currency_conflicts = 0
    AND t.price_conflicts = 0 AND t.quantity_conflicts = 0 AND t.duplicate_invoices = 0 AND t.equal_invoices = 0
    AND t.ordered_minor IS NOT NULL
    AND (t.ordered_quantity IS NULL OR t.delivered_quantity IS NULL OR t.delivered_quantity = t.ordered_quantity)
    AND (t.invoiced_quantity IS NULL
      OR ((t.delivered_quantity IS NULL OR t.invoiced_quantity = t.delivered_quantity)
        AND (t.ordered_quantity IS NULL OR t.invoiced_quantity = t.ordered_quantity)))
    AND (t.invoiced_price IS NULL OR t.ordered_price IS NULL OR t.invoiced_price = t.ordered_price)
    AND (t.deliveries = 0 OR t.delivered_minor IS NOT NULL OR t.delivered_quantity = t.ordered_quantity)
    AND (t.delivered_minor IS NULL
      OR abs(t.delivered_minor - t.ordered_minor) <= {amount_fixed_minor}
      OR abs(t.delivered_minor - t.ordered_minor) * 1000 <= {amount_per_mille} * t.ordered_minor)
    AND (t.invoices = 0 OR (t.invoiced_minor IS NOT NULL AND t.payable_minor IS NOT NULL))
    AND (t.invoiced_minor IS NULL
      OR (abs(t.invoiced_minor - t.ordered_minor) <= {amount_fixed_minor}
        AND (t.delivered_minor IS NULL OR abs(t.invoiced_minor - t.delivered_minor) <= {amount_fixed_minor})))
    AND (t.promised_day IS NULL OR t.last_delivered_day IS NULL OR t.last_delivered_day <= t.promised_day + {late_days})
    AND (t.promised_day IS NULL OR t.first_delivered_day IS NULL OR t.first_delivered_day >= t.promised_day - {early_days})
    AND (t.payments = 0
      OR ((t.first_delivered_day IS NULL OR t.first_paid_day >= t.first_delivered_day)
        AND (t.due_day IS NULL OR t.last_paid_day <= t.due_day + {payment_grace_days})
        AND (t.due_day IS NOT NULL OR t.last_delivered_day IS NULL
          OR t.last_paid_day <= t.last_delivered_day + {payment_window_days} + {payment_grace_days})
        AND abs(t.paid_minor - CASE WHEN t.invoices > 0 THEN t.payable_minor
          WHEN t.delivered_minor IS NULL THEN t.ordered_minor ELSE t.delivered_minor END) <= {amount_fixed_minor}))
    THEN 0 ELSE -1 END AS flags
FROM {cases} t
