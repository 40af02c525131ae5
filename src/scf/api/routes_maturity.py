"""Routes of maturity: money that came in, what is overdue and what follows, failed payments, refused bank files."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import Field

from scf.api import collecting, office
from scf.api.access import Caller
from scf.api.act_kinds import Ready
from scf.api.doors import Fresh, Key, Scf, Who
from scf.api.messages import read_message, read_signatures
from scf.api.paging import DEFAULT_LIMIT, Limit
from scf.api.policy import require_signer
from scf.api.shapes import DIGEST, Shape, amount
from scf.api.views import Views, moment
from scf.app import App
from scf.bank import service as bank
from scf.financing.payouts import give_back, pay_holders
from scf.installation import OPERATOR_NAMES
from scf.kernel.clock import today
from scf.kernel.problems import Problem
from scf.ledger.intents import quorum_digest
from scf.parties.keys import demo_key
from scf.parties.models import Member
from scf.parties.service import Role
from scf.receivables import queries

router = APIRouter(tags=["maturity"])
_MONEY = {"minor": "100000000", "currency": "CNY", "text": "1000000.00"}
_LINE = {"line": 17, "receivable": 1, "finding": "full", "state": "prepared", "open": False, "amount": _MONEY,
         "turn": {"en": "The paying bank signs what this line proves; …", "zh-CN": "由付款银行签署……"},
         "proof": f"/proof/evidence/{DIGEST}"}  # fmt: skip
_PAYMENT = {"payment": "ST1R0A1B2C3D4E5F6", "state": "returned", "failed": True, "amount": _MONEY,
            "reason_code": "AC04", "proof": f"/proof/evidence/{DIGEST}"}  # fmt: skip


class AssignBody(Shape):
    """Which receivable an unexplained credit pays."""

    receivable: int = Field(ge=0)


class WriteOffBody(Shape):
    """Why a holder gives up what an overdue note carries."""

    reason: str = Field(min_length=1, max_length=500)


class CureBody(Shape):
    """Let an obligor issue again, on evidence that nothing is overdue."""

    obligor: str = Field(pattern=r"^0x[0-9a-fA-F]{40}$")
    evidence: str = Field(pattern=r"^[0-9a-f]{64}$")


class CureSigned(Shape):
    """The message as prepared with two operators' signatures; demo keys sign where `demo` is true."""

    message: dict[str, Any]
    signatures: list[str] = Field(default_factory=list, max_length=10)
    demo: bool = False


def _list(example: Any) -> dict[int | str, dict[str, Any]]:
    return {200: {"content": {"application/json": {"example": {"items": [example], "next": None}}}}}


# Money in -------------------------------------------------------------------------------------------------------------


@router.get("/collections", responses=_list(_LINE))
def collections(
    app: Scf,
    caller: Who,
    exceptions: Annotated[bool, Query(description="Only what a person has to decide")] = False,
    limit: Limit = DEFAULT_LIMIT,
) -> dict[str, Any]:
    """What came in on repayment accounts: which receivable it pays, how it divides, whose turn it is.

    For the paying bank of the obligor, the obligor itself, who owns the account, and overseers.
    """
    with app.reading() as session:
        items = collecting.lines(app, session, caller, only_open=exceptions, limit=limit)
        return {"items": items, "next": None}


@router.post("/collections/{line_id}/prepare")
def prepare_line(app: Scf, caller: Who, line_id: int) -> dict[str, Any]:
    """What the paying bank signs for a line; signed, it goes to `POST /acts/payment` as any payment."""
    with app.reading() as session:
        row = collecting.line_for(app, session, caller, line_id)
        if row.receivable_id is not None:
            obligor = session.get(Member, queries.receivable(session, row.receivable_id).obligor)
            require_signer(caller, "payment", [obligor.paying_bank or ""] if obligor else [])
    return office.show_prepared(app, Ready(app.maturity.prepare_attestation(line_id)))


@router.post("/collections/{line_id}/assign")
def assign(app: Scf, caller: Who, line_id: int, body: AssignBody, key: Key = None) -> dict[str, Any]:
    """Say which receivable an unexplained credit pays (paying bank, operators); the paying bank signs it afterwards."""

    def work(plan: object) -> dict[str, Any]:
        with app.desk.session() as session:
            collecting.line_for(app, session, caller, line_id, to_act=True)
            row = app.maturity.assign(session, line_id, body.receivable)
            return {"line": row.line_id, "receivable": row.receivable_id, "finding": row.finding, "state": row.state}

    return office.carry_out(app, caller, office.check_key(key), {"assign": line_id, **body.model_dump()}, work)


@router.post("/collections/{line_id}/give-back")
def send_back(
    app: Scf,
    caller: Who,
    line_id: int,
    bic: Annotated[str | None, Query(pattern=r"^[A-Z]{6}[A-Z0-9]{2}(?:[A-Z0-9]{3})?$")] = None,
    key: Key = None,
) -> dict[str, Any]:
    """Order what a line brought too much, or a credit nobody can explain, back to the account it came from; once.

    `bic` names the bank of that account where it is not known here.
    """

    def work(plan: object) -> dict[str, Any]:
        with app.desk.session() as session:
            collecting.line_for(app, session, caller, line_id, to_act=True)
            return collecting.shown_payment(session, give_back(session, line_id, app.clock, agent=bic), False)

    return office.carry_out(app, caller, office.check_key(key), {"give_back": line_id, "bic": bic}, work)


# At maturity ----------------------------------------------------------------------------------------------------------


@router.get("/overdue")
def overdue(app: Scf, caller: Who) -> dict[str, Any]:
    """Receivables past their day that concern the caller, what is owed today, and obligors that may not issue now."""
    items: list[dict[str, Any]] = []
    known = set(caller.addresses)
    with app.reading() as session:
        views = Views(app, session, caller)
        for row in app.maturity.overdue(session):
            try:
                _, _, sight = views.receivable_row(row.id)
            except Problem:
                continue
            words = app.maturity.overdue_words(session, row) if sight.name in ("SUM", "ALL") else None
            due_on = app.maturity.due_day(row.maturity).isoformat()
            known.add(row.obligor)
            items.append({"receivable": row.id, "obligor": views.who(row.obligor), "due_on": due_on, "words": words})
        halted = [
            views.who(one.address) for one in app.maturity.halted(session) if caller.sees_all or one.address in known
        ]
        return {"items": items, "halted": halted, "next": None}


@router.get("/receivables/{receivable_id}/maturity")
def at_maturity(app: Scf, caller: Who, receivable_id: int) -> dict[str, Any]:
    """A receivable at its end: owed today, paid, settled, paid out, demanded back, given up. As the caller sees it."""
    with app.reading() as session:
        return collecting.at_maturity(app, session, caller, receivable_id)


@router.get("/receivables/{receivable_id}/ranks")
def ranks(
    app: Scf, caller: Who, receivable_id: int, available: Annotated[str, Query(pattern=r"^\d{1,18}$")]
) -> dict[str, Any]:
    """How an amount (`available`, minor units) divides over competing claims (Civil Code, Art. 768); who sees all."""
    with app.reading() as session:
        views = Views(app, session, caller)
        row, _, sight = views.receivable_row(receivable_id)
        if sight.name != "ALL":
            raise Problem("unknown_receivable", receivable=receivable_id)
        shares = app.maturity.recourse.priority(session, receivable_id, int(available))
        return {"items": [{"claim": one, "amount": amount(minor, row.currency)} for one, minor in shares.items()]}


@router.get("/notes/{note_id}/waterfall")
def waterfall(
    app: Scf,
    caller: Who,
    note_id: str,
    cost: Annotated[str, Query(pattern=r"^\d{1,18}$", description="Cost of enforcement, minor units")] = "0",
    extra: Annotated[str, Query(pattern=r"^\d{1,18}$", description="Money from a buy-back, minor units")] = "0",
) -> dict[str, Any]:
    """What a financed note brought: cost, penalty, fees, interest, principal, residual and whose it is."""
    with app.reading() as session:
        return collecting.waterfall(app, session, caller, note_id, int(cost), int(extra))


@router.post("/receivables/{receivable_id}/pay-holders")
def pay_out(app: Scf, caller: Who, receivable_id: int, key: Key = None) -> dict[str, Any]:
    """Order each holder's part of what was settled to its account (paying bank, operators); never twice."""

    def work(plan: object) -> dict[str, Any]:
        with app.desk.session() as session:
            row, _, _ = Views(app, session, caller).receivable_row(receivable_id)
            if not caller.has(Role.OPERATOR) and not collecting.is_paying_bank(app, session, caller, row):
                raise Problem("not_your_act", act="pay-holders", caller=caller.name)
            found = pay_holders(session, app.parties, receivable_id, app.clock)
            items = [
                {"payment": one.name, "payee": one.payee, "amount": amount(one.amount_minor, row.currency),
                 "state": one.state}
                for one in found
            ]  # fmt: skip
            return {"items": items, "without_account": sum(one.account is None for one in found)}

    return office.carry_out(app, caller, office.check_key(key), {"pay_holders": receivable_id}, work)


@router.post("/notes/{note_id}/write-off")
def write_off(app: Scf, caller: Who, note_id: str, body: WriteOffBody, key: Key = None) -> dict[str, Any]:
    """Give up an overdue note for one's own accounts; the claim on the ledger stays. Its holder alone."""

    def work(plan: object) -> dict[str, Any]:
        with app.desk.session() as session:
            row, item = Views(app, session, caller).note_sight(note_id.lower())
            if item.note.holder not in caller.addresses:
                raise Problem("not_the_holder", who=caller.name)
            kept = app.maturity.recourse.write_off(session, item.note.id, item.note.holder, body.reason)
            return {"note": kept.note_id, "amount": amount(kept.amount_minor, row.currency),
                    "proof": f"/proof/evidence/{kept.evidence_id}"}  # fmt: skip

    return office.carry_out(app, caller, office.check_key(key), {"write_off": note_id, **body.model_dump()}, work)


@router.post("/cures/prepare")
def prepare_cure(app: Scf, caller: Who, body: CureBody) -> dict[str, Any]:
    """What two operators sign so that an obligor may issue again; refused while anything of it is overdue."""
    caller.require(Role.OPERATOR)
    return office.show_prepared(app, Ready(app.maturity.prepare_cure(body.obligor, body.evidence)))


@router.post("/cures")
def cure(app: Scf, caller: Fresh, body: CureSigned, key: Key = None) -> dict[str, Any]:
    """End a halt with two operators' signatures, once."""
    caller.require(Role.OPERATOR)
    checked = office.check_key(key)
    message = read_message("Members", "Cure", body.message)
    signatures = [one for group in read_signatures([body.signatures], "cure", 1) for one in group] if (
        body.signatures
    ) else []  # fmt: skip
    if body.demo and app.settings.demo:
        signatures = _demo_signatures(app, str(message["obligor"]), str(message["evidence"]))
    if len(signatures) < 2:
        raise Problem("one_signature_missing", given=len(signatures))
    return dict(app.maturity.cure(message, signatures, key=f"in:{checked}", caller=caller.key))


# Payments and files ---------------------------------------------------------------------------------------------------


@router.get("/payments", responses=_list(_PAYMENT))
def payments(
    app: Scf,
    caller: Who,
    failed: Annotated[bool, Query(description="Only what a bank refused or brought back and nobody mended")] = False,
    limit: Limit = DEFAULT_LIMIT,
) -> dict[str, Any]:
    """Payments ordered from the caller's accounts (all for overseers): what the bank says of each, and its proof."""
    with app.reading() as session:
        return {"items": collecting.payments(app, session, caller, failed=failed, limit=limit), "next": None}


@router.post("/payments/{end_to_end_id}/again")
def pay_again(app: Scf, caller: Who, end_to_end_id: str, key: Key = None) -> dict[str, Any]:
    """Make a refused or returned payment anew, same payee and amount, under a name of its own (payer, operators)."""

    def work(plan: object) -> dict[str, Any]:
        with app.desk.session() as session:
            row = collecting.payment_for(session, caller, end_to_end_id)
            if row.state not in bank.FAILED:
                raise Problem("payment_not_failed", reference=row.end_to_end_id, state=row.state)
            made = bank.pay_again(session, row.end_to_end_id, execute_on=today(app.clock), now=app.clock.now())
            return collecting.shown_payment(session, made, False)

    return office.carry_out(app, caller, office.check_key(key), {"pay_again": end_to_end_id}, work)


@router.get("/bank-files")
def bank_files(app: Scf, caller: Who) -> dict[str, Any]:
    """Files of banks that could not be taken in, with the reason (overseers)."""
    _require_overseer(caller)
    with app.reading() as session:
        items = [
            {
                "evidence": row.evidence_id,
                "bank": row.bank,
                "name": row.name,
                "kind": row.kind,
                "received_at": moment(row.received_at),
                "problem": row.problem,
                "proof": f"/proof/evidence/{row.evidence_id}",
            }
            for row in bank.refused_files(session)
        ]
        return {"items": items, "next": None}


@router.post("/bank-files/{evidence_id}/again")
def take_again(app: Scf, caller: Who, evidence_id: str, bic: Annotated[str, Query(max_length=11)]) -> dict[str, Any]:
    """Try a refused file once more, after what stood in its way was put right (operators)."""
    caller.require(Role.OPERATOR)
    with app.desk.session() as session:
        row = app.documents.take_bank_file_again(session, evidence_id, bic)
        return {"evidence": row.evidence_id, "problem": row.problem, "new_lines": row.new_lines}


def _require_overseer(caller: Caller) -> None:
    if not caller.sees_all:
        raise Problem("role_needed", role="operator", caller=caller.name)


def _demo_signatures(app: App, obligor: str, evidence_id: str) -> list[bytes]:
    prepared = app.maturity.prepare_cure(obligor, evidence_id.removeprefix("0x"))
    return quorum_digest([demo_key(name).private for name in OPERATOR_NAMES[:2]], prepared.digest)
