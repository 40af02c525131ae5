"""The timeline of an order as the lanes picture wants it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from scf.kernel.money import format_money
from scf.reconciliation.facts import date_of
from scf.reconciliation.service import ExceptionView, Step
from scf.web.i18n import N_, translations
from scf.web.svg.lanes import Link, Point, lanes

KINDS = {
    "order": N_("ordered"),
    "despatch": N_("despatched"),
    "delivery": N_("delivered"),
    "inspection": N_("inspected"),
    "invoice": N_("invoiced"),
    "payment": N_("money"),
    "instruction": N_("payment instruction"),
}
LANES = {"contract": N_("Contract"), "goods": N_("Goods"), "money": N_("Money")}
ABOUT: Mapping[str, tuple[str, ...]] = {
    "PAID_BEFORE_DELIVERY": ("payment", "delivery"),
    "OVER_INVOICED": ("invoice", "order"),
    "INVOICED_NOT_DELIVERED": ("invoice",),
    "DELIVERED_NOT_INVOICED": ("delivery",),
    "PRICE_DIFFERENCE": ("invoice", "order"),
    "QUANTITY_DIFFERENCE": ("delivery", "order"),
    "CURRENCY_DIFFERENCE": ("invoice", "payment"),
    "PAYMENT_DIFFERENCE": ("payment", "invoice"),
    "CONTRADICTING_SOURCES": ("delivery", "despatch"),
    "WRONG_PAYEE_ACCOUNT": ("payment",),
    "DUPLICATE_INVOICE": ("invoice",),
    "NOT_DELIVERED": ("order",),
    "MISSING_EVIDENCE": ("order",),
    "UNPAID": ("invoice",),
    "LATE": ("delivery",),
    "EARLY": ("delivery",),
    "PARTIAL": ("delivery",),
}
"""Which facts of an order a disagreement speaks of, where it does not name one fact."""


def open_breaks(breaks: Iterable[ExceptionView]) -> list[ExceptionView]:
    """The disagreements still open, in the order in which picture and sentences number them."""
    return [row for row in breaks if row.state == "open"]


def lanes_of(
    steps: Sequence[Step], breaks: Sequence[ExceptionView], language: str, *, beside: Sequence[ExceptionView] = ()
) -> str:
    """The picture of one order; its numbers are those of `open_breaks`, from 1.

    `beside` are other disagreements: not drawn, but what they speak of is not shown as matched.
    """
    spoken = translations(language)
    marked = _marked(steps, open_breaks(breaks))
    doubtful = {*marked, *_marked(steps, open_breaks(beside))}
    points = [
        Point(
            day=date_of(step.day),
            lane=step.lane,
            word=spoken.gettext(KINDS.get(step.kind.lower(), step.kind)),
            said=said(step),
            breaks=tuple(sorted(marked.get(place, ()))),
        )
        for place, step in enumerate(steps)
    ]
    names = {lane: spoken.gettext(word) for lane, word in LANES.items()}
    links = [Link(start, end, _joined(steps, start, end, language)) for start, end in matched(steps, doubtful)]
    return lanes(points, names, spoken.gettext("Goods against money"), links)


def matched(steps: Sequence[Step], doubtful: Collection[int] = ()) -> list[tuple[int, int]]:
    """Places of the steps that were matched: the order with each delivery, each delivery with invoices and payments.

    A step of money goes to the delivery nearest before it, else to the first after; a step in doubt is matched by none.
    """
    fine = [place for place in range(len(steps)) if place not in doubtful]
    goods = [place for place in fine if steps[place].kind.lower() == "delivery"]
    order = next((place for place in fine if steps[place].kind.lower() == "order"), None)
    found = [(order, place) for place in goods] if order is not None else []
    for place in fine:
        if steps[place].kind.lower() in ("invoice", "payment") and goods:
            before = [one for one in goods if steps[one].day <= steps[place].day]
            found.append((max(before, key=lambda one: steps[one].day) if before else goods[0], place))
    return found


def settled(steps: Sequence[Step], breaks: Iterable[ExceptionView]) -> bool | None:
    """Whether goods and money agree: False when something disagrees, None when goods or money are not on file."""
    if open_breaks(breaks):
        return False
    kinds = {step.kind.lower() for step in steps}
    return True if "delivery" in kinds and kinds & {"invoice", "payment"} else None


def _joined(steps: Sequence[Step], start: int, end: int, language: str) -> str:
    spoken = translations(language)
    words = [spoken.gettext(KINDS.get(steps[place].kind.lower(), steps[place].kind)) for place in (start, end)]
    percent = min(steps[start].confidence, steps[end].confidence) // 10
    return spoken.gettext("matched: %(first)s with %(second)s, %(percent)s in 100 sure") % {
        "first": words[0],
        "second": words[1],
        "percent": percent,
    }


def _marked(steps: Sequence[Step], breaks: Sequence[ExceptionView]) -> dict[int, set[int]]:
    """Numbers of the sentences that speak of a step, by the step's place: by its fact, else the last of its kind."""
    found: dict[int, set[int]] = {}
    for number, row in enumerate(breaks, start=1):
        places = [place for place, step in enumerate(steps) if row.fact_id is not None and step.fact_id == row.fact_id]
        for kind in () if places else ABOUT.get(row.code, ()):
            places += [place for place, step in enumerate(steps) if step.kind.lower() == kind][-1:]
        for place in places:
            found.setdefault(place, set()).add(number)
    return found


def said(step: Step) -> str:
    """Amount, quantity and source of a fact in one line."""
    reference = step.reference or ""
    parts: list[Any] = [reference if len(reference) <= 40 else f"…{reference.partition('?')[0][-8:]}"]
    if step.amount_minor is not None and step.currency:
        parts.append(format_money(step.amount_minor, step.currency).replace(" ", "\u00a0"))
    if step.quantity_milli is not None:
        parts.append(f"× {step.quantity_milli / 1000:g}")
    parts.append(f"{step.source.removeprefix('bank:')} (T{step.trust})")
    return " · ".join(str(part) for part in parts if part)
