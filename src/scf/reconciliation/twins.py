"""Invoices sent twice for different orders, found as they arrive and remembered with the invoice."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from scf.reconciliation.duplicates import is_twin
from scf.reconciliation.facts import normalise_party
from scf.reconciliation.fold import Folded
from scf.reconciliation.shelf import INVOICE, Shelf, chunks


class Twins:
    """Twins among the invoices of a batch; `found` has, by the later invoice's fact, both numbers."""

    def __init__(self, shelf: Shelf) -> None:
        self.shelf = shelf
        self.found: dict[int, tuple[str, str]] = {}

    def find(self, invoices: Sequence[tuple[int, int]]) -> None:
        """Compare invoices just placed, (fact id, case id) each, with those of the same seller and amount."""
        rows = [self._row(fact_id, case_id) for fact_id, case_id in invoices]
        keys = sorted({_key(row) for row in rows if row["seller"]})
        asked = [(n, seller, currency, amount, amount) for n, (seller, currency, amount) in enumerate(keys)]
        alike: dict[tuple[str, str, int], list[dict[str, Any]]] = {}
        for known in self.shelf.near(INVOICE, "seller", "payable_minor", asked):
            alike.setdefault(_key(dict(known)), []).append(dict(known))
        for row in rows:
            others = alike.setdefault(_key(row), [])
            twin = next((other for other in others if row["seller"] and is_twin(row, other)), None)
            if twin is not None:
                row["twin_of"] = twin["fact_id"]
                self.found[row["fact_id"]] = (row["number"], twin["number"])
            others.append(row)
            self.shelf.add(INVOICE, row)

    def load(self, case_ids: Collection[int]) -> None:
        """Twins found by earlier batches among the invoices of these cases."""
        earlier = INVOICE.alias()
        for chunk in chunks(case_ids):
            query = (
                sa.select(INVOICE.c.fact_id, INVOICE.c.number, earlier.c.number)
                .join_from(INVOICE, earlier, earlier.c.fact_id == INVOICE.c.twin_of)
                .where(INVOICE.c.case_id.in_(chunk), INVOICE.c.twin_of.is_not(None))
            )
            self.found.update({row[0]: (row[1], row[2]) for row in self.shelf.session.execute(query)})

    def count(self, folded: Folded, fact_ids: Iterable[int]) -> Folded:
        """The case with its invoices that were sent for another order before counted as duplicates."""
        twins = [self.found[i] for i in fact_ids if i in self.found]
        if twins:
            folded.case = replace(folded.case, duplicate_invoices=folded.case.duplicate_invoices + len(twins))
            folded.notes.setdefault("duplicate_invoices", twins[0])
        return folded

    def _row(self, fact_id: int, case_id: int) -> dict[str, Any]:
        fact = self.shelf.facts[fact_id]
        return {
            "fact_id": fact_id,
            "seller": normalise_party(fact.seller) or "",
            "currency": fact.currency or "",
            "payable_minor": fact.payable_minor if fact.payable_minor is not None else fact.amount_minor or 0,
            "day": fact.day,
            "number": (fact.reference or "")[:140],
            "source": fact.source,
            "evidence_id": fact.evidence_id,
            "case_id": case_id,
            "twin_of": None,
        }


def _key(row: dict[str, Any]) -> tuple[str, str, int]:
    return row["seller"], row["currency"], row["payable_minor"]
