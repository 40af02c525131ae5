"""If the core enterprise fails: who pays, when, on which path, and the worst case of one holder, before it accepts.

`if_obligor_fails` is a pure function over the note's own terms; `of_note` fills it from the books, `if_taken` as they
would stand once a price is taken. "Fails" means that nothing more is ever paid by the obligor; "worst case" that nobody
on a recourse path pays either, and that what is still locked in an entrusted account goes back to who paid it in.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

from sqlmodel import Session, col, select

from scf.financing.models import FinancingAsk, QuoteOffer
from scf.financing.recourse import BUY_BACK_DAYS
from scf.kernel.dates import day_of
from scf.kernel.money import format_money
from scf.kernel.problems import Problem
from scf.parties.service import Parties
from scf.receivables import queries
from scf.receivables.models import Financing, NoteState

Unpaid = Callable[[Session, int, int], int]
"""Of so much paid into an entrusted account, what was not paid out to a payee: session, account, minor units."""

DueDay = Callable[[int], date]
"""The day on which a maturity (unix seconds) has to be paid: the next on which banks work."""


def all_of_it(session: Session, account_id: int, minor: int) -> int:
    """Nothing of an entrusted account is known to be paid out: all of it may still go back."""
    return minor


@dataclass(frozen=True, slots=True)
class SoldPart:
    """A part this holder sold for money early. Amounts in minor units.

    `account` is the entrusted account the price is paid into, 0 for none; `unpaid_minor` what no payee got of it yet.
    """

    note_id: str
    financier: str
    amount_minor: int
    net_minor: int
    recourse: bool
    account: int = 0
    unpaid_minor: int = 0


@dataclass(frozen=True, slots=True)
class NoteTerms:
    """What decides the outcome for one holder. `bought` is set when it holds the note as its financier."""

    holder: str
    obligor: str
    currency: str
    due_on: date
    held_minor: int
    sold: tuple[SoldPart, ...] = ()
    bought_from: str | None = None
    bought_net_minor: int = 0
    bought_recourse: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the path: who owes whom how much from which day on. `kind` names it for machines."""

    kind: str
    payer: str
    payee: str
    amount_minor: int
    from_on: date
    words: dict[str, str]


@dataclass(frozen=True, slots=True)
class FailureView:
    """The path in order and the worst case.

    `not_received_minor` is the claim that may never be paid and what may go back from entrusted accounts,
    `to_pay_back_minor` what may have to be given back to financiers before late interest, `worst_case_minor` both
    together: how much poorer the holder can end up.
    """

    currency: str
    steps: tuple[Step, ...]
    not_received_minor: int
    to_pay_back_minor: int

    @property
    def worst_case_minor(self) -> int:
        """All that can be lost."""
        return self.not_received_minor + self.to_pay_back_minor


def if_obligor_fails(terms: NoteTerms) -> FailureView:
    """Who pays this holder, when and on which path, and what it loses when nobody does."""
    steps = [_claim(terms)] if terms.held_minor else []
    late = terms.due_on + timedelta(days=1)
    lost = terms.held_minor
    if terms.bought_from is not None:
        lost = min(terms.bought_net_minor, terms.held_minor)
        if terms.bought_recourse:
            steps.append(_demand(terms, terms.bought_from, terms.holder, terms.held_minor, late, "buy_back"))
    pay_back = 0
    for part in terms.sold:
        if part.account:
            steps.append(_locked(terms, part))
        if part.recourse:
            pay_back += part.amount_minor
            steps.append(_demand(terms, terms.holder, part.financier, part.amount_minor, late, "pay_back"))
        else:
            lost += part.unpaid_minor
            steps.append(_kept(terms, part))
    return FailureView(terms.currency, tuple(steps), lost, pay_back)


def of_note(
    session: Session, parties: Parties, note_id: str, unpaid: Unpaid = all_of_it, due_day: DueDay = day_of
) -> FailureView:
    """The view of the holder (or the one it is offered to) of a real note. Raises Problem `unknown_note`."""
    return if_obligor_fails(_terms(session, parties, note_id, unpaid, due_day))


def if_taken(
    session: Session, parties: Parties, quote_hash: str, unpaid: Unpaid = all_of_it, due_day: DueDay = day_of
) -> FailureView:
    """The view of a note's holder as it would be after taking a price. Raises Problem `unknown_quote`."""
    offer = session.get(QuoteOffer, quote_hash)
    ask = session.get(FinancingAsk, offer.ask_id) if offer is not None else None
    if offer is None or ask is None:
        raise Problem("unknown_quote", quote=quote_hash[:12])
    signed = json.loads(offer.message)
    account, terms = int(signed["entrustedAccount"]), _terms(session, parties, ask.note_id, unpaid, due_day)
    part = SoldPart(
        offer.quote_hash,
        parties.name_of(session, offer.financier),
        ask.amount_minor,
        offer.net_minor,
        bool(signed["recourse"]),
        account,
        offer.net_minor if account else 0,
    )
    left = max(0, terms.held_minor - ask.amount_minor)
    return if_obligor_fails(replace(terms, held_minor=left, sold=(*terms.sold, part)))


def _terms(session: Session, parties: Parties, note_id: str, unpaid: Unpaid, due_day: DueDay) -> NoteTerms:
    note = queries.note(session, note_id)
    row = queries.receivable(session, note.receivable_id)
    own = session.get(Financing, note_id)
    children = [one.id for one in queries.notes_of_receivable(session, row.id) if one.parent_id == note_id]
    sold = session.exec(
        select(Financing).where(col(Financing.note_id).in_(children)).order_by(col(Financing.note_id))
    ).all()
    live = {one.note_id: queries.note(session, one.note_id) for one in sold}
    return NoteTerms(
        holder=parties.name_of(session, note.holder),
        obligor=parties.name_of(session, row.obligor),
        currency=row.currency,
        due_on=due_day(row.maturity),
        held_minor=note.amount_minor,
        sold=tuple(
            SoldPart(
                one.note_id,
                parties.name_of(session, one.financier),
                live[one.note_id].amount_minor,
                one.net_minor,
                one.recourse,
                one.entrusted_account,
                unpaid(session, one.entrusted_account, one.net_minor) if one.entrusted_account else 0,
            )
            for one in sold
            if live[one.note_id].state != NoteState.RETURNED and live[one.note_id].amount_minor
        ),
        bought_from=parties.name_of(session, own.seller) if own else None,
        bought_net_minor=own.net_minor if own else 0,
        bought_recourse=own.recourse if own else False,
    )


def steps_in(view: FailureView, language: str) -> Sequence[str]:
    """The path in sentences, the worst case last."""
    key = "zh-CN" if language.lower().startswith("zh") else "en"
    return [*(step.words[key] for step in view.steps), worst_in(view, language)]


def worst_in(view: FailureView, language: str) -> str:
    """The worst case in one sentence."""
    worst = format_money(view.worst_case_minor, view.currency)
    said = {"en": f"Worst case: you lose {worst}.", "zh-CN": f"最坏情况：您损失 {worst}。"}
    return said["zh-CN" if language.lower().startswith("zh") else "en"]


def _claim(terms: NoteTerms) -> Step:
    amount = format_money(terms.held_minor, terms.currency)
    return Step(
        "claim",
        terms.obligor,
        terms.holder,
        terms.held_minor,
        terms.due_on,
        {
            "en": f"From {terms.due_on} you have your own claim of {amount} on {terms.obligor}, with late interest; "
            "no one else pays in its place.",
            "zh-CN": f"自 {terms.due_on} 起，您对 {terms.obligor} 直接享有 {amount} 的债权及逾期利息；无他人代为付款。",
        },
    )


def _demand(terms: NoteTerms, payer: str, payee: str, amount_minor: int, on: date, kind: str) -> Step:
    amount = format_money(amount_minor, terms.currency)
    return Step(
        kind,
        payer,
        payee,
        amount_minor,
        on,
        {
            "en": f"From {on} {payee} may ask {payer} to buy back {amount} within {BUY_BACK_DAYS} days, with recourse; "
            "late interest until then comes on top.",
            "zh-CN": f"自 {on} 起，{payee} 可依追索权要求 {payer} 在 {BUY_BACK_DAYS} 日内回购 {amount}，"
            "并加计至回购日的逾期利息。",
        },
    )


def _locked(terms: NoteTerms, part: SoldPart) -> Step:
    net, unpaid = (format_money(one, terms.currency) for one in (part.net_minor, part.unpaid_minor))
    return Step(
        "locked",
        terms.holder,
        part.financier,
        part.unpaid_minor,
        terms.due_on,
        {
            "en": f"The {net} of {part.financier} go into entrusted account {part.account}, whatever becomes of "
            f"{terms.obligor}: its payees get them stage by stage, and what they did not get by the deadlines "
            f"(now {unpaid}) goes back to who paid it in, not to you.",
            "zh-CN": f"{part.financier} 的 {net} 进入受托支付账户 {part.account}，不受 {terms.obligor} 影响："
            f"按阶段付给收款方；到期未付部分（目前 {unpaid}）退回付款方，不归您。",
        },
    )


def _kept(terms: NoteTerms, part: SoldPart) -> Step:
    if part.account:
        return _not_yours(terms, part)
    net = format_money(part.net_minor, terms.currency)
    return Step(
        "keep",
        terms.obligor,
        part.financier,
        part.amount_minor,
        terms.due_on,
        {
            "en": f"You keep the {net} that {part.financier} pays you: sold without recourse, the loss is theirs.",
            "zh-CN": f"{part.financier} 付给您的 {net} 归您所有：无追索权，损失由其承担。",
        },
    )


def _not_yours(terms: NoteTerms, part: SoldPart) -> Step:
    amount = format_money(part.amount_minor, terms.currency)
    return Step(
        "keep",
        terms.obligor,
        part.financier,
        part.amount_minor,
        terms.due_on,
        {
            "en": f"Nobody asks you to buy back the {amount}: sold without recourse, the loss is {part.financier}'s.",
            "zh-CN": f"{amount} 为无追索转让，无人可要求您回购，损失由 {part.financier} 承担。",
        },
    )
