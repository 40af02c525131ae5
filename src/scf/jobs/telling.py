"""Who is told of what the banks say: money that came in, payments that failed, jobs that did not succeed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence

from sqlmodel import Session, col, select

from scf.bank import service as bank
from scf.bank.models import BankAccount, BankLine, InstructionState
from scf.financing.collecting import Finding
from scf.financing.models import CollectedLine
from scf.jobs.notices import Notices
from scf.jobs.scheduler import Ran
from scf.kernel.clock import Clock
from scf.kernel.money import format_money
from scf.parties.models import Member, Organisation, Seat
from scf.parties.service import Role
from scf.receivables import queries
from scf.store import evidence
from scf.store.evidence import Trust

_REFUSED = {"en": "refused", "zh-CN": "拒绝"}
_BROUGHT_BACK = {"en": "brought back", "zh-CN": "退回"}
_TO_DECIDE = (Finding.UNMATCHED, Finding.AMBIGUOUS, Finding.NOTHING_OWED, Finding.OVER)


def operators(session: Session) -> list[str]:
    """Addresses of all operators."""
    rows = session.exec(select(Member).order_by(col(Member.address))).all()
    return [row.address for row in rows if Role.OPERATOR & Role(row.roles)]


def tell_failed_payments(session: Session, notices: Notices) -> int:
    """Tell payer, payee and operators, once each, of payments a bank refused or brought back; how many notices."""
    told = 0
    for row in bank.failed_payments(session):
        proof = bank.word_on(session, row)
        if proof is None:
            continue
        payer = bank.account(session, row.debtor_account)
        amount, how = format_money(row.amount_minor, row.currency), _BROUGHT_BACK
        if row.state == InstructionState.REJECTED:
            how = _REFUSED
        why = row.reason_code or "–"
        words = {
            "en": f"The bank has {how['en']} the payment {row.end_to_end_id} of {amount} from {payer.holder} to "
            f"{row.creditor} ({why}); the money is not with its payee. {payer.holder} or an operator makes it anew.",
            "zh-CN": f"银行已{how['zh-CN']} {payer.holder} 付给 {row.creditor} 的款项 {amount}"
            f"（{row.end_to_end_id}，原因 {why}），收款方未收到。由 {payer.holder} 或运营方重新付款。",
        }
        concerned = {*_members_of(session, row.debtor_account), *_members_of(session, row.creditor_account)}
        told += _tell_all(
            session, notices, f"payment:{row.end_to_end_id}", sorted(concerned | set(operators(session))),
            "payment_failed", words, proof,
        )  # fmt: skip
    return told


def tell_lines(session: Session, notices: Notices, lines: Sequence[CollectedLine]) -> int:
    """Tell who has to act on new lines of repayment accounts; returns how many notices."""
    return sum(_tell_line(session, notices, row) for row in lines)


def tell_failed_jobs(session: Session, notices: Notices, clock: Clock, ran: Iterable[Ran]) -> int:
    """Tell operators of jobs that did not succeed, once for each job however often it is tried."""
    told = 0
    for one in ran:
        if one.succeeded:
            continue
        facts = {"job": one.key, "due_at": one.due_at}
        kept = evidence.record(
            session,
            json.dumps(facts, sort_keys=True).encode(),
            kind="job failure",
            source="scf",
            sender="scf",
            trust=Trust.T2,
            received_at=clock.now(),
        ).evidence_id
        words = {
            "en": f"The job “{one.name}” did not succeed: {one.outcome} It is tried again, longer apart each time; "
            "`scf jobs list --state failed` shows what was given up.",
            "zh-CN": f"任务“{one.name}”未成功：{one.outcome} 系统将逐步延长间隔重试；"
            "已放弃的任务见 `scf jobs list --state failed`。",
        }
        told += _tell_all(session, notices, f"job:{one.key}", operators(session), "job_failed", words, kept)
    return told


def _tell_line(session: Session, notices: Notices, row: CollectedLine) -> int:
    line = session.get(BankLine, row.line_id)
    amount = format_money(abs(row.amount_minor), line.currency if line is not None else "CNY")
    account = session.get(BankAccount, row.account)
    banks: set[str] = {account.owner} if account is not None and account.owner else set()
    obligors: set[str] = set()
    if row.receivable_id is not None:
        receivable = queries.receivable(session, row.receivable_id)
        obligor = session.get(Member, receivable.obligor)
        obligors.add(receivable.obligor)
        banks |= {obligor.paying_bank} if obligor is not None and obligor.paying_bank else set()
    told = 0
    if row.state == "prepared" and row.found_by != "attestation":
        words = {
            "en": f"{amount} came in for receivable {row.receivable_id}: look at the line and sign what it proves.",
            "zh-CN": f"凭证 {row.receivable_id} 收到款项 {amount}：请核对流水并签署付款确认。",
        }
        told += _tell_all(
            session, notices, f"line:{row.line_id}", sorted(banks), "line_arrived", words, row.evidence_id
        )
    if row.finding in _TO_DECIDE:
        words = {
            "en": f"{amount} on the repayment account asks for a decision ({row.finding}): say what it pays, or send "
            "what is too much back.",
            "zh-CN": f"还款账户上的 {amount} 需要处理（{row.finding}）：请指明对应凭证，或退回多付部分。",
        }
        told += _tell_all(
            session, notices, f"decide:{row.line_id}", sorted(banks | set(operators(session))),
            "line_to_decide", words, row.evidence_id,
        )  # fmt: skip
    if row.finding == Finding.REVERSED_AFTER_SETTLEMENT:
        words = {
            "en": f"The bank took back {amount} for receivable {row.receivable_id} after the holders were paid. They "
            "keep what they got; the obligor makes it good.",
            "zh-CN": f"凭证 {row.receivable_id} 的款项 {amount} 在兑付后被银行撤回。持有人已收款项不变，由付款方补足。",
        }
        told += _tell_all(
            session, notices, f"reversed:{row.line_id}", sorted(banks | obligors | set(operators(session))),
            "payment_reversed", words, row.evidence_id,
        )  # fmt: skip
    return told


def _members_of(session: Session, number: str) -> set[str]:
    """Who is told what happens on an account: its owner or, where none is named, the firm of its holder."""
    account = session.get(BankAccount, number)
    if account is None:
        return set()
    if account.owner is not None:
        return {account.owner}
    query = (
        select(Seat.address)
        .join(Organisation, col(Organisation.id) == col(Seat.organisation_id))
        .join(Member, col(Member.address) == col(Seat.address))
        .where(Organisation.name == account.holder, Seat.duty == "account")
    )
    return set(session.exec(query))


def _tell_all(
    session: Session,
    notices: Notices,
    key: str,
    recipients: Iterable[str],
    kind: str,
    words: Mapping[str, str],
    evidence_id: str,
) -> int:
    return sum(notices.tell(session, f"{key}:{who}", who, kind, words, evidence_id=evidence_id) for who in recipients)
