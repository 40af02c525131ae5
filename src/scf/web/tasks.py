"""Whose turn it is: everything that waits for the caller, each with one sentence and one way to do it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from sqlmodel import Session, col, or_, select

from scf.api import confirming, joining, reads
from scf.api.access import Caller
from scf.api.shapes import amount as amount_of
from scf.api.views import Json, Views, moment
from scf.app import App
from scf.financing.declining import declined_by
from scf.financing.models import FinancingAsk, QuoteOffer
from scf.financing.registry import registration_of
from scf.parties.models import Member
from scf.parties.service import Role
from scf.receivables import queries
from scf.receivables.invitations import Stage
from scf.receivables.models import Financing, NoteState, Payment, Receivable, ReceivableState
from scf.web.i18n import N_


@dataclass(frozen=True, slots=True)
class Task:
    """One thing to do: `what` is translated where it is shown, `amount` as answers show it, `path` is the way."""

    what: str
    about: str
    path: str
    amount: Json | None = None
    until: str | None = None
    facts: dict[str, Any] = field(default_factory=dict)


def act_path(act: str, **parameters: object) -> str:
    """Address of an act's page."""
    return f"/act/{act}?{urlencode(parameters)}"


def tasks_of(app: App, session: Session, caller: Caller) -> list[Task]:
    """What waits for this caller, offers first."""
    views = Views(app, session, caller)
    return [
        *_of_the_firm(views),
        *_offered(views),
        *_shares(views),
        *_invitations(views),
        *_applications(views),
        *_quotes(views),
        *_asks(views),
        *_financings(views),
        *_openings(views),
        *_payments(views),
        *_accounts(views),
        *_payout_account(views),
    ]


def _of_the_firm(views: Views) -> Iterator[Task]:
    """Invoices to confirm, and what somebody of the firm proposed that another has to check."""
    app, session, caller = views.app, views.session, views.caller
    obligor = app.parties.account_of(session, caller.organisation_id, Role.OBLIGOR)
    if obligor is not None and caller.has(Role.OBLIGOR):
        ready = [one for one in confirming.to_accept(app, session, obligor, limit=20_000) if not one.hindrance]
        if ready:
            code = ready[0].currency
            total = sum(one.amount_minor for one in ready if one.currency == code)
            yield Task(N_("Accept invoices"), f"{len(ready)}", "/to-accept", amount_of(total, code))
    firm = caller.organisation_id
    makers = [one.maker for one in app.approvals.of_firm(session, firm, waiting=True)]
    makers += [one.maker for one in app.changes.of_firm(session, firm, waiting=True)]
    count = sum(maker != caller.address for maker in makers)
    if count:
        yield Task(N_("Check what another person proposed"), f"{count}", "/to-approve")


def _payout_account(views: Views) -> Iterator[Task]:
    """A firm that holds or sold a note and never said where its money goes would wait for it in vain."""
    caller, session = views.caller, views.session
    if caller.has(Role.SUPPLIER) and is_unpayable(views) and reads.held_by(session, caller.addresses, limit=1):
        yield Task(N_("Say where your money goes"), "", "/payout-account")


def is_unpayable(views: Views) -> bool:
    """Whether no account of the caller's firm is known, so that nobody can pay it."""
    return views.app.payout_accounts.standing(views.session, views.caller.address).now is None


def _offered(views: Views) -> Iterator[Task]:
    for row in reads.offered_to(views.session, views.caller.addresses, limit=20):
        if row.offer_until <= views.app.clock.now():
            continue  # it ran out and goes back by itself
        shown = views.note(row.id)
        giver = (shown["giver"] or {}).get("name", "")
        yield Task(N_("Accept or refuse"), giver, f"/notes/{row.id}", shown["amount"], shown["offer_until"])


def _shares(views: Views) -> Iterator[Task]:
    for share in views.app.mass.open_shares(views.session, sorted(views.caller.addresses), limit=20):
        path = act_path("claim", note=share.mass_id)
        sum_ = amount_of(share.amount_minor, share.currency)
        yield Task(N_("Take your share"), views.name(share.giver), path, sum_, moment(share.until))


def _invitations(views: Views) -> Iterator[Task]:
    app, session = views.app, views.session
    for row in app.invitations.of(session, views.caller.addresses, limit=50):
        if app.invitations.stage(session, row) is Stage.JOINED:
            shown = joining.shape(app, session, row)
            if shown["ready"]:
                about = str(shown["firm"])
                yield Task(N_("Sign the pass to your invited firm"), about, f"/invitations/{row.id}", shown["amount"])


def _applications(views: Views) -> Iterator[Task]:
    if not views.caller.has(Role.OPERATOR):
        return
    for row in views.app.onboarding.all(views.session, state="waiting", limit=20):
        yield Task(N_("Enrol a firm"), views.name(row.address), f"/applications/{row.id}", until=moment(row.decide_by))


def _quotes(views: Views) -> Iterator[Task]:
    query = select(FinancingAsk).where(col(FinancingAsk.asker).in_(views.caller.addresses))
    for ask in views.session.exec(query.order_by(col(FinancingAsk.asked_at).desc())):
        offers = views.app.financing.quotes(views.session, ask.id)
        if offers and not _taken(views, ask):
            shown = views.note(ask.note_id)
            yield Task(N_("Firm prices came in"), f"{len(offers)}", f"/asks/{ask.id}", shown["amount"])


def _asks(views: Views) -> Iterator[Task]:
    if not views.caller.has(Role.FINANCIER):
        return
    no = declined_by(views.session, views.caller.addresses)
    for ask in views.app.financing.asks_for(views.session, views.caller.address):
        if ask.id in no or _taken(views, ask) or _quoted(views, ask):
            continue
        shown = views.note(ask.note_id)
        amount = {**shown["amount"], "minor": str(ask.amount_minor)} if shown["amount"] else None
        holder = (shown["holder"] or {}).get("name", "")
        yield Task(N_("Quote a price"), holder, f"/asks/{ask.id}", amount, shown["maturity"])


def _financings(views: Views) -> Iterator[Task]:
    mine = views.caller.addresses
    query = select(Financing).where(
        col(Financing.completed_at).is_(None),
        or_(col(Financing.financier).in_(mine), col(Financing.paying_bank).in_(mine)),
    )
    for row in views.session.exec(query):
        note = queries.note(views.session, row.note_id)
        if note.state != NoteState.LOCKED:
            continue
        shown = views.note(row.note_id)
        amount = {**shown["amount"], "minor": str(row.net_minor)}
        if row.paying_bank in mine:
            path = act_path("complete_financing", note=row.note_id)
            yield Task(N_("Pay out and confirm"), views.name(row.seller), path, amount, shown["offer_until"])
        elif registration_of(views.session, row.note_id) is None:
            path = act_path("register", note=row.note_id)
            yield Task(N_("Register the claim"), views.name(row.seller), path, amount, shown["offer_until"])


def openings_of(app: App, session: Session, caller: Caller) -> list[dict[str, Any]]:
    """Proposed accounts of the caller's firm (all for overseers) that are still to be signed, with whose turn it is."""
    return [
        {
            "row": row,
            "payer": app.parties.name_of(session, row.payer),
            "beneficiary": app.parties.name_of(session, row.beneficiary),
            "amount": amount_of(row.amount_minor, row.currency),
            "turn": app.openings.turn(session, row),
            "missing": app.openings.missing(session, row),
        }
        for row in app.openings.of(session, None if caller.sees_all else caller.addresses)
        if row.state == "waiting" and not app.openings.is_expired(row)
    ]


def _openings(views: Views) -> Iterator[Task]:
    """Locked accounts the other side signed and this firm has to read."""
    for one in openings_of(views.app, views.session, views.caller):
        if views.caller.addresses & set(one["missing"]):
            row = one["row"]
            about = f"{one['payer']} → {one['beneficiary']}"
            path = f"/entrusted/openings/{row.id}"
            yield Task(N_("Agree to a locked account"), about, path, one["amount"], moment(row.valid_until))


def _payments(views: Views) -> Iterator[Task]:
    """For a paying bank: what its obligors have to pay by now, and payments that have not reached every holder."""
    session, mine = views.session, views.caller.addresses
    if not views.caller.has(Role.BANK):
        return
    due = (
        select(Receivable)
        .join(Member, col(Member.address) == col(Receivable.obligor))
        .where(col(Member.paying_bank).in_(mine), Receivable.state == ReceivableState.LIVE)
        .where(Receivable.outstanding_minor > 0, Receivable.maturity <= views.app.clock.now())
        .order_by(col(Receivable.maturity), col(Receivable.id))
        .limit(20)
    )
    for row in session.exec(due):
        owed, until = amount_of(row.outstanding_minor, row.currency), moment(row.maturity)
        yield Task(
            N_("Attest the payment"), views.name(row.obligor), act_path("payment", receivable=row.id), owed, until
        )
    latest = select(Payment).where(col(Payment.bank).in_(mine)).order_by(col(Payment.paid_at).desc()).limit(20)
    for number in dict.fromkeys(one.receivable_id for one in session.exec(latest) if unpaid(session, one)):
        payer = views.name(queries.receivable(session, number).obligor)
        yield Task(N_("Pay the holders out"), f"{payer} · {number}", act_path("settle", receivable=number))


def unpaid(session: Session, payment: Payment) -> bool:
    """Whether a holder still waits for its part of a payment; a frozen note waits for its order."""
    return any(not note.frozen for note in queries.unsettled_notes(session, payment))


def _accounts(views: Views) -> Iterator[Task]:
    mine = views.caller.addresses
    for row in reads.accounts_related(views.session, mine, limit=200):
        shown = views.account(row.id)
        about = f"{shown['beneficiary']['name']} · {row.id}"
        path = f"/entrusted/{row.id}"
        if row.locked_at is None:
            if row.bank in mine:
                yield Task(N_("Confirm that the money is locked"), about, path, shown["amount"])
            continue
        for stage in shown["stages"]:
            found = stage_act(shown, stage, mine)
            if found:
                yield Task(found[0], f"{about} · {stage['stage'] + 1}", path, stage["amount"], stage["deadline"])


def stage_act(account: Json, stage: Json, mine: frozenset[str]) -> tuple[str, str] | None:
    """What a caller has to do at a stage now, in words and as the act's name; None when it is others' turn."""
    came_back = any(one["stage"] == stage["stage"] for one in account["came_back"])
    if (stage["finished"] and not came_back) or not account["locked_at"]:
        return None
    if account["bank"]["address"] in mine:
        if came_back:
            return N_("Confirm that a payment came back"), "confirm_returned"
        if int(stage["releasable"]["minor"]):
            return N_("Execute the release"), "confirm_released"
        return (N_("Pay the rest back"), "confirm_refunded") if int(stage["refundable"]["minor"]) else None
    if int(stage["refundable"]["minor"]):
        return None
    attested = {item["address"] for item in stage["attested_by"]}
    approved = {item["address"] for item in stage["approved_by"]}
    if any(who["address"] in mine - attested for who in account["attestors"]):
        return N_("Vouch for evidence"), "attest"
    if len(attested) >= 2 and any(who["address"] in mine - approved for who in account["approvers"]):
        return N_("Approve the release"), "approve"
    return None


def _taken(views: Views, ask: FinancingAsk) -> bool:
    hashes = select(QuoteOffer.quote_hash).where(QuoteOffer.ask_id == ask.id)
    return (
        views.session.exec(select(Financing.note_id).where(col(Financing.quote_hash).in_(hashes))).first() is not None
    )


def _quoted(views: Views, ask: FinancingAsk) -> bool:
    query = select(QuoteOffer.quote_hash).where(
        QuoteOffer.ask_id == ask.id, col(QuoteOffer.financier).in_(views.caller.addresses)
    )
    return views.session.exec(query).first() is not None
