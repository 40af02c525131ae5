"""What a core enterprise has to accept: suppliers' invoices it has not confirmed yet, each with what matches it.

Accepting an invoice is issuing a receivable for it. A maker proposes, one invoice or a file of them, all or none; a
checker compares what was proposed with the papers as they stand by then, and sends it or sends it back.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

import sqlalchemy as sa
from sqlmodel import Session, col, select

from scf.app import App
from scf.desk.service import Prepared
from scf.kernel.clock import today
from scf.kernel.dates import day_of
from scf.kernel.money import format_money, parse_minor
from scf.kernel.problems import Problem
from scf.parties.approvals import PendingAct
from scf.parties.models import Organisation
from scf.parties.service import Role
from scf.receivables import queries
from scf.receivables.models import Receivable, ReceivableState
from scf.receivables.service import IssueRequest
from scf.reconciliation.facts import Kind, date_of, from_json, normalise, normalise_party
from scf.reconciliation.models import (
    Allocation,
    CaseRow,
    ExceptionRow,
    FactRow,
    FactWithdrawn,
    InvoiceRow,
)
from scf.rulebook.service import Judgement
from scf.standards import csvlist

MOST_AT_ONCE = 100
_MAX_BYTES = 1_000_000
_COLUMNS = {
    "invoice": ("invoice", "发票号"),
    "amount": ("amount", "金额"),
    "supplier": ("supplier", "供应商"),
}
_BACKING = (Kind.ORDER, Kind.DESPATCH, Kind.DELIVERY, Kind.INSPECTION)


@dataclass(frozen=True, slots=True)
class ToAccept:
    """One supplier's invoice as the buyer's books and the documents on file see it. Amounts in minor units.

    `amount_minor` is what may be accepted: what the invoice asks for less what credit notes and payments took off.
    `ordered`, `delivered` are None where no document says so: unknown, never a pass.
    """

    id: str
    number: str
    order: str | None
    supplier: str | None
    supplier_name: str
    invoiced_minor: int
    amount_minor: int
    currency: str
    issued_on: date
    due_on: date | None
    delivered_on: date | None
    ordered: bool | None
    delivered: bool | None
    exceptions: int
    fingerprint: str
    evidence_ids: tuple[str, ...]
    hindrance: str | None
    """Why it can't be accepted here, as a code; None when it can."""

    @property
    def since(self) -> date:
        """From when the supplier waits: its invoice came, and the goods."""
        return max(self.issued_on, self.delivered_on or self.issued_on)

    def days(self, on: date) -> int:
        """How many days the supplier has waited."""
        return max(0, (on - self.since).days)


@dataclass(frozen=True, slots=True)
class Checked:
    """A proposed act beside the papers as they stand now. `paper` is None when the invoice is not on file any more."""

    act: PendingAct
    paper: ToAccept | None
    face_minor: int
    maturity: date | None
    creditor: str
    notes: int = 0

    @property
    def difference_minor(self) -> int | None:
        """Proposed amount less what may be accepted; None where there is no invoice to compare with."""
        return None if self.paper is None else self.face_minor - self.paper.amount_minor


def to_accept(app: App, session: Session, obligor: str, *, limit: int = 500) -> list[ToAccept]:
    """Invoices to this obligor without a receivable and without a proposal under way, longest waiting first."""
    taken = _issued(session, obligor) | _proposed(app, session, obligor)
    found = [item for item in _papers(app, session, obligor) if item.fingerprint not in taken]
    return sorted(found, key=lambda item: (item.since, item.number))[:limit]


def days_to_confirm(app: App, item: ToAccept) -> int | None:
    """Days the law gives for confirming a debt its supplier waits for; None where the ruleset has no such rule."""
    findings = _judge_confirm(app, item).findings
    latest = [one.facts["latest"] for one in findings if isinstance(one.facts.get("latest"), date)]
    return (min(latest) - item.since).days if latest else None


def _judge_confirm(app: App, item: ToAccept, confirmed_on: date | None = None) -> Judgement:
    asked = {"confirmation_requested_on": item.since, "confirmed_on": confirmed_on}
    return app.decisions.judge("confirm", asked)


def papers_by_fingerprint(app: App, session: Session, obligor: str) -> dict[str, ToAccept]:
    """Every invoice to this obligor by its fingerprint."""
    return {item.fingerprint: item for item in _papers(app, session, obligor)}


def checked(app: App, session: Session, acts: Sequence[PendingAct], obligor: str) -> list[Checked]:
    """Proposed acts with what a checker has to compare them with."""
    papers = papers_by_fingerprint(app, session, obligor)
    rows = []
    for act in acts:
        message = json.loads(act.message)
        notes = len(message.get("noteIds", ()))
        paper = papers.get(str(message.get("fingerprint", "")).lower())
        maturity = day_of(int(message["maturity"])) if "maturity" in message else None
        creditor = app.parties.name_of(session, str(message["creditor"])) if "creditor" in message else ""
        rows.append(Checked(act, paper, act.amount_minor, maturity, creditor, notes))
    return rows


def read_file(raw: bytes) -> list[tuple[int, str, str, str]]:
    """Rows of a CSV with the columns `invoice`, `amount` and, where two suppliers use one number, `supplier`.

    Returns (line, invoice, amount, supplier). Raises Problem `batch_unreadable` or `batch_row_refused`.
    """
    rows = []
    found = csvlist.read_list(
        raw,
        _COLUMNS,
        optional=("supplier",),
        most_bytes=_MAX_BYTES,
        most_rows=MOST_AT_ONCE,
        code="batch_unreadable",
    )
    for line, cells in found:
        number = cells["invoice"].removeprefix("'")
        if not number:
            raise Problem("batch_row_refused", line=line, reason="invoice / 发票号")
        rows.append((line, number, cells["amount"], cells["supplier"]))
    return rows


def chosen_from_file(waiting: Sequence[ToAccept], raw: bytes) -> list[ToAccept]:
    """The waiting invoices a file names, every row checked. Raises Problem `batch_row_refused` with the line."""
    by_number: dict[str, list[ToAccept]] = {}
    for item in waiting:
        by_number.setdefault(normalise(item.number) or "", []).append(item)
    chosen: dict[str, ToAccept] = {}
    for line, number, amount, supplier in read_file(raw):
        found = by_number.get(normalise(number) or "", [])
        if supplier:
            wanted = normalise_party(supplier) or ""
            found = [item for item in found if wanted in (normalise_party(item.supplier_name) or "")]
        if len(found) != 1:
            said = "not waiting / 不在待确认之列" if not found else "two suppliers / 两家供应商同号"
            raise Problem("batch_row_refused", line=line, reason=f"{number[:40]}: {said}")
        item = found[0]
        if item.id in chosen:
            raise Problem("batch_row_refused", line=line, reason="twice / 重复")
        if parse_minor(amount, item.currency) != item.amount_minor:
            shown = format_money(item.amount_minor, item.currency)
            raise Problem("batch_row_refused", line=line, reason=f"amount / 金额 {shown}")
        if item.hindrance:
            raise Problem("batch_row_refused", line=line, reason=f"{number[:40]}: {WHY[item.hindrance]}")
        chosen[item.id] = item
    return list(chosen.values())


def chosen_by_id(waiting: Sequence[ToAccept], ids: Iterable[str]) -> list[ToAccept]:
    """The waiting invoices ticked on a page.

    Raises Problem `nothing_chosen`, `batch_unreadable` or `not_acceptable`.
    """
    wanted = dict.fromkeys(ids)
    chosen = [item for item in waiting if item.id in wanted]
    if not chosen or len(chosen) != len(wanted):
        raise Problem("nothing_chosen")
    if len(chosen) > MOST_AT_ONCE:
        raise Problem("batch_unreadable", reason=f"1–{MOST_AT_ONCE} rows, not {len(chosen)}")
    for item in chosen:
        if item.hindrance:
            raise Problem("not_acceptable", invoice=item.number, reason=WHY[item.hindrance])
    return chosen


def prepare(app: App, obligor: str, chosen: Sequence[ToAccept]) -> list[Prepared]:
    """Typed data of one issue an invoice, judged by the rulebook and against the limit together, all or none.

    Raises Problem `amount_above_limit` for the sum, and what refuses a single one.
    """
    with app.reading() as session:
        member = app.parties.member(session, obligor)
        free_minor = member.limit_minor - queries.outstanding_of(session, obligor) - _pending_minor(session, obligor)
    total = sum(item.amount_minor for item in chosen)
    if total > free_minor:
        code = chosen[0].currency
        raise Problem(
            "batch_above_limit", amount=format_money(total, code), free=format_money(max(0, free_minor), code)
        )
    return [_prepare_one(app, obligor, item) for item in chosen]


def _prepare_one(app: App, obligor: str, item: ToAccept) -> Prepared:
    with app.desk.session() as session:
        document = app.receivables.file(
            session,
            item.evidence_ids,
            order_reference=item.order,
            invoice_number=item.number,
            invoice_minor=item.invoiced_minor,
            delivered_on=item.delivered_on.isoformat() if item.delivered_on else None,
        ).document
        decision = _judge_confirm(app, item, today(app.clock))
        if decision.findings:
            app.decisions.keep(session, decision.require(), f"invoice {item.number} {item.fingerprint}")
    if item.supplier is None or item.due_on is None:
        raise Problem("not_acceptable", invoice=item.number, reason=WHY[item.hindrance or "no_due_day"])
    return app.receivables.prepare_issue(
        IssueRequest(
            obligor=obligor,
            creditor=item.supplier,
            face_minor=item.amount_minor,
            currency=item.currency,
            maturity=item.due_on,
            document=document,
            fingerprint=item.fingerprint,
            min_minor=100,
        )
    )


WHY = {
    "not_enrolled": "the supplier has not joined yet / 供应商尚未入网",
    "in_dispute": "an exception is open / 存在未处理异常",
    "not_delivered": "no delivery on file / 无到货记录",
    "nothing_owed": "nothing is owed any more / 已无应付余额",
    "no_due_day": "the invoice names no due day / 发票未载明付款日",
    "past_due": "it is due already, pay it in cash / 已到期，请直接付款",
}


def _papers(app: App, session: Session, obligor: str) -> list[ToAccept]:
    firm = app.parties.organisation_of(session, obligor)
    if firm is None:
        return []
    ours = {name for name in (normalise_party(firm.uscc), normalise_party(firm.name)) if name}
    rows = session.execute(
        sa.select(InvoiceRow, CaseRow, FactRow)
        .join(CaseRow, col(CaseRow.id) == col(InvoiceRow.case_id))
        .join(FactRow, col(FactRow.id) == col(InvoiceRow.fact_id))
        .where(
            col(CaseRow.buyer).in_(ours),
            col(InvoiceRow.twin_of).is_(None),
            col(InvoiceRow.payable_minor) > 0,
            col(InvoiceRow.fact_id).not_in(select(FactWithdrawn.fact_id)),
        )
        .order_by(col(InvoiceRow.fact_id))
    ).all()
    cases = {case.id for _, case, _ in rows}
    backing, invoices = _backing(session, cases)
    trouble = _trouble(session, cases)
    sellers = _sellers(app, session)
    found, now = [], today(app.clock)
    for invoice, case, row in rows:
        fact = from_json(row.content)
        address, name = sellers.get(normalise_party(fact.seller) or "", (None, fact.seller or "—"))
        issued = date_of(fact.day)
        papers = backing.get(case.id, [])
        kinds = {kind for kind, _, _ in papers}
        delivered = [day for kind, _, day in papers if kind == Kind.DELIVERY]
        owed = invoice.payable_minor
        if invoices.get(case.id, 0) == 1 and case.open_minor is not None:
            owed = min(owed, case.open_minor)
        due = date_of(fact.due_day) if fact.due_day else None
        found.append(
            ToAccept(
                id=f"{invoice.fact_id}",
                number=fact.reference or "—",
                order=case.order_reference or None,
                supplier=address,
                supplier_name=name,
                invoiced_minor=invoice.payable_minor,
                amount_minor=owed,
                currency=invoice.currency,
                issued_on=issued,
                due_on=due,
                delivered_on=date_of(min(delivered)) if delivered else None,
                ordered=True if Kind.ORDER in kinds else None,
                delivered=True if delivered else None,
                exceptions=trouble.get(case.id, 0),
                fingerprint=app.receivables.fingerprint(name, fact.reference or invoice.evidence_id, issued),
                evidence_ids=tuple(dict.fromkeys([*(paper for _, paper, _ in papers), invoice.evidence_id])),
                hindrance=_hindrance(address, trouble.get(case.id, 0), bool(delivered), owed, due, now),
            )
        )
    return found


def _hindrance(
    supplier: str | None, exceptions: int, delivered: bool, owed_minor: int, due: date | None, on: date
) -> str | None:
    if supplier is None:
        return "not_enrolled"
    if not delivered:
        return "not_delivered"
    if exceptions:
        return "in_dispute"
    if owed_minor <= 0:
        return "nothing_owed"
    if due is None:
        return "no_due_day"
    return "past_due" if due <= on else None


def _backing(session: Session, cases: set[int]) -> tuple[dict[int, list[tuple[Kind, str, int]]], dict[int, int]]:
    """Papers other than invoices by case, as (kind, evidence id, day), and how many invoices each case has."""
    papers: dict[int, list[tuple[Kind, str, int]]] = {}
    invoices: dict[int, int] = {}
    ids = sorted(cases)
    for start in range(0, len(ids), 400):
        query = (
            select(Allocation.case_id, FactRow)
            .join(FactRow, col(FactRow.id) == col(Allocation.fact_id))
            .where(col(Allocation.case_id).in_(ids[start : start + 400]), col(Allocation.ended_by).is_(None))
            .order_by(col(FactRow.id))
        )
        for case_id, row in session.exec(query):
            if row.kind == Kind.INVOICE:
                invoices[case_id] = invoices.get(case_id, 0) + 1
            elif row.kind in _BACKING:
                fact = from_json(row.content)
                papers.setdefault(case_id, []).append((fact.kind, row.evidence_id, fact.day))
    return papers, invoices


def _trouble(session: Session, cases: set[int]) -> dict[int, int]:
    """Open exceptions that stop money or ask somebody to act, by case."""
    query = (
        select(ExceptionRow.case_id, sa.func.count())
        .where(ExceptionRow.state == "open", ExceptionRow.severity == "stop")
        .group_by(col(ExceptionRow.case_id))
    )
    return {case_id: int(count) for case_id, count in session.exec(query) if case_id in cases}


def _sellers(app: App, session: Session) -> dict[str, tuple[str, str]]:
    """Account and name of every supplier by its identifier and by its name, as documents may write them."""
    codes = {row.id: row.uscc for row in session.exec(select(Organisation))}
    found: dict[str, tuple[str, str]] = {}
    for one in app.parties.participants(session):
        if one.duty != "account" or not one.roles & Role.SUPPLIER:
            continue
        for name in (one.name, codes.get(one.organisation_id)):
            key = normalise_party(name)
            if key:
                found[key] = (one.address, one.name)
    return found


def _issued(session: Session, obligor: str) -> set[str]:
    query = select(Receivable.fingerprint).where(
        Receivable.obligor == obligor, Receivable.state != ReceivableState.CANCELLED
    )
    return set(session.exec(query).all())


def _proposed(app: App, session: Session, obligor: str) -> set[str]:
    query = select(PendingAct.message).where(
        PendingAct.account == obligor,
        PendingAct.act == "issue",
        col(PendingAct.state).in_(("waiting", "approved")),
        PendingAct.valid_until > app.clock.now(),
    )
    return {str(json.loads(text)["fingerprint"]).lower() for text in session.exec(query)}


def _pending_minor(session: Session, obligor: str) -> int:
    """What is proposed and not on the ledger yet."""
    query = select(sa.func.coalesce(sa.func.sum(PendingAct.amount_minor), 0)).where(
        PendingAct.account == obligor, PendingAct.act == "issue", PendingAct.state == "waiting"
    )
    return int(session.exec(query).one())
