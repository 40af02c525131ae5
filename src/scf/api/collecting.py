"""What came in on repayment accounts and what failed on its way out, as the parties concerned may see and mend it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlmodel import Session, col, select

from scf.api.access import Caller
from scf.api.shapes import amount
from scf.api.views import Views, moment
from scf.app import App
from scf.bank import service as bank
from scf.bank.models import BankAccount, BankInstruction, BankLine, InstructionState
from scf.financing.collecting import Finding, owed
from scf.financing.models import BuyBackDemand, CollectedLine, WriteOff
from scf.financing.payouts import is_given_back, payouts
from scf.financing.recourse import Recourse
from scf.financing.waterfall import Bucket
from scf.kernel.clock import today
from scf.kernel.problems import Problem
from scf.parties.models import Member
from scf.parties.service import Role
from scf.receivables import queries
from scf.receivables.models import Financing, Receivable

Json = dict[str, Any]
_TURNS: Mapping[str, Mapping[str, str]] = {
    "attest": {
        "en": "The paying bank signs what this line proves; then the holders are settled.",
        "zh-CN": "由付款银行签署该流水所证明的付款，随后向持有人兑付。",
    },
    Finding.UNMATCHED: {
        "en": "The paying bank or an operator says which receivable this pays, or sends it back.",
        "zh-CN": "由付款银行或运营方指明该款对应的凭证，或原路退回。",
    },
    Finding.AMBIGUOUS: {
        "en": "Several receivables fit: the paying bank or an operator says which one this pays.",
        "zh-CN": "有多笔凭证相符：由付款银行或运营方指明对应哪一笔。",
    },
    "surplus": {
        "en": "The paying bank or an operator sends the surplus back to the account it came from.",
        "zh-CN": "由付款银行或运营方将多付部分退回原付款账户。",
    },
    Finding.REVERSED_AFTER_SETTLEMENT: {
        "en": "Holders keep what they got. The obligor makes the amount good; the paying bank carries it until then.",
        "zh-CN": "持有人已收款项不变。由付款方补足该金额，此前由付款银行垫付。",
    },
    Finding.PAYOUT_BACK: {
        "en": "A payment to a holder came back: the paying bank or an operator makes it anew.",
        "zh-CN": "付给持有人的款项被退回：由付款银行或运营方重新付款。",
    },
    "none": {"en": "Nobody has to do anything.", "zh-CN": "无需处理。"},
}


def is_paying_bank(app: App, session: Session, caller: Caller, receivable: Receivable) -> bool:
    """Whether the caller's firm is the bank that pays for the obligor."""
    obligor = session.get(Member, receivable.obligor)
    return obligor is not None and obligor.paying_bank in caller.addresses


def line_for(app: App, session: Session, caller: Caller, line_id: int, *, to_act: bool = False) -> CollectedLine:
    """A line the caller may see or, with `to_act`, decide about. Raises Problem `unknown_line`."""
    row = session.get(CollectedLine, line_id)
    if row is None or not _sees_line(app, session, caller, row, to_act=to_act):
        raise Problem("unknown_line", line=line_id)
    return row


def lines(app: App, session: Session, caller: Caller, *, only_open: bool, limit: int) -> list[Json]:
    """Lines of repayment accounts that concern the caller, newest first; with `only_open` those a person looks at."""
    rows = (
        list(reversed(app.maturity.exceptions(session)))
        if only_open
        else session.exec(select(CollectedLine).order_by(col(CollectedLine.line_id).desc()).limit(10_000)).all()
    )
    unresolved = {row.line_id for row in app.maturity.exceptions(session)}
    seen = [row for row in rows if _sees_line(app, session, caller, row)][:limit]
    return [_line(session, row, row.line_id in unresolved) for row in seen]


def _sees_line(app: App, session: Session, caller: Caller, row: CollectedLine, *, to_act: bool = False) -> bool:
    if caller.has(Role.OPERATOR) or (caller.sees_all and not to_act):
        return True
    account = session.get(BankAccount, row.account)
    if account is not None and account.owner in caller.addresses:
        return True
    if row.receivable_id is None:
        return False
    receivable = queries.receivable(session, row.receivable_id)
    if is_paying_bank(app, session, caller, receivable):
        return True
    return not to_act and receivable.obligor in caller.addresses


def _line(session: Session, row: CollectedLine, is_open: bool) -> Json:
    line = session.get(BankLine, row.line_id)
    code = line.currency if line is not None else "CNY"
    attested = {one.bank_reference for one in queries.payments_of(session, row.receivable_id or 0)}
    is_attested = row.reference_hash in attested
    return {
        "line": row.line_id,
        "receivable": row.receivable_id,
        "finding": row.finding,
        "found_by": row.found_by,
        "state": "attested" if is_attested else row.state,
        "open": is_open,
        "amount": amount(row.amount_minor, code),
        "principal": amount(row.principal_minor, code),
        "interest": amount(row.interest_minor, code),
        "surplus": amount(row.surplus_minor, code),
        "surplus_sent_back": is_given_back(session, row.line_id),
        "days_late": row.days_late,
        "value_on": row.value_on.isoformat(),
        "payer": line.counterparty if line is not None else None,
        "end_to_end_id": row.end_to_end_id,
        "bank_reference": row.bank_reference,
        "turn": dict(_TURNS[_turn(row, is_attested, is_open)]),
        "proof": f"/proof/evidence/{row.evidence_id}",
    }


def _turn(row: CollectedLine, is_attested: bool, is_open: bool) -> str:
    if row.state == "prepared" and not is_attested:
        return "attest"
    if not is_open:
        return "none"
    if row.surplus_minor:
        return "surplus"
    return str(row.finding) if row.finding in _TURNS else "none"


# One receivable at maturity -------------------------------------------------------------------------------------------


def at_maturity(app: App, session: Session, caller: Caller, receivable_id: int) -> Json:
    """What is owed today, what was paid and handed on, and what follows when it was not. As the caller may see it."""
    views = Views(app, session, caller)
    row, sights, sight = views.receivable_row(receivable_id)
    shown = {item.note.id: item for item in sights if item.amounts}
    principal, interest = owed(session, row, today(app.clock), app.maturity.calendar, app.maturity.lateness)
    code, wide = row.currency, sight.name in ("SUM", "ALL")
    paid: dict[str, list[Json]] = {}
    for out in payouts(session, app.parties, receivable_id, app.clock):
        paid.setdefault(out.payee, []).append(
            {"payment": out.name, "amount": amount(out.amount_minor, code), "state": out.state}
        )
    demands = session.exec(select(BuyBackDemand).where(BuyBackDemand.receivable_id == receivable_id)).all()
    given_up = session.exec(select(WriteOff).where(WriteOff.receivable_id == receivable_id)).all()
    return {
        "receivable": row.id,
        "due_on": app.maturity.due_day(row.maturity).isoformat(),
        "overdue": any(one.id == row.id for one in app.maturity.overdue(session)),
        "owed": {"principal": amount(principal, code), "interest": amount(interest, code)} if wide else None,
        "payments": [
            {
                "round": one.round,
                "principal": amount(one.principal_minor, code),
                "interest": amount(one.interest_minor, code),
                "bank_reference": one.bank_reference,
                "attested_at": moment(one.paid_at),
            }
            for one in queries.payments_of(session, receivable_id)
            if wide
        ],
        "settlements": [
            {
                "note": one.note_id,
                "round": one.round,
                "payee": views.who(one.payee, shown[one.note_id].holder),
                "principal": amount(one.principal_minor, code),
                "interest": amount(one.interest_minor, code),
            }
            for one in queries.settlements_of(session, receivable_id)
            if one.note_id in shown
        ],
        "payouts": [
            {"payee": views.who(payee), **one}
            for payee, outs in paid.items()
            for one in outs
            if payee in caller.addresses or sight.name == "ALL"
        ],
        "buy_backs": [
            {
                "note": one.note_id,
                "assignor": views.who(one.assignor),
                "financier": views.who(one.financier),
                "received": amount(one.received_minor, code),
                "demanded": amount(one.amount_minor, code),
                "pay_until": moment(one.pay_until),
                "proof": f"/proof/evidence/{one.evidence_id}",
            }
            for one in demands
            if sight.name == "ALL" or caller.addresses & {one.assignor, one.financier}
        ],
        "write_offs": [
            {
                "note": one.note_id,
                "amount": amount(one.amount_minor, code),
                "reason": one.reason,
                "proof": f"/proof/evidence/{one.evidence_id}",
            }
            for one in given_up
            if sight.name == "ALL" or one.holder in caller.addresses
        ],
    }


def waterfall(app: App, session: Session, caller: Caller, note_id: str, cost_minor: int, extra_minor: int) -> Json:
    """What a financed note brought, in its order. For its two sides, the paying bank and who oversees all."""
    terms = session.get(Financing, note_id.lower())
    if terms is None:
        raise Problem("unknown_financing", note=note_id[:80])
    row = queries.receivable(session, terms.receivable_id)
    sides = {terms.seller, terms.financier, terms.paying_bank}
    if not (caller.sees_all or caller.addresses & sides or is_paying_bank(app, session, caller, row)):
        raise Problem("unknown_financing", note=note_id[:80])
    recourse: Recourse = app.maturity.recourse
    found = recourse.waterfall(session, terms.note_id, cost_minor=cost_minor, extra_minor=extra_minor)
    return {
        "note": terms.note_id,
        "recourse": terms.recourse,
        "received": amount(found.received_minor, row.currency),
        "steps": [
            {
                "bucket": bucket.value,
                "paid": amount(found.paid[bucket], row.currency),
                "still_owed": amount(found.still_owed.of(bucket), row.currency),
            }
            for bucket in Bucket
        ],
        "residual": amount(found.residual_minor, row.currency),
        "residual_to": found.residual_to.value,
        "buy_back": amount(found.buy_back_minor, row.currency),
    }


# Payments out ---------------------------------------------------------------------------------------------------------


def payments(app: App, session: Session, caller: Caller, *, failed: bool, limit: int) -> list[Json]:
    """Payments ordered from the caller's accounts (all for overseers), newest change first; `failed`: to be mended."""
    wanted = {row.end_to_end_id for row in bank.failed_payments(session)}
    query = select(BankInstruction).order_by(col(BankInstruction.changed_at).desc(), col(BankInstruction.end_to_end_id))
    if failed:
        query = query.where(col(BankInstruction.state).in_(bank.FAILED))
    found: list[Json] = []
    for row in session.exec(query):
        if len(found) == limit:
            break
        if (not failed or row.end_to_end_id in wanted) and _is_payer(session, caller, row):
            found.append(shown_payment(session, row, row.end_to_end_id in wanted))
    return found


def payment_for(session: Session, caller: Caller, end_to_end_id: str) -> BankInstruction:
    """A payment the caller may make anew. Raises Problem `bank_instruction_unknown`."""
    row = session.get(BankInstruction, end_to_end_id)
    if row is None or not (caller.has(Role.OPERATOR) or _is_owner(session, caller, row)):
        raise Problem("bank_instruction_unknown", reference=end_to_end_id[:40])
    return row


def shown_payment(session: Session, row: BankInstruction, is_failed: bool) -> Json:
    """A payment, what the bank says of it and whose turn it is."""
    payer = bank.account(session, row.debtor_account).holder
    turn = {
        "en": f"{payer} or an operator makes it anew, or settles it another way.",
        "zh-CN": f"由 {payer} 或运营方重新付款，或以其他方式处理。",
    }
    if not is_failed:
        done = row.state in (InstructionState.EXECUTED, InstructionState.WITHDRAWN) or row.state in bank.FAILED
        turn = dict(_TURNS["none"]) if done else {"en": "The bank's answer is awaited.", "zh-CN": "等待银行答复。"}
    return {
        "payment": row.end_to_end_id,
        "state": row.state,
        "failed": is_failed,
        "payer": payer,
        "creditor": row.creditor,
        "amount": amount(row.amount_minor, row.currency),
        "execute_on": row.execute_on.isoformat(),
        "executed_on": row.executed_on.isoformat() if row.executed_on else None,
        "reason_code": row.reason_code,
        "reason": row.reason,
        "changed_at": moment(row.changed_at),
        "turn": turn,
        "proof": f"/proof/evidence/{bank.word_on(session, row)}" if bank.word_on(session, row) else None,
    }


def _is_payer(session: Session, caller: Caller, row: BankInstruction) -> bool:
    return caller.sees_all or _is_owner(session, caller, row)


def _is_owner(session: Session, caller: Caller, row: BankInstruction) -> bool:
    account = bank.account(session, row.debtor_account)
    return account.owner in caller.addresses or (account.owner is None and account.holder == caller.name)
