"""Acts on receivables and notes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pydantic import BaseModel
from sqlmodel import Session

from scf.api import shapes
from scf.api.access import Caller
from scf.api.act_kinds import MONEY_EXAMPLE, NOTE_EXAMPLE, Message, PlainAct, Ready, Signatures, SignedAct, by_field
from scf.api.views import Views
from scf.app import App
from scf.kernel.clock import today
from scf.kernel.money import currency as currency_of
from scf.kernel.problems import Problem
from scf.receivables import queries as receivable_queries
from scf.receivables.acts import ACTS as RECEIVABLE_ACTS
from scf.receivables.books import hex32
from scf.receivables.mass import MassRequest
from scf.receivables.service import IssueRequest, PassRequest
from scf.store import evidence


def file_trade(app: App, session: Session, body: shapes.Trade, currency: str) -> str:
    """File the documents of a trade and return their commitment. Raises Problem `evidence_unknown`."""
    for evidence_id in body.evidence:
        if not evidence.records_of(session, evidence_id):
            raise Problem("evidence_unknown", evidence=evidence_id[:64])
    invoice_minor = body.invoice_amount.read_in(currency) if body.invoice_amount else None
    dossier = app.receivables.file(session, body.evidence, invoice_minor=invoice_minor, **body.terms())
    return dossier.document


def _issue(app: App, caller: Caller, body: shapes.IssueBody) -> Ready:
    code = currency_of(body.amount.currency).code
    with app.desk.session() as session:
        seller = body.invoice_seller or app.parties.name_of(session, body.creditor)
        document = file_trade(app, session, body, code)
    fingerprint = app.receivables.fingerprint(
        seller, body.invoice_number or body.evidence[0], body.invoice_issued_on or today(app.clock)
    )
    return Ready(
        app.receivables.prepare_issue(
            IssueRequest(
                obligor=body.obligor,
                creditor=body.creditor,
                face_minor=body.amount.read(),
                currency=code,
                maturity=body.maturity,
                document=document,
                fingerprint=fingerprint,
                max_tier=body.max_tier,
                min_minor=body.min_amount.read_in(code) if body.min_amount else 1,
            )
        )
    )


def _pass(app: App, caller: Caller, body: shapes.PassBody) -> Ready:
    note_id = body.note.lower()
    with app.desk.session() as session:
        note = receivable_queries.note(session, note_id)
        code = receivable_queries.receivable(session, note.receivable_id).currency
        document = file_trade(app, session, body, code)
    return Ready(app.receivables.prepare_pass(PassRequest(note_id, body.to, body.amount.read_in(code), document)))


def _mass_pass(app: App, caller: Caller, body: shapes.MassPassBody) -> Ready:
    note_id = body.note.lower()
    with app.reading() as session:
        for evidence_id in body.evidence:
            if not evidence.records_of(session, evidence_id):
                raise Problem("evidence_unknown", evidence=evidence_id[:64])
        note = receivable_queries.note(session, note_id)
        code = receivable_queries.receivable(session, note.receivable_id).currency
    trade = body.terms()
    if body.invoice_amount:
        trade["invoice_minor"] = body.invoice_amount.read_in(code)
    return Ready(app.mass.prepare_pass(MassRequest(note_id, body.list.encode(), body.evidence, caller.name, trade)))


def _claim(app: App, caller: Caller, body: shapes.ClaimBody) -> Ready:
    """The share of the address named, or of the caller's firm where it named none."""
    note_id = body.note.lower()
    to = body.to or caller.address
    if body.to is None:
        with app.reading() as session:
            mine = app.mass.open_shares(session, sorted(caller.addresses), limit=1_000)
        to = next((share.recipient for share in mine if share.mass_id == note_id), to)
    return Ready(app.mass.prepare_claim(note_id, to))


def _reclaim(app: App, caller: Caller, body: shapes.NoteBody) -> Mapping[str, Any]:
    note_id = body.note.lower()
    with app.reading() as session:
        app.mass.require_seen(session, note_id, None if caller.sees_all else caller.addresses)
    done = app.mass.reclaim(note_id, key=f"reclaim:{note_id}", caller="scf")
    return {**done, "returned": shapes.amount(done["returned_minor"], str(done["currency"]))}


def _payment(app: App, caller: Caller, body: shapes.PaymentBody) -> Ready:
    with app.reading() as session:
        code = receivable_queries.receivable(session, body.receivable).currency
    interest = body.interest.read_in(code) if body.interest else 0
    principal = body.principal.read_in(code)
    return Ready(
        app.receivables.prepare_payment(body.receivable, principal, body.bank_reference, interest_minor=interest)
    )


def _by_holder(field_name: str) -> Callable[[App, Session, Message], Sequence[str]]:
    def signers(app: App, session: Session, message: Message) -> Sequence[str]:
        return (receivable_queries.note(session, hex32(int(message[field_name]))).holder,)

    return signers


def _by_giver(app: App, session: Session, message: Message) -> Sequence[str]:
    return (receivable_queries.note(session, hex32(int(message["noteId"]))).giver,)


def _by_paying_bank(app: App, session: Session, message: Message) -> Sequence[str]:
    row = receivable_queries.receivable(session, int(message["receivableId"]))
    return (app.parties.member(session, row.obligor).paying_bank or "",)


def _to_receivables(name: str) -> Callable[..., Mapping[str, Any]]:
    def send(
        app: App, message: Message, signatures: Signatures, context: Message, key: str, caller: str
    ) -> Mapping[str, Any]:
        return app.receivables.submit(name, message, signatures[0], key=key, caller=caller)

    return send


def _receivable_act(
    name: str,
    title: str,
    body: type[BaseModel],
    prepare_: Callable[[App, Caller, Any], Ready],
    signers: Callable[[App, Session, Message], Sequence[str]],
    example: Mapping[str, Any],
) -> SignedAct:
    kind = RECEIVABLE_ACTS[name]
    return SignedAct(
        name, title, kind.contract, kind.primary_type, body, prepare_, signers, _to_receivables(name), example
    )


def _lapse(app: App, caller: Caller, body: shapes.NothingBody) -> Mapping[str, Any]:
    done = app.receivables.lapse_due()
    return {"returned": len(done), "transactions": [item.transaction_hash for item in done]}


def _settle(app: App, caller: Caller, body: shapes.ReceivableBody) -> Mapping[str, Any]:
    with app.reading() as session:
        Views(app, session, caller).receivable_row(body.receivable)
    done = app.receivables.settle(body.receivable)
    return {
        "receivable": body.receivable,
        "settled": sum(event.name == "Settled" for item in done for event in item.events),
        "transactions": [item.transaction_hash for item in done],
    }


_TRADE = {
    "evidence": [shapes.DIGEST],
    "invoice_number": "INV-2026-0117",
    "invoice_issued_on": "2026-01-12",
    "invoice_amount": {"text": "1,000,000.00", "currency": "CNY"},
    "order_reference": "PO-7781",
    "delivered_on": "2026-01-10",
}
_STAGE = {"account": 1, "stage": 0}
SIGNED = (
    _receivable_act(
        "issue",
        "Issue a receivable",
        shapes.IssueBody,
        _issue,
        by_field("obligor"),
        {
            "obligor": shapes.ADDRESS,
            "creditor": shapes.ADDRESS,
            "amount": {"text": "1,000,000.00", "currency": "CNY"},
            "maturity": "2026-06-30",
            **_TRADE,
        },
    ),
    _receivable_act(
        "accept",
        "Accept an offered note",
        shapes.NoteBody,
        lambda app, caller, body: Ready(app.receivables.prepare_accept(body.note.lower())),
        _by_holder("noteId"),
        NOTE_EXAMPLE,
    ),
    _receivable_act(
        "pass",
        "Pass a part of a note on",
        shapes.PassBody,
        _pass,
        _by_holder("parentId"),
        {**NOTE_EXAMPLE, "to": shapes.ADDRESS, "amount": MONEY_EXAMPLE, **_TRADE},
    ),
    _receivable_act(
        "mass_pass",
        "Pass parts of a note to everybody on a list",
        shapes.MassPassBody,
        _mass_pass,
        _by_holder("parentId"),
        {**NOTE_EXAMPLE, "list": f"recipient,amount\n{shapes.ADDRESS},120.00\n", **_TRADE},
    ),
    _receivable_act(
        "claim",
        "Take one's share of a mass pass",
        shapes.ClaimBody,
        _claim,
        by_field("to"),
        NOTE_EXAMPLE,
    ),
    _receivable_act(
        "refuse",
        "Refuse an offered note",
        shapes.RefuseBody,
        lambda app, caller, body: Ready(app.receivables.prepare_refuse(body.note.lower(), body.reason)),
        _by_holder("noteId"),
        {**NOTE_EXAMPLE, "reason": "Not our invoice"},
    ),
    _receivable_act(
        "withdraw",
        "Take back an offer nobody accepted",
        shapes.NoteBody,
        lambda app, caller, body: Ready(app.receivables.prepare_withdraw(body.note.lower())),
        _by_giver,
        NOTE_EXAMPLE,
    ),
    _receivable_act(
        "payment",
        "Attest a payment of the obligor (paying bank)",
        shapes.PaymentBody,
        _payment,
        _by_paying_bank,
        {"receivable": 1, "principal": MONEY_EXAMPLE, "bank_reference": "STMT-99/4"},
    ),
)
PLAIN = (
    PlainAct("lapse", "Return offers and locks whose deadline has passed", shapes.NothingBody, _lapse, {}),
    PlainAct("reclaim", "Take back what nobody took of a mass pass", shapes.NoteBody, _reclaim, NOTE_EXAMPLE),
    PlainAct("settle", "Settle recorded payments to all holders", shapes.ReceivableBody, _settle, {"receivable": 1}),
)
