"""The timeline of an order as the lanes picture wants it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from scf.kernel.money import format_money
from scf.reconciliation.facts import date_of
from scf.reconciliation.service import ExceptionView, Step
from scf.web.i18n import N_, translations
from scf.web.svg.lanes import Point, lanes

KINDS = {
    "order": N_("ordered"),
    "despatch": N_("despatched"),
    "delivery": N_("delivered"),
    "inspection": N_("inspected"),
    "invoice": N_("invoiced"),
    "payment": N_("money"),
}
LANES = {"contract": N_("Contract"), "goods": N_("Goods"), "money": N_("Money")}


def lanes_of(steps: Sequence[Step], breaks: Sequence[ExceptionView], language: str) -> str:
    """The picture of one order."""
    spoken = translations(language)
    broken = {row.fact_id for row in breaks if row.fact_id is not None and row.state == "open"}
    points = [
        Point(
            day=date_of(step.day),
            lane=step.lane,
            word=spoken.gettext(KINDS.get(step.kind.lower(), step.kind)),
            said=said(step),
            broken=step.fact_id in broken,
        )
        for step in steps
    ]
    names = {lane: spoken.gettext(word) for lane, word in LANES.items()}
    return lanes(points, names, spoken.gettext("Goods against money"))


def said(step: Step) -> str:
    """Amount, quantity and source of a fact in one line."""
    parts: list[Any] = [step.reference or ""]
    if step.amount_minor is not None and step.currency:
        parts.append(format_money(step.amount_minor, step.currency))
    if step.quantity_milli is not None:
        parts.append(f"× {step.quantity_milli / 1000:g}")
    parts.append(f"{step.source} (T{step.trust})")
    return " · ".join(str(part) for part in parts if part)
