"""The arithmetic of an invoice under EN 16931: checked when read, computed when drafted.

Rules BR-CO-10 to BR-CO-18 with the tolerances of the standard's own validation: sums must agree exactly, the tax of a
rate may differ from base x rate by less than one currency unit. Source: EN 16931-1:2017, section 6.4.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction

from scf.kernel.money import currency, format_plain, round_half_up
from scf.standards.records import Line, Notice, TaxSubtotal
from scf.standards.refusals import refusal


@dataclass(frozen=True, slots=True)
class Stated:
    """An amount in minor units and where the document states it."""

    minor: int
    place: str


@dataclass(frozen=True, slots=True)
class Totals:
    """What a document states, to be checked.

    `stated` holds line, allowance, charge, net, tax, gross, prepaid, rounding, payable where present;
    `third_parties` is what is collected for others beside the gross amount.
    """

    currency: str
    where: str
    line_nets: tuple[int, ...]
    allowances: tuple[int, ...]
    charges: tuple[int, ...]
    stated: Mapping[str, Stated]
    breakdown: tuple[tuple[TaxSubtotal, str], ...] = field(default_factory=tuple)
    third_parties: int = 0

    def minor(self, name: str) -> int:
        """The stated amount, 0 where absent."""
        found = self.stated.get(name)
        return found.minor if found else 0


def check(totals: Totals) -> list[Notice]:
    """Refuse totals that contradict each other. Raises Problem `invoice_totals_contradict`.

    A notice where the rounding stands in the total with tax instead of below it, as in UBL before EN 16931.
    """
    net_parts = totals.minor("line") - totals.minor("allowance") + totals.minor("charge")
    tax = totals.minor("tax")
    rounding, gross = totals.minor("rounding"), totals.minor("net") + tax
    is_inside = rounding != 0 and totals.minor("gross") == gross + rounding
    due = totals.minor("gross") - totals.minor("prepaid") + (0 if is_inside else rounding)
    rules = [
        ("BR-CO-10", "line", sum(totals.line_nets)),
        ("BR-CO-11", "allowance", sum(totals.allowances)),
        ("BR-CO-12", "charge", sum(totals.charges)),
        ("BR-CO-13", "net", net_parts),
        ("BR-CO-14", "tax", sum(row.tax_minor for row, _ in totals.breakdown)),
        ("BR-CO-15", "gross", gross + (rounding if is_inside else 0)),
        ("BR-CO-16", "payable", due + totals.third_parties),
    ]
    for rule, name, found in rules:
        stated = totals.stated.get(name)
        if found != (stated.minor if stated else 0):
            raise _contradiction(totals, rule, stated.place if stated else totals.where, totals.minor(name), found)
    _check_breakdown(totals)
    facts = (("rounding", format_plain(rounding, totals.currency)),)
    return [Notice("invoice_rounding_inside", totals.where, facts)] if is_inside else []


def _check_breakdown(totals: Totals) -> None:
    unit = 10 ** currency(totals.currency).digits
    for row, place in totals.breakdown:
        expected = round_half_up(Fraction(row.base_minor) * Fraction(row.rate_percent or 0) / 100)
        if abs(row.tax_minor - expected) >= unit:
            raise _contradiction(totals, "BR-CO-17", place, row.tax_minor, expected)
    if not totals.breakdown and totals.line_nets and totals.minor("net"):
        raise _contradiction(totals, "BR-CO-18", totals.where, totals.minor("net"), 0)
    bases = sum(row.base_minor for row, _ in totals.breakdown)
    if totals.breakdown and abs(bases - totals.minor("net")) >= unit:
        raise _contradiction(totals, "BG-23", totals.breakdown[0][1], bases, totals.minor("net"))


def _contradiction(totals: Totals, rule: str, place: str, stated: int, found: int) -> Exception:
    return refusal(
        "invoice_totals_contradict",
        place,
        rule=rule,
        stated=format_plain(stated, totals.currency),
        found=format_plain(found, totals.currency),
    )


def line_notice(
    line: Line, allowances_minor: int, charges_minor: int, code: str, place: Callable[[], str]
) -> Notice | None:
    """A notice where quantity x price is not the line's net amount within 0.02 (PEPPOL-EN16931-R120), else None."""
    if line.quantity is None or line.price is None or line.net_minor is None or not line.price_base_quantity:
        return None
    scale = 10 ** currency(code).digits
    exact = Fraction(line.quantity) * Fraction(line.price) / Fraction(line.price_base_quantity) * scale
    if abs(exact + charges_minor - allowances_minor - line.net_minor) <= 2 * max(scale // 100, 1):
        return None
    found = format_plain(round_half_up(exact), code)
    return Notice("invoice_line_differs", place(), (("found", found), ("stated", format_plain(line.net_minor, code))))


def line_net(quantity: Decimal, price: Decimal, code: str) -> int:
    """Minor units of quantity x price, rounded once, half up."""
    return round_half_up(Fraction(quantity) * Fraction(price) * 10 ** currency(code).digits)


def break_down(lines: Sequence[Line], category: str = "S") -> tuple[TaxSubtotal, ...]:
    """The tax breakdown of lines that carry their rate: one row a rate, tax rounded once a row, half up."""
    bases: dict[Decimal, int] = {}
    for line in lines:
        rate = line.tax_rate_percent or Decimal(0)
        bases[rate] = bases.get(rate, 0) + (line.net_minor or 0)
    return tuple(
        TaxSubtotal(category if rate else "Z", rate, base, round_half_up(Fraction(base) * Fraction(rate) / 100))
        for rate, base in sorted(bases.items())
    )
