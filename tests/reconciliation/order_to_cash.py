"""A seeded order-to-cash log with several lines an order, whose answer is known order by order.

Payments name invoices, invoices name orders and deliveries name orders, as such logs do; amounts are decimal text.
"""

from __future__ import annotations

import csv
import random
from datetime import date, timedelta
from pathlib import Path
from typing import Any

PLANTED = {
    "clean": "MATCHED", "two_deliveries": "MATCHED", "two_invoices": "MATCHED", "paid_in_parts": "MATCHED",
    "paid_together": "MATCHED", "invoice_reference_restyled": "MATCHED", "no_delivery": "PAID_BEFORE_DELIVERY",
    "no_invoice": "DELIVERED_NOT_INVOICED", "no_payment": "UNPAID", "nothing_came": "NOT_DELIVERED",
    "short_delivery": "OVER_INVOICED", "dearer": "PRICE_DIFFERENCE", "more_invoiced": "OVER_INVOICED",
    "more_delivered": "QUANTITY_DIFFERENCE", "billed_twice": "DUPLICATE_INVOICE", "short_payment": "PAYMENT_DIFFERENCE",
    "paid_twice": "PAYMENT_DIFFERENCE", "other_account": "WRONG_PAYEE_ACCOUNT", "late": "LATE", "early": "EARLY",
    "paid_early": "PAID_BEFORE_DELIVERY", "other_currency": "CURRENCY_DIFFERENCE", "reversed": "PAYMENT_DIFFERENCE",
    "credited": "MATCHED", "paid_together_names_one": "MATCHED", "paid_together_names_both": "MATCHED",
    "lost_zeros": "MATCHED", "dropped_prefix": "MATCHED", "swapped_digits": "MATCHED", "lost_character": "MATCHED",
    "paid_by_order_number": "MATCHED", "line_sent_twice": "MATCHED",
}  # fmt: skip
"""What befell an order, and what must be found."""
START = date(2025, 3, 3)


def write_log(folder: Path, orders: int, *, seed: int = 11) -> dict[str, str]:
    """Write orders.csv, deliveries.csv, invoices.csv and payments.csv; returns what befell each order."""
    random.seed(seed)
    tables: dict[str, list[dict[str, Any]]] = {"orders": [], "deliveries": [], "invoices": [], "payments": []}
    kinds = list(PLANTED)
    truth: dict[str, str] = {}
    n = 0
    while n < orders:
        kind = random.choice(kinds) if random.random() < 0.5 else "clean"
        pair = 2 if kind.startswith("paid_together") and n + 2 <= orders else 1
        kind = "clean" if kind.startswith("paid_together") and pair == 1 else kind
        due: list[tuple[str, int, date]] = []
        supplier = n // 10 % 97
        ordered_on = START + timedelta(random.randrange(120))
        for _ in range(pair):
            order = f"SO-{seed}-{n:06d}"
            truth[order] = kind
            due.append(_one(tables, order, n, kind, supplier, ordered_on))
            n += 1
        if kind.startswith("paid_together"):
            when = max(day for _, _, day in due)
            bills = [bill for bill, _, _ in due]
            named = {"paid_together": "", "paid_together_names_one": bills[0]}.get(kind, " ".join(bills))
            _pay(tables, f"PAY{n}", named, sum(amount for _, amount, _ in due), when, supplier)
            tables["payments"][-1]["supplier"] = tables["orders"][-1]["supplier"]
            tables["payments"][-1]["payee_account"] = tables["orders"][-1]["account"]
    for name, rows in tables.items():
        random.shuffle(rows)
        with (folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, fieldnames=list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    return truth


def _one(
    tables: dict[str, list[dict[str, Any]]], order: str, n: int, kind: str, supplier: int, ordered_on: date
) -> tuple[str, int, date]:
    """One order with its lines and what came of it; returns invoice, amount and day of a payment still to be made."""
    promised = ordered_on + timedelta(30)
    arrived = promised + timedelta({"late": 9, "early": -12}.get(kind, 0))
    invoiced_on, paid_on = arrived + timedelta(3), arrived + timedelta(40)
    items = range(random.randrange(1, 4))
    lines = [(f"SKU{random.randrange(900)}", random.randrange(2, 60), random.randrange(100, 99_999)) for _ in items]
    lines = [(f"{sku}-{place}", quantity, price) for place, (sku, quantity, price) in enumerate(lines)]
    party = {"supplier": f"S{supplier:03d}", "currency": "CNY"}
    account = f"CN{supplier:010d}"
    for sku, quantity, price in lines:
        tables["orders"].append(
            {
                "order_id": order,
                "item": sku,
                "quantity": quantity,
                "amount": _money(quantity * price),
                "order_date": ordered_on,
                "promised_date": promised,
                **party,
                "account": account,
            }
        )
    total = sum(quantity * price for _, quantity, price in lines)
    if kind == "nothing_came":
        return "", 0, paid_on
    if kind != "no_delivery":
        _deliver(tables, order, lines, arrived, kind, party)
    billed, owed = _bill(tables, order, lines, invoiced_on, kind, party, account)
    if kind in ("no_payment", "no_invoice") or kind.startswith("paid_together"):
        return billed, total, paid_on
    paid = {"short_payment": owed - owed // 20 - 500, "reversed": owed}.get(kind, owed)
    when = arrived - timedelta(5) if kind == "paid_early" else paid_on
    named = _mistyped(billed, order, kind)
    target = {"other_account": -1}.get(kind, supplier)
    if kind == "paid_in_parts":
        _pay(tables, f"PAY{n}a", named, paid // 3, when, target, party)
        _pay(tables, f"PAY{n}b", named, paid - paid // 3, when + timedelta(3), target, party)
        return billed, 0, when
    _pay(tables, f"PAY{n}", named, paid, when, target, party)
    if kind == "line_sent_twice":
        tables["payments"].append(dict(tables["payments"][-1]))
    if kind in ("paid_twice", "reversed"):
        _pay(tables, f"PAY{n}x", named, paid if kind == "paid_twice" else -paid, when + timedelta(2), target, party)
    if kind == "other_currency":
        tables["payments"][-1]["currency"] = "USD"
    return billed, 0, when


def _mistyped(bill: str, order: str, kind: str) -> str:
    """How a payer writes the number of a bill, `INV-SO-11-000123`."""
    zeros = bill.rpartition("-")
    swapped = next(
        (i for i in range(len(bill) - 1, 0, -1) if bill[i] != bill[i - 1] and bill[i - 1 : i + 1].isdigit()), 0
    )
    return {
        "invoice_reference_restyled": bill.lower().replace("-", " "),
        "lost_zeros": f"{zeros[0]}-{int(zeros[2] or 0)}" if zeros[2].isdigit() else bill,
        "dropped_prefix": bill.removeprefix("INV-SO-"),
        "swapped_digits": bill[: swapped - 1] + bill[swapped] + bill[swapped - 1] + bill[swapped + 1 :]
        if swapped
        else bill,
        "lost_character": bill[:-2] + bill[-1:],
        "paid_by_order_number": order,
    }.get(kind, bill)


def _deliver(
    tables: dict[str, list[dict[str, Any]]], order: str, lines: list[tuple[str, int, int]], day: date, kind: str,
    party: dict[str, str],
) -> None:  # fmt: skip
    for place, (sku, quantity, price) in enumerate(lines):
        parts = [quantity]
        if kind == "two_deliveries":
            parts = [quantity // 2, quantity - quantity // 2]
        if place == 0 and kind in ("short_delivery", "more_delivered"):
            parts = [quantity + (1 if kind == "more_delivered" else -1)]
        for part, count in enumerate(parts):
            tables["deliveries"].append(
                {
                    "delivery_id": f"D-{order}-{part}",
                    "order_id": order,
                    "item": sku,
                    "quantity": count,
                    "amount": _money(count * price),
                    "delivery_date": day,
                    **party,
                }
            )


def _bill(
    tables: dict[str, list[dict[str, Any]]], order: str, lines: list[tuple[str, int, int]], day: date, kind: str,
    party: dict[str, str], account: str,
) -> tuple[str, int]:  # fmt: skip
    if kind == "no_invoice":
        return "", 0
    number, owed = f"INV-{order}", 0
    for place, (sku, quantity, price) in enumerate(lines):
        count, each = quantity, price
        if place == 0 and kind == "more_invoiced":
            count += 2
        if place == 0 and kind == "dearer":
            worth = sum(ordered * asked for _, ordered, asked in lines)
            each = price + max(price // 2, 60) * 3 + worth // (50 * quantity)  # beyond what the rule allows
        parts = [count // 2, count - count // 2] if kind == "two_invoices" else [count]
        for part, some in enumerate(parts):
            row = {
                "invoice_id": number + ("b" if part else ""),
                "order_id": order,
                "item": sku,
                "quantity": some,
                "amount": _money(some * each),
                "invoice_date": day,
                "due_date": day + timedelta(60),
                **party,
                "account": account,
            }
            tables["invoices"].append(row)
            owed += some * each
            if kind == "billed_twice":
                tables["invoices"].append(dict(row))
            if kind == "credited" and place == 0:
                again = {**row, "invoice_id": f"CN-{order}", "quantity": 0, "amount": _money(-some * each // 400)}
                tables["invoices"].append(again)
                owed += -some * each // 400
    return number, owed


def _pay(
    tables: dict[str, list[dict[str, Any]]], number: str, invoice: str, amount: int, day: date, supplier: int,
    party: dict[str, str] | None = None,
) -> None:  # fmt: skip
    tables["payments"].append(
        {
            "payment_id": number,
            "invoice_id": invoice,
            "amount": _money(amount),
            "value_date": day,
            "supplier": (party or {}).get("supplier", ""),
            "currency": "CNY",
            "payee_account": f"CN{supplier:010d}",
        }
    )


def _money(minor: int) -> str:
    sign, minor = ("-" if minor < 0 else ""), abs(minor)
    return f"{sign}{minor // 100}.{minor % 100:02d}"
