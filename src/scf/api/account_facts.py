"""What stands beside the stages of an entrusted account: whose money it is, urgent releases, the daily proof."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

from sqlmodel import Session, col, select

from scf.api.shapes import amount
from scf.app import App
from scf.bank.models import BankInstruction, BankLine, InstructionState
from scf.entrusted.models import EntrustedAccount
from scf.entrusted.queries import out_under
from scf.entrusted.stating import words_behind
from scf.jobs.models import LockedAlarm, LockedProof
from scf.kernel.dates import from_unix
from scf.receivables.service import reference_hash

Json = dict[str, Any]
_NAME = re.compile(r"EA\d+S(\d+)[RB]\d+(?:\.R\d+)*")


def agreed_words(app: App, session: Session, row: EntrustedAccount) -> Json:
    """The purpose both sides signed, whose money it is, and the consent in its own words."""
    return {
        "funds": app.entrusted.rules.funds_of(session, row.id),
        "purpose": words_behind(session, row.purpose),
        "consent": words_behind(session, row.consent),
    }


def urgent_releases(app: App, session: Session, row: EntrustedAccount, stages: Collection[int]) -> list[Json]:
    """Urgent releases of these stages, each with its reason, its check, by when, and how that ended.

    `state` is `waiting` until a second organisation vouched, `checked` then, and `late` while that is overdue: then
    nothing else of the account moves.
    """
    late = {(one.stage, one.reason) for one in app.settling.late(session) if one.account_id == row.id}
    return [
        {
            "stage": one.stage,
            "amount": amount(one.amount_minor, row.currency),
            "words": words_behind(session, one.reason),
            "asked_at": _moment(one.asked_at),
            "check_by": _moment(one.check_by),
            "checked_at": _moment(one.checked_at),
            "state": "checked" if one.checked_at else "late" if (one.stage, one.reason) in late else "waiting",
        }
        for one in app.settling.of_account(session, row.id)
        if one.stage in stages
    ]


def came_back(session: Session, row: EntrustedAccount) -> list[Json]:
    """Payments the bank's own statement says came back, and that the ledger still has as made: the bank's turn."""
    failed = (InstructionState.RETURNED, InstructionState.REVERSED)
    query = select(BankInstruction).where(
        col(BankInstruction.end_to_end_id).startswith(f"EA{row.id}S"), col(BankInstruction.state).in_(failed)
    )
    found = []
    for order in session.exec(query.order_by(col(BankInstruction.end_to_end_id))):
        named = _NAME.fullmatch(order.end_to_end_id)
        paid = named and out_under(session, row.id, int(named.group(1)), reference_hash(order.end_to_end_id))
        if not named or not paid or not paid[1]:
            continue
        line = session.exec(
            select(BankLine)
            .where(BankLine.matched == order.end_to_end_id, col(BankLine.amount_minor) > 0)
            .order_by(col(BankLine.id).desc())
        ).first()
        found.append(
            {
                "stage": int(named.group(1)),
                "payment": order.end_to_end_id,
                "amount": amount(min(paid[1], line.amount_minor if line else paid[1]), row.currency),
                "line": line.bank_reference if line else None,
                "day": line.booked_on.isoformat() if line else None,
            }
        )
    return found


def proof(session: Session, row: EntrustedAccount) -> Json:
    """The newest statement that agrees with the ledger, and every statement that differs and is not explained."""
    last = session.exec(
        select(LockedProof).where(LockedProof.account_id == row.id).order_by(col(LockedProof.day).desc())
    ).first()
    alarms = session.exec(
        select(LockedAlarm)
        .where(LockedAlarm.account_id == row.id, col(LockedAlarm.closed_at).is_(None))
        .order_by(col(LockedAlarm.day))
    ).all()
    return {
        "proved": None
        if last is None
        else {
            "day": last.day.isoformat(),
            "held": amount(last.held_minor, row.currency),
            "statement": last.statement_evidence,
        },
        "alarms": [
            {
                "day": one.day.isoformat(),
                "held": amount(one.held_minor, row.currency),
                "stated": amount(one.stated_minor or 0, row.currency),
                "difference": amount(one.difference_minor or 0, row.currency),
                "statement": one.statement_evidence,
            }
            for one in alarms
        ],
    }


def _moment(seconds: int | None) -> str | None:
    return None if seconds is None else from_unix(seconds).strftime("%Y-%m-%dT%H:%M:%SZ")
