"""The change `delegate`: what a person may check for its firm, given by another person and taken on by a second."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlmodel import Session

from scf.kernel.dates import day_of
from scf.kernel.money import currency as currency_of
from scf.kernel.money import format_money
from scf.kernel.problems import Problem
from scf.parties.approvals import Approvals, Delegation
from scf.parties.changes import Asked, ChangeKind
from scf.parties.service import Parties


def delegation_change(approvals: Approvals, parties: Parties) -> ChangeKind:
    """Body: `person`, `act` (or `*`), `limit_minor`, `currency`, `valid_until` (unix seconds)."""

    def look(session: Session, body: Mapping[str, Any]) -> Asked:
        person, act = str(body["person"]), str(body["act"])
        code = currency_of(str(body.get("currency", "CNY"))).code
        limit, until = int(body["limit_minor"]), int(body["valid_until"])
        if limit < 0 or until <= 0 or parties.organisation_of(session, person) is None:
            raise Problem("unknown_participant", who=person)
        known = session.get(Delegation, (person, act))
        amount, day = format_money(limit, code), day_of(until).isoformat()
        return Asked(
            {
                "en": f"{person[:8]}… may check “{act}” up to {amount}, until {day}.",
                "zh-CN": f"{person[:8]}… 可复核“{act}”，金额至多 {amount}，有效期至 {day}。",
            },
            person,
            [known.limit_minor, known.valid_until] if known else None,
        )

    def apply(session: Session, body: Mapping[str, Any], maker: str, checker: str) -> None:
        approvals.delegate(
            session,
            str(body["person"]),
            act=str(body["act"]),
            limit_minor=int(body["limit_minor"]),
            valid_until=int(body["valid_until"]),
            given_by=maker,
            currency=str(body.get("currency", "CNY")),
        )

    return ChangeKind("delegate", look, apply)
