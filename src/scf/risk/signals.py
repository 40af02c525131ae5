"""Signals as pure functions: each says clear, flag or unknown, why, on which rows, by which version of the rule.

Missing data is unknown. A signal clears only on sources the applicant cannot write alone (T2 and above); papers of
lower trust can still flag. People decide; nothing here refuses anything by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from scf.kernel.sentences import sentence

Answer = Literal["clear", "flag", "unknown"]
CLEARING_TRUST = 2
DAY_WINDOW = 180


@dataclass(frozen=True, slots=True)
class Paper:
    """One paper the signals look at. Days since 1970, amounts in minor units, trust 0 to 4 of who brought it."""

    kind: Literal["invoice", "credit_note", "delivery", "order", "receivable", "payment"]
    reference: str
    seller: str
    buyer: str
    day: int
    amount_minor: int
    currency: str
    trust: int
    evidence_id: str | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """What one signal says. `weight` orders findings of one answer: the strongest reason first.

    `trust` is the lowest trust among the rows that counted, None where there was none.
    """

    signal: str
    version: int
    answer: Answer
    code: str
    weight: int
    trust: int | None
    facts: Mapping[str, Any] = field(default_factory=dict)
    evidence: tuple[Paper, ...] = ()

    def said(self, language: str) -> str:
        """The reason as one sentence in `zh-CN` or `en`."""
        return sentence(f"risk_{self.signal}_{self.code}", language, **self.facts)


@dataclass(frozen=True, slots=True)
class Deal:
    """The trade behind a note under a question: its invoice and deliveries, and what else is known of its parties.

    `trades` are invoices of anybody within the window (for circles); the rest concerns this seller or this obligor.
    """

    as_of: int
    seller: str
    buyer: str
    invoice: Paper | None = None
    deliveries: Sequence[Paper] = ()
    twins: Sequence[Paper] = ()
    seller_invoices: Sequence[Paper] = ()
    credit_notes: Sequence[Paper] = ()
    trades: Sequence[Paper] = ()
    obligor_late_days: Sequence[tuple[str, int]] = ()
    """(receivable, days paid late; 0 in time) of the obligor's past payments in the last year."""
    obligor_overdue: Sequence[str] | None = None
    """Receivables of the obligor that are overdue now; None when its books were not looked at."""


def double_financing(deal: Deal) -> Finding:
    """The same sale used twice: another paper of the same seller that looks like this invoice."""
    if deal.invoice is None:
        return _unknown("double_financing", "no_invoice", 95)
    if deal.twins:
        first = deal.twins[0]
        facts = {"invoice": deal.invoice.reference, "other": first.reference, "count": len(deal.twins)}
        return _flag("double_financing", "alike", 100, facts, (deal.invoice, *deal.twins))
    return _clear("double_financing", "none", (deal.invoice,), {"invoice": deal.invoice.reference})


def early_invoice(deal: Deal, *, grace_days: int = 3) -> Finding:
    """An invoice well before its goods: how a firm in trouble begins."""
    if deal.invoice is None:
        return _unknown("early_invoice", "no_invoice", 80)
    if not deal.deliveries:
        return _unknown("early_invoice", "no_delivery", 90, (deal.invoice,))
    first = min(deal.deliveries, key=lambda paper: paper.day)
    days = first.day - deal.invoice.day
    rows = (deal.invoice, first)
    if days > grace_days:
        return _flag("early_invoice", "before", 85, {"days": days, "invoice": deal.invoice.reference}, rows)
    # The day of the goods is what clears; an invoice is the seller's own word whatever brought it.
    return _clear("early_invoice", "in_order", (first,), {"invoice": deal.invoice.reference}, shown=rows)


def round_amounts(deal: Deal, *, least: int = 6, share_percent: int = 60, step_minor: int = 10_000_00) -> Finding:
    """Invoices in round sums: real quantities at real prices with tax seldom end in noughts."""
    papers = _within(deal.seller_invoices, deal.as_of, DAY_WINDOW)
    if len(papers) < least:
        return _unknown("round_amounts", "few", 10, tuple(papers[:5]), {"count": len(papers), "least": least})
    noughts = [paper for paper in papers if paper.amount_minor and paper.amount_minor % step_minor == 0]
    percent = len(noughts) * 100 // len(papers)
    facts = {"count": len(noughts), "all": len(papers), "percent": percent}
    if percent >= share_percent:
        return _flag("round_amounts", "many", 40, facts, tuple(noughts[:8]))
    return _clear("round_amounts", "few_noughts", tuple(papers), facts, shown=tuple(papers[:5]))


def burst(deal: Deal, *, days: int = 7, times: int = 4, least: int = 6) -> Finding:
    """Many more invoices in a week than the seller's usual pace."""
    papers = _within(deal.seller_invoices, deal.as_of, 90)
    lately = [paper for paper in papers if paper.day > deal.as_of - days]
    before = [paper for paper in papers if paper.day <= deal.as_of - days]
    if not before or deal.as_of - min(paper.day for paper in before) < 28:
        return _unknown("burst", "short_history", 15, tuple(papers[:5]))
    weeks = max(1, (deal.as_of - days - min(paper.day for paper in before)) // 7)
    facts = {"count": len(lately), "days": days, "usual": f"{len(before) / weeks:.1f}"}
    if len(lately) >= least and len(lately) * weeks >= times * len(before):
        return _flag("burst", "many", 60, facts, tuple(lately[:8]))
    return _clear("burst", "usual", tuple(papers), facts, shown=tuple(lately[:5]))


def circular_trade(
    deal: Deal, *, window_days: int = 30, tolerance_percent: int = 5, longest: int = 6, most_steps: int = 200_000
) -> Finding:
    """Goods that come home: invoices from firm to firm and back, near in time and amount.

    The search goes along single invoices with a bound on days and amount, never over the collapsed graph of firms, in
    which nearly everybody trades in a circle with everybody.
    """
    start = deal.invoice
    if start is None:
        return _unknown("circular_trade", "no_invoice", 70)
    near = [
        paper
        for paper in deal.trades
        if paper.currency == start.currency
        and abs(paper.day - start.day) <= window_days
        and abs(paper.amount_minor - start.amount_minor) * 100 <= tolerance_percent * start.amount_minor
        and paper.reference != start.reference
    ]
    by_seller: dict[str, list[Paper]] = {}
    for paper in near:
        by_seller.setdefault(paper.seller, []).append(paper)
    steps = 0
    trails: list[tuple[Paper, ...]] = [(start,)]
    while trails:
        trail = trails.pop()
        for paper in by_seller.get(trail[-1].buyer, ()):
            steps += 1
            if steps > most_steps:
                return _unknown("circular_trade", "too_many", 70, (start,), {"steps": most_steps})
            if paper.buyer == start.seller:
                circle = (*trail, paper)
                facts = {"firms": len(circle), "days": max(p.day for p in circle) - min(p.day for p in circle)}
                return _flag("circular_trade", "circle", 95, facts, circle)
            if len(trail) + 1 < longest and all(paper.buyer != one.seller for one in trail):
                trails.append((*trail, paper))
    facts = {"count": len(near), "days": window_days, "percent": tolerance_percent}
    return _clear("circular_trade", "none", tuple(near) or (start,), facts, shown=(start,))


def repeat_pair(deal: Deal, *, percent: int = 95, least: int = 6) -> Finding:
    """A seller that lives from one buyer alone: usual down a chain, worth a look with anything else."""
    papers = _within(deal.seller_invoices, deal.as_of, DAY_WINDOW)
    if len(papers) < least:
        return _unknown("repeat_pair", "few", 8, tuple(papers[:5]), {"count": len(papers), "least": least})
    total = sum(paper.amount_minor for paper in papers)
    pair = [paper for paper in papers if paper.buyer == deal.buyer]
    share = sum(paper.amount_minor for paper in pair) * 100 // max(1, total)
    facts = {"percent": share, "count": len(pair), "all": len(papers)}
    if share >= percent:
        return _flag("repeat_pair", "one_buyer", 20, facts, tuple(pair[:8]))
    return _clear("repeat_pair", "spread", tuple(papers), facts, shown=tuple(papers[:5]))


def dilution(deal: Deal, *, flag_permille: int = 50) -> Finding:
    """Credit notes against invoices: what was billed and taken back."""
    billed = _within(deal.seller_invoices, deal.as_of, DAY_WINDOW)
    taken = _within(deal.credit_notes, deal.as_of, DAY_WINDOW)
    total = sum(paper.amount_minor for paper in billed)
    if not total:
        return _unknown("dilution", "no_invoices", 30)
    permille = sum(abs(paper.amount_minor) for paper in taken) * 1000 // total
    facts = {"percent": f"{permille / 10:.1f}", "count": len(taken)}
    if permille > flag_permille:
        return _flag("dilution", "high", 55, facts, tuple(taken[:8]))
    return _clear("dilution", "low", (*billed, *taken), facts, shown=tuple(taken[:5]) or tuple(billed[:3]))


def overdue_history(deal: Deal, *, share_percent: int = 10) -> Finding:
    """How the obligor paid: anything overdue now, and how often it was late in a year. The ledger's own word (T3)."""
    if deal.obligor_overdue is None:
        return _unknown("overdue_history", "not_known", 85)
    if deal.obligor_overdue:
        facts = {"count": len(deal.obligor_overdue), "receivables": ", ".join(deal.obligor_overdue[:5])}
        return Finding("overdue_history", 1, "flag", "overdue_now", 98, 3, facts)
    paid = deal.obligor_late_days
    if not paid:
        return _unknown("overdue_history", "no_payment_yet", 25)
    late = [days for _, days in paid if days > 0]
    facts = {"count": len(late), "all": len(paid), "most": max(late, default=0)}
    if len(late) * 100 > share_percent * len(paid):
        return Finding("overdue_history", 1, "flag", "often_late", 75, 3, facts)
    return Finding("overdue_history", 1, "clear", "in_time", 0, 3, facts)


SIGNALS: Sequence[Callable[[Deal], Finding]] = (
    double_financing,
    circular_trade,
    early_invoice,
    overdue_history,
    burst,
    dilution,
    round_amounts,
    repeat_pair,
)
"""Every signal, the gravest first."""
_ORDER = {"flag": 0, "unknown": 1, "clear": 2}


@dataclass(frozen=True, slots=True)
class Verdict:
    """All signals of a deal together: flag when one flags, unknown when one does not know, else clear."""

    answer: Answer
    findings: tuple[Finding, ...]

    @property
    def strongest(self) -> tuple[Finding, ...]:
        """The three reasons that speak loudest: flags first, then what is not known, then what clears."""
        return self.findings[:3]


def judge(deal: Deal) -> Verdict:
    """Every signal, strongest first, and what they say together."""
    findings = sorted((signal(deal) for signal in SIGNALS), key=lambda one: (_ORDER[one.answer], -one.weight))
    return Verdict(findings[0].answer, tuple(findings))


def _within(papers: Sequence[Paper], as_of: int, days: int) -> list[Paper]:
    return sorted((p for p in papers if as_of - days < p.day <= as_of), key=lambda p: (-p.day, p.reference))


def _flag(signal: str, code: str, weight: int, facts: Mapping[str, Any], rows: tuple[Paper, ...]) -> Finding:
    return Finding(signal, 1, "flag", code, weight, _trust(rows), facts, rows)


def _unknown(
    signal: str, code: str, weight: int, rows: tuple[Paper, ...] = (), facts: Mapping[str, Any] | None = None
) -> Finding:
    return Finding(signal, 1, "unknown", code, weight, _trust(rows), facts or {}, rows)


def _clear(
    signal: str,
    code: str,
    rows: tuple[Paper, ...],
    facts: Mapping[str, Any],
    *,
    shown: tuple[Paper, ...] | None = None,
) -> Finding:
    """Clear, or unknown where what would clear is the applicant's own word."""
    trust = _trust(rows)
    if trust is None or trust < CLEARING_TRUST:
        return Finding(signal, 1, "unknown", "own_papers", 5, trust, facts, shown if shown is not None else rows)
    return Finding(signal, 1, "clear", code, 0, trust, facts, shown if shown is not None else rows)


def _trust(rows: Sequence[Paper]) -> int | None:
    return min((row.trust for row in rows), default=None)
