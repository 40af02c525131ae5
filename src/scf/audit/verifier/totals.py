"""Control totals: computed from the rebuilt register and compared with the manifest's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .manifest import Manifest
from .register import FINANCED, Register
from .report import Report

FIELDS = (
    "face_issued", "cancelled", "paid", "outstanding", "settled", "interest_settled", "held", "offered", "locked",
    "financed", "financed_net", "entrusted_agreed", "entrusted_locked", "entrusted_released", "entrusted_refunded",
    "entrusted_held",
)  # fmt: skip
"""Sums per currency, in minor units as decimal text."""


def totals_of(register: Register) -> dict[str, dict[str, str]]:
    """Sums by ISO 4217 numeric code."""
    sums: dict[int, dict[str, int]] = {}

    def add(currency: int, name: str, amount: int) -> None:
        sums.setdefault(currency, dict.fromkeys(FIELDS, 0))[name] += amount

    for receivable in register.receivables.values():
        currency = receivable.currency
        add(currency, "face_issued", receivable.face)
        add(currency, "cancelled", receivable.face if receivable.cancelled else 0)
        add(currency, "paid", receivable.paid)
        add(currency, "outstanding", 0 if receivable.cancelled else receivable.outstanding)
        add(currency, "interest_settled", receivable.interest_settled)
        for name, amount in receivable.sums.items():
            add(currency, name, amount)
    for note in register.notes.values():
        if note.flags & FINANCED and note.quote is not None:
            currency = register.receivables[note.receivable].currency
            add(currency, "financed", note.quote["amount"])
            add(currency, "financed_net", note.quote["net"])
    for account in register.accounts.values():
        add(account.currency, "entrusted_agreed", account.amount)
        add(account.currency, "entrusted_locked", account.locked)
        add(account.currency, "entrusted_released", account.released)
        add(account.currency, "entrusted_refunded", account.refunded)
        add(account.currency, "entrusted_held", account.locked - account.released - account.refunded)
    return {str(code): {name: str(sums[code][name]) for name in FIELDS} for code in sorted(sums)}


def counts_of(register: Register, blocks: int, transactions: int) -> dict[str, int]:
    """How many of each there are."""
    return {
        "blocks": blocks,
        "transactions": transactions,
        "events": register.events,
        "members": len(register.members),
        "receivables": len(register.receivables),
        "notes": len(register.notes),
        "payments": sum(len(receivable.rounds) for receivable in register.receivables.values()),
        "entrusted_accounts": len(register.accounts),
        "anchors": len(register.heads),
    }


def check_totals(manifest: Manifest, totals: Mapping[str, Any], counts: Mapping[str, int], report: Report) -> None:
    """The manifest says the same sums and counts."""
    check = report.check("totals")
    for code in sorted(set(totals) | set(manifest.totals)):
        claimed = manifest.totals.get(code)
        claimed = claimed if isinstance(claimed, Mapping) else {}
        found = totals.get(code, dict.fromkeys(FIELDS, "0"))
        for name in FIELDS:
            check.expect("total", f"{code} {name}", found[name], claimed.get(name))
        for name in sorted(set(claimed) - set(FIELDS)):
            check.unprovable("unknown_claim", "manifest.json", "", f"{code} {name}")
    for name, number in counts.items():
        check.expect("total", name, number, manifest.counts.get(name))
    for name in sorted(set(manifest.counts) - set(counts)):
        check.unprovable("unknown_claim", "manifest.json", "", name)
