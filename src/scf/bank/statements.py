"""Statements in: each booked movement becomes one line, however many files tell of it.

A movement is told in a notification and again in the statement of the day, sometimes as one of a batch and then as the
batch's total, and files come twice. A line's key is the bank's own reference and the amount; where a bank gives none,
the UETR; at last a digest of all that was said. What only an untrusted copy says stays untrusted until the bank's own
feed says the same, and then the bank's words replace the copy's.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from sqlmodel import Session, col, select

from scf.bank.models import BankAccount, BankLine, BankStatement
from scf.kernel.dates import day_of
from scf.kernel.problems import Problem
from scf.standards import camt, signatures
from scf.standards.bank_records import Entry, Statement
from scf.store import evidence
from scf.store.evidence import Trust

_CHUNK = 500


@dataclass(slots=True)
class _Taking:
    """What is known while one statement is taken in."""

    session: Session
    statement: Statement
    evidence_id: str
    trust: Trust
    seen_at: int


def bank_source(bank: str) -> str:
    """The evidence source under which files collected from the bank of this BIC are recorded."""
    return f"bank:{bank}"


def trust_in(session: Session, evidence_id: str, bank: str | None) -> Trust:
    """How far a file can be trusted about an account of `bank` (None: an account nobody mirrors).

    A bank's own feed is trusted about its own accounts only; about another bank's it is a copy like any other. Raises
    Problem `evidence_unknown`.
    """
    records = evidence.records_of(session, evidence_id)
    if not records:
        raise Problem("evidence_unknown", evidence=evidence_id[:64])
    levels = [
        min(record.trust, Trust.T2) if bank is not None and record.source != bank_source(bank) else record.trust
        for record in records
    ]
    return Trust(max(levels))


def take(session: Session, raw: bytes | Sequence[Statement], evidence_id: str, *, now: int) -> list[BankLine]:
    """Lines that are new, or newly told by the bank itself. The same file again gives none.

    `raw` is the file, or what `camt.read` gave of it.
    Raises Problem of `camt.read`, `document_signature_broken`, `evidence_unknown`, `bank_statement_does_not_add_up`,
    `bank_statement_contradicts`; then nothing of the file is taken.
    """
    fresh: list[BankLine] = []
    if isinstance(raw, bytes):
        signatures.notices(raw)
    records = camt.read(raw) if isinstance(raw, bytes) else raw
    for statement in records:
        if statement.adds_up is False:
            raise Problem("bank_statement_does_not_add_up", statement=statement.id, account=statement.account)
    for statement in records:
        account = session.get(BankAccount, statement.account)
        trust = trust_in(session, evidence_id, None if account is None else account.bank)
        taking = _Taking(session, statement, evidence_id, trust, now)
        fresh += _take_lines(taking)
        _take_balances(taking)
    return fresh


def _take_lines(taking: _Taking) -> list[BankLine]:
    keyed = list(_keyed(taking.statement))
    known = _known_lines(taking.session, taking.statement.account, [key for key, _ in keyed])
    is_statement = taking.statement.kind == "camt.053"
    fresh: list[BankLine] = []
    for key, entry in keyed:
        line = known.get(key)
        if line is None:
            line = _line(taking, key, entry)
            if not line.is_detail and _is_told_in_parts(taking, line):
                continue
            taking.session.add(line)
            fresh.append(line)
        elif line.trust < taking.trust:
            said = _line(taking, key, entry).model_dump(exclude={"id", "matched", "match_kind", "is_superseded"})
            line.sqlmodel_update(said)
            fresh.append(line)
        if is_statement and line.statement_evidence_id is None:
            line.statement_evidence_id = taking.evidence_id
    taking.session.flush()
    _supersede_totals(taking, fresh)
    return fresh


def _keyed(statement: Statement) -> Iterator[tuple[str, Entry]]:
    """Booked entries with their keys; what is pending or only announced is no movement."""
    seen: Counter[str] = Counter()
    for entry in statement.movements:
        if not entry.is_booked or entry.amount_minor == 0:
            continue
        if entry.bank_transaction_id:
            key = f"R:{entry.bank_transaction_id[:80]}:{entry.amount_minor}"
        elif entry.uetr:
            key = f"U:{entry.uetr[:36]}:{entry.amount_minor}:{int(entry.is_reversal)}"
        else:
            said = (
                entry.booked_on, entry.value_on, entry.amount_minor, entry.currency, entry.end_to_end_id,
                entry.structured_reference, entry.remittance, entry.counterparty_account, entry.reference,
            )  # fmt: skip
            key = "D:" + hashlib.sha256("|".join(str(part) for part in said).encode()).hexdigest()
        seen[key] += 1
        yield (key if seen[key] == 1 else f"{key}#{seen[key]}"), entry


def _known_lines(session: Session, account: str, keys: Sequence[str]) -> dict[str, BankLine]:
    found: dict[str, BankLine] = {}
    for start in range(0, len(keys), _CHUNK):
        chunk = keys[start : start + _CHUNK]
        query = select(BankLine).where(BankLine.account == account, col(BankLine.key).in_(chunk))
        found |= {line.key: line for line in session.exec(query)}
    return found


def _line(taking: _Taking, key: str, entry: Entry) -> BankLine:
    own_name = entry.instruction_id if entry.amount_minor < 0 else None  # some banks give back this one alone
    statement = taking.statement
    return BankLine(
        account=statement.account,
        key=key,
        bank_reference=_cut(entry.bank_transaction_id, 80),
        uetr=_cut(entry.uetr, 36),
        booked_on=_booked_on(statement, entry),
        value_on=entry.value_on,
        amount_minor=entry.amount_minor,
        currency=entry.currency,
        end_to_end_id=_cut(entry.end_to_end_id or own_name, 35),
        structured_reference=_cut(entry.structured_reference, 140),
        remittance=entry.remittance,
        counterparty=_cut(entry.counterparty, 140),
        counterparty_account=_cut(entry.counterparty_account, 34),
        payment_information_id=_cut(entry.payment_information_id, 35),
        is_reversal=entry.is_reversal,
        return_reason=_cut(entry.return_reason, 35),
        batch_count=entry.batch_count,
        is_detail=entry.batch_count == 1 or entry.detail_index is not None,
        trust=int(taking.trust),
        evidence_id=taking.evidence_id,
        seen_at=taking.seen_at,
    )


def _booked_on(statement: Statement, entry: Entry) -> date:
    if entry.booked_on or entry.value_on:
        return entry.booked_on or entry.value_on  # type: ignore[return-value]
    moment = statement.to_at or statement.created_at
    return moment.date() if moment is not None else day_of(0)


def _is_told_in_parts(taking: _Taking, total: BankLine) -> bool:
    """Whether the single payments of this batch total are known already, from a source at least as good."""
    query = select(BankLine).where(
        BankLine.account == total.account, BankLine.booked_on == total.booked_on, BankLine.trust >= total.trust
    )
    parts = [
        line
        for line in taking.session.exec(query.where(BankLine.is_detail, col(BankLine.batch_count) > 1))
        if _is_same_batch(line, total)
    ]
    if not parts or sum(line.amount_minor for line in parts) != total.amount_minor:
        return False
    for line in parts:
        if taking.statement.kind == "camt.053" and line.statement_evidence_id is None:
            line.statement_evidence_id = taking.evidence_id
    return True


def _supersede_totals(taking: _Taking, fresh: Sequence[BankLine]) -> None:
    """Mark totals whose single payments have just come, so that no money is counted twice."""
    parts = [line for line in fresh if line.is_detail and line.batch_count > 1]
    days = {line.booked_on for line in parts}
    if not days:
        return
    query = select(BankLine).where(BankLine.account == taking.statement.account, col(BankLine.booked_on).in_(days))
    for total in taking.session.exec(query.where(~col(BankLine.is_detail), ~col(BankLine.is_superseded))):
        mine = [line for line in parts if _is_same_batch(line, total) and line.trust >= total.trust]
        if mine and sum(line.amount_minor for line in mine) == total.amount_minor:
            total.is_superseded = True
            for line in mine:
                line.statement_evidence_id = line.statement_evidence_id or total.statement_evidence_id


def _is_same_batch(part: BankLine, total: BankLine) -> bool:
    same_reference = part.bank_reference is not None and part.bank_reference == total.bank_reference
    named = part.payment_information_id is not None and part.payment_information_id == total.payment_information_id
    return part.booked_on == total.booked_on and (same_reference or named)


def _take_balances(taking: _Taking) -> None:
    statement = taking.statement
    if statement.kind != "camt.053" or statement.opening_minor is None or statement.closing_minor is None:
        return
    days = [_booked_on(statement, entry) for entry in statement.entries] + [
        balance.day for balance in statement.balances if balance.kind in ("OPBD", "CLBD") and balance.day
    ]
    if not days:
        return
    row = BankStatement(
        account=statement.account,
        statement_id=statement.id[:35],
        page=(statement.page or "")[:10],
        first_day=statement.from_at.date() if statement.from_at else min(days),
        last_day=statement.to_at.date() if statement.to_at else max(days),
        currency=statement.currency or "",
        opening_minor=statement.opening_minor,
        closing_minor=statement.closing_minor,
        trust=int(taking.trust),
        evidence_id=taking.evidence_id,
    )
    same = select(BankStatement).where(
        BankStatement.account == row.account,
        BankStatement.statement_id == row.statement_id,
        BankStatement.page == row.page,
        BankStatement.last_day == row.last_day,
    )
    known = taking.session.exec(same).one_or_none()
    if known is None:
        taking.session.add(row)
    elif known.trust < row.trust:
        known.sqlmodel_update(row.model_dump(exclude={"id"}))
    elif known.trust == row.trust and (known.opening_minor, known.closing_minor) != (
        row.opening_minor,
        row.closing_minor,
    ):
        raise Problem("bank_statement_contradicts", statement=row.statement_id, account=row.account)
    taking.session.flush()


def _cut(text: str | None, length: int) -> str | None:
    return None if text is None else text[:length]
