"""The canonical columns of a bulk run, and the names by which files call them."""

from __future__ import annotations

CANONICAL = (
    ("k", "key"),
    ("doc", "text"),
    ("quantity_milli", "quantity"),
    ("amount_minor", "amount"),
    ("payable_minor", "payable"),
    ("price_micro", "price"),
    ("currency", "text"),
    ("party", "text"),
    ("account", "text"),
    ("day", "day"),
    ("promised_day", "promised"),
    ("due_day", "due"),
)
KEY = (
    "order_reference", "order_ref", "order_key", "order_number", "order_no", "order_id", "orderid", "order",
    "po_number", "po_no", "po_id", "po", "purchase_order", "purchase_order_number", "sales_order", "so_number", "so",
    "case_id", "case:concept:name", "ref",
)  # fmt: skip
ITEMS = (
    "item",
    "item_id",
    "item_no",
    "line",
    "line_no",
    "line_id",
    "position",
    "sku",
    "product",
    "product_id",
    "material",
)
"""Two lines of one document that are equal in all else are two lines where their items differ."""
NAMES: dict[str, tuple[str, ...]] = {
    "quantity": ("quantity_milli", "quantity", "qty", "quantity_ordered", "quantity_delivered", "quantity_invoiced"),
    "amount": (
        "amount_minor",
        "net_minor",
        "value_minor",
        "amount",
        "net_amount",
        "value",
        "total",
        "total_amount",
        "amount_paid",
        "paid_amount",
        "line_amount",
        "invoice_amount",
        "order_amount",
    ),
    "payable": ("payable_minor", "gross_minor", "payable", "payable_amount", "gross"),
    "price": ("price_micro", "unit_price", "price"),
    "currency": ("currency", "ccy"),
    "party": ("party", "seller", "supplier", "vendor", "payee", "seller_id", "supplier_id", "vendor_id"),
    "account": ("account", "payee_account", "iban", "counterparty_account"),
    "promised": ("promised_day", "promised_date", "deliver_by", "requested_date", "scheduled_on", "promised_on"),
    "due": ("due_day", "due_date", "due_on"),
}
SOURCES = ("source", "reported_by", "told_by", "sender", "source_system", "feed")
"""Who tells of a document: two who tell of one confirm or contradict each other."""
TRUST = ("trust", "trust_level")
TEXTS = (
    "remittance", "remittance_information", "remittance_info", "remittance_text", "remittance_advice", "purpose",
    "payment_purpose", "narrative", "memo", "details", "payment_details", "description", "text", "postscript", "remark",
    "remarks", "note", "附言", "摘要", "用途",
)  # fmt: skip
"""What a payer wrote beside a payment, where documents may be named among other words."""
DAYS = {
    "orders": (
        "day",
        "order_day",
        "order_date",
        "ordered_on",
        "issue_date",
        "date",
        "created_at",
        "timestamp",
        "time",
        "ocel:timestamp",
    ),
    "deliveries": (
        "day",
        "delivered_day",
        "delivery_day",
        "delivered_on",
        "delivery_date",
        "delivered_date",
        "date",
        "received_on",
        "receipt_date",
        "goods_receipt_date",
        "timestamp",
        "time",
        "ocel:timestamp",
    ),
    "invoices": (
        "day",
        "invoice_day",
        "invoice_date",
        "issue_date",
        "date",
        "invoiced_on",
        "posting_date",
        "timestamp",
        "time",
        "ocel:timestamp",
    ),
    "payments": (
        "day",
        "paid_day",
        "value_day",
        "value_date",
        "paid_on",
        "payment_date",
        "booking_date",
        "date",
        "posting_date",
        "timestamp",
        "time",
        "ocel:timestamp",
    ),
}
DOCS = {
    "orders": (),
    "deliveries": (
        "delivery_reference",
        "delivery_number",
        "delivery_id",
        "grn",
        "grn_id",
        "asn",
        "delivery",
        "delivery_no",
        "delivery_note",
        "shipment_id",
        "reference",
        "doc",
    ),
    "invoices": (
        "invoice_reference",
        "invoice_number",
        "invoice_no",
        "invoice_id",
        "invoice",
        "number",
        "reference",
        "doc",
    ),
    "payments": (
        "payment_reference",
        "payment_id",
        "pay_id",
        "bank_reference",
        "transaction_id",
        "payment",
        "payment_no",
        "payment_number",
        "reference",
        "doc",
    ),
}
THROUGH = {"invoices": "deliveries", "payments": "invoices"}
"""A table without order references may name the documents of another table instead: payments their invoices."""
INTEGERS = {"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "HUGEINT"}
SCALES = {"quantity": 3, "amount": 2, "payable": 2, "price": 6}
NORMAL = "NULLIF(translate(regexp_replace(upper({k}), '[^A-Z0-9]+', '', 'g'), 'OI', '01'), '')"
"""A reference `{k}` in its normalised form, as `facts.normalise` has it."""


def quoted(column: str) -> str:
    """A column's name as SQL writes it."""
    escaped = column.replace('"', '""')
    return f'"{escaped}"'
