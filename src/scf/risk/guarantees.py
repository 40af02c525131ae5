"""Guarantees: a licensed guarantor stands for what one obligor owes one financier. Entered and ended by two operators.

A guarantee moves what a financier counts as covered, so one person alone never enters one: it is asked for on evidence
and holds once a second operator agrees.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlmodel import Session, col, select

from scf.kernel.clock import Clock, today
from scf.kernel.money import currency as currency_of
from scf.kernel.money import format_money
from scf.kernel.problems import Problem
from scf.parties.changes import Asked, ChangeKind
from scf.parties.models import Member
from scf.parties.service import Parties, Role
from scf.risk.models import Guarantee, Guarantor
from scf.store.evidence import EvidenceBytes


@dataclass(frozen=True, slots=True)
class Standing:
    """One guarantee as people see it: `left` and `licence_left` days remain, below zero it is over."""

    row: Guarantee
    guarantor: Guarantor
    left: int
    licence_left: int


class Guarantees:
    """The door to guarantees."""

    def __init__(self, parties: Parties, clock: Clock) -> None:
        self._parties = parties
        self._clock = clock

    def all(self, session: Session, *, financiers: Sequence[str] | None = None, limit: int = 500) -> list[Standing]:
        """Guarantees, those that end first on top; all, or those given to some financiers."""
        query = select(Guarantee, Guarantor).join(Guarantor).order_by(col(Guarantee.until), col(Guarantee.id))
        if financiers is not None:
            query = query.where(col(Guarantee.financier).in_(financiers))
        now = today(self._clock)
        return [
            Standing(
                row,
                guarantor,
                (date.fromisoformat(row.until) - now).days,
                (date.fromisoformat(guarantor.licence_until) - now).days,
            )
            for row, guarantor in session.exec(query.limit(limit))
        ]

    def kinds(self) -> Sequence[ChangeKind]:
        """The changes `enter_guarantee` and `end_guarantee`, decided by a second operator."""
        return (
            ChangeKind("enter_guarantee", self._look, self._apply),
            ChangeKind("end_guarantee", self._look_at_end, self._end),
        )

    # Inside ----------------------------------------------------------------------------------------------------------

    def _look(self, session: Session, body: Mapping[str, Any]) -> Asked:
        """Raises Problem `guarantor_unknown`, `guarantor_licence_over`, `guarantee_unfit`, `list_entry_evidence`."""
        guarantor = session.get(Guarantor, int(body["guarantor"]))
        if guarantor is None or guarantor.ended_at is not None:
            raise Problem("guarantor_unknown", guarantor=body["guarantor"])
        now, last, code = today(self._clock), _day(str(body["until"])), currency_of(str(body["currency"])).code
        if min(date.fromisoformat(guarantor.licence_until), last) <= now or last.isoformat() > guarantor.licence_until:
            raise Problem("guarantor_licence_over", name=guarantor.name, until=guarantor.licence_until)
        minor = int(body["limit_minor"])
        if minor <= 0:
            raise Problem("guarantee_unfit", reason="amount / 金额")
        self._need_role(session, str(body["obligor"]), Role.OBLIGOR, "obligor / 债务人")
        self._need_role(session, str(body["financier"]), Role.FINANCIER, "financier / 资金方")
        if session.get(EvidenceBytes, str(body["evidence"])) is None:
            raise Problem("list_entry_evidence", evidence=str(body["evidence"])[:64] or "—")
        obligor, financier = (self._parties.name_of(session, str(body[name])) for name in ("obligor", "financier"))
        amount, day = format_money(minor, code), last.isoformat()
        known = [row.id for row in self._same(session, body, code)]
        words = {
            "en": f"{guarantor.name} stands for what {obligor} owes {financier}, up to {amount}, until {day}.",
            "zh-CN": f"{guarantor.name} 为 {obligor} 对 {financier} 的债务提供担保，限额 {amount}，至 {day}。",
        }
        return Asked(words, _an_operator(session), known, amount_minor=minor, currency=code)

    def _apply(self, session: Session, body: Mapping[str, Any], maker: str, checker: str) -> None:
        session.add(
            Guarantee(
                guarantor_id=int(body["guarantor"]),
                obligor=str(body["obligor"]),
                financier=str(body["financier"]),
                currency=currency_of(str(body["currency"])).code,
                limit_minor=int(body["limit_minor"]),
                until=_day(str(body["until"])).isoformat(),
                evidence_id=str(body["evidence"]),
                made_at=self._clock.now(),
            )
        )
        session.flush()

    def _look_at_end(self, session: Session, body: Mapping[str, Any]) -> Asked:
        row, guarantor = self._standing(session, body)
        last = self._last_day(row, body)
        obligor, financier = (self._parties.name_of(session, one) for one in (row.obligor, row.financier))
        words = {
            "en": f"The guarantee of {guarantor.name} for {obligor} towards {financier} ends on {last}.",
            "zh-CN": f"{guarantor.name} 为 {obligor} 对 {financier} 的担保于 {last} 终止。",
        }
        return Asked(words, _an_operator(session), row.until, amount_minor=row.limit_minor, currency=row.currency)

    def _end(self, session: Session, body: Mapping[str, Any], maker: str, checker: str) -> None:
        row, _ = self._standing(session, body)
        row.until = self._last_day(row, body)
        session.add(row)
        session.flush()

    def _standing(self, session: Session, body: Mapping[str, Any]) -> tuple[Guarantee, Guarantor]:
        row = session.get(Guarantee, int(body["guarantee"]))
        guarantor = session.get(Guarantor, row.guarantor_id) if row else None
        if row is None or guarantor is None or row.until < today(self._clock).isoformat():
            raise Problem("guarantee_unknown", guarantee=body["guarantee"])
        return row, guarantor

    def _last_day(self, row: Guarantee, body: Mapping[str, Any]) -> str:
        """The new last day: from today on, and before the one that holds."""
        last = _day(str(body["until"])).isoformat()
        if not today(self._clock).isoformat() <= last < row.until:
            raise Problem("guarantee_unfit", reason="until / 截止日期")
        return last

    def _same(self, session: Session, body: Mapping[str, Any], code: str) -> Sequence[Guarantee]:
        return session.exec(
            select(Guarantee)
            .where(
                Guarantee.guarantor_id == int(body["guarantor"]),
                Guarantee.obligor == str(body["obligor"]),
                Guarantee.financier == str(body["financier"]),
                Guarantee.currency == code,
            )
            .order_by(col(Guarantee.id))
        ).all()

    def _need_role(self, session: Session, who: str, role: Role, word: str) -> None:
        member = session.get(Member, who)
        if member is None or not Role(member.roles) & role:
            raise Problem("guarantee_unfit", reason=word)


def _an_operator(session: Session) -> str:
    for member in session.exec(select(Member).order_by(Member.address)):
        if Role(member.roles) & Role.OPERATOR:
            return member.address
    raise Problem("operator_needed")


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text.strip())
    except ValueError as error:
        raise Problem("unreadable_date", text=text[:40]) from error
