"""Changes of a firm's own terms (programmes, limits, quote policies): one person asks, another of the firm decides.

Nothing here is signed on the ledger; both people and the words they saw are kept as evidence. A change is refused when
what it changes is not any more as its maker saw it, or when its time to be decided is over.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy import BigInteger
from sqlmodel import Field, Session, SQLModel, col, select

from scf.desk.service import Desk
from scf.kernel.dates import day_of
from scf.kernel.identifiers import reference_of
from scf.kernel.money import format_money
from scf.kernel.problems import Problem
from scf.parties.approvals import Delegation
from scf.parties.models import Organisation
from scf.parties.service import Parties
from scf.store import evidence
from scf.store.commands import canonical_json
from scf.store.evidence import Trust

VALID_SECONDS = 7 * 86_400


class ChangeRequest(SQLModel, table=True):
    """A change one person asked for and another has to decide. Times in unix seconds, amounts in minor units."""

    __tablename__ = "change_request"

    id: str = Field(primary_key=True, max_length=40)
    organisation_id: int = Field(index=True)
    kind: str = Field(index=True, max_length=40)
    body: str = Field(sa_type=sa.Text, description="What shall hold from then on, canonical JSON")
    basis: str = Field(max_length=64, description="Digest of what held when it was asked for")
    summary_en: str = Field(sa_type=sa.Text)
    summary_zh: str = Field(sa_type=sa.Text)
    amount_minor: int = Field(default=0, sa_type=BigInteger)
    currency: str = Field(default="CNY", max_length=3)
    maker: str = Field(max_length=42)
    checker: str | None = Field(default=None, max_length=42)
    state: str = Field(default="waiting", index=True, max_length=10, description="waiting, done or rejected")
    reason: str | None = Field(default=None, sa_type=sa.Text)
    made_at: int = Field(sa_type=BigInteger)
    valid_until: int = Field(sa_type=BigInteger)
    decided_at: int | None = Field(default=None, sa_type=BigInteger)
    evidence_id: str | None = Field(default=None, max_length=64)


@dataclass(frozen=True, slots=True)
class Asked:
    """What a kind of change says about one request: words, amount, whose firm decides, and what holds until then."""

    words: Mapping[str, str]
    owner: str
    basis: Any
    amount_minor: int = 0
    currency: str = "CNY"


@dataclass(frozen=True, slots=True)
class ChangeKind:
    """One kind of change. `look` checks a body and describes it; `apply` makes it hold (maker, checker given)."""

    name: str
    look: Callable[[Session, Mapping[str, Any]], Asked]
    apply: Callable[[Session, Mapping[str, Any], str, str], None]


class Changes:
    """The door to changes. Rooms offer their kinds with `offer`."""

    def __init__(self, desk: Desk, parties: Parties) -> None:
        self._desk = desk
        self._parties = parties
        self._kinds: dict[str, ChangeKind] = {}

    def offer(self, kind: ChangeKind) -> None:
        """Let this kind of change be asked for."""
        self._kinds[kind.name] = kind

    @property
    def kinds(self) -> Sequence[str]:
        """Names of the kinds offered."""
        return sorted(self._kinds)

    def request(self, session: Session, kind: str, body: Mapping[str, Any], maker: str) -> ChangeRequest:
        """Ask for a change; the same again by the same person gives the first request while it waits.

        Raises Problem `unknown_change`, `not_of_firm`, and what the kind refuses.
        """
        offered = self._kind(kind)
        asked = offered.look(session, body)
        firm = self._require_of_firm(session, maker, asked.owner)
        now = self._desk.clock.now()
        text = canonical_json(dict(body)).decode()
        basis = _digest(asked.basis)
        seed = hashlib.sha256(f"{kind}|{text}|{basis}|{maker}|".encode())
        waiting = session.exec(
            select(ChangeRequest).where(
                ChangeRequest.kind == kind,
                ChangeRequest.body == text,
                ChangeRequest.basis == basis,
                ChangeRequest.maker == maker,
                ChangeRequest.state == "waiting",
                ChangeRequest.valid_until > now,
            )
        ).first()
        if waiting is not None:
            return waiting
        count = session.exec(select(sa.func.count()).select_from(ChangeRequest)).one()
        seed.update(f"{count}".encode())
        row = ChangeRequest(
            id=reference_of(seed.digest(), "CHG"),
            organisation_id=firm.id,
            kind=kind,
            body=text,
            basis=basis,
            summary_en=asked.words["en"],
            summary_zh=asked.words["zh-CN"],
            amount_minor=asked.amount_minor,
            currency=asked.currency,
            maker=maker,
            made_at=now,
            valid_until=now + VALID_SECONDS,
        )
        session.add(row)
        session.flush()
        return row

    def approve(self, session: Session, change_id: str, checker: str) -> ChangeRequest:
        """A second person agrees, and the change holds; again gives the first answer.

        Raises Problem `same_person`, `not_of_firm`, `delegation_missing`, `change_stale` when what it changes was
        changed in between, `pending_act_over` when it was decided or its time is over.
        """
        row = self._need(session, change_id)
        if row.state == "done" and row.checker == checker:
            return row
        self._require_open(session, row, checker)
        self._require_delegation(session, row, checker)
        kind, body = self._kind(row.kind), json.loads(row.body)
        asked = kind.look(session, body)
        if _digest(asked.basis) != row.basis:
            raise Problem("change_stale", change=row.id)
        kind.apply(session, body, row.maker, checker)
        return self._decided(session, row, checker, "done")

    def send_back(self, session: Session, change_id: str, checker: str, reason: str) -> ChangeRequest:
        """A second person says no, with a reason. Raises Problem `reason_missing` and as `approve`."""
        row = self._need(session, change_id)
        self._require_open(session, row, checker)
        row.reason = require_reason(reason)
        return self._decided(session, row, checker, "rejected")

    def one(self, session: Session, change_id: str, organisation_id: int | None) -> ChangeRequest:
        """One request of a firm (None: of any). Raises Problem `unknown_pending_act`."""
        row = self._need(session, change_id)
        if organisation_id is not None and row.organisation_id != organisation_id:
            raise Problem("unknown_pending_act", act=change_id[:20])
        return row

    def of_firm(
        self, session: Session, organisation_id: int | None, *, waiting: bool = False, limit: int = 100
    ) -> Sequence[ChangeRequest]:
        """Requests of a firm (None: of all), newest first; with `waiting` those still to be decided."""
        query = select(ChangeRequest).order_by(col(ChangeRequest.made_at).desc(), col(ChangeRequest.id))
        if organisation_id is not None:
            query = query.where(ChangeRequest.organisation_id == organisation_id)
        if waiting:
            query = query.where(ChangeRequest.state == "waiting", ChangeRequest.valid_until > self._desk.clock.now())
        return session.exec(query.limit(limit)).all()

    # Inside ----------------------------------------------------------------------------------------------------------

    def _kind(self, name: str) -> ChangeKind:
        found = self._kinds.get(name)
        if found is None:
            raise Problem("unknown_change", change=name)
        return found

    def _need(self, session: Session, change_id: str) -> ChangeRequest:
        row = session.get(ChangeRequest, change_id)
        if row is None:
            raise Problem("unknown_pending_act", act=change_id[:20])
        return row

    def _require_open(self, session: Session, row: ChangeRequest, checker: str) -> None:
        own = self._parties.organisation_of(session, checker)
        if own is None or own.id != row.organisation_id:
            raise Problem("unknown_pending_act", act=row.id)
        if row.state != "waiting" or row.valid_until <= self._desk.clock.now():
            raise Problem("pending_act_over", state=row.state)
        if checker == row.maker:
            raise Problem("same_person", who=own.name)

    def _require_of_firm(self, session: Session, person: str, owner: str) -> Organisation:
        firm = self._parties.organisation_of(session, owner)
        own = self._parties.organisation_of(session, person)
        if firm is None or own is None:
            raise Problem("unknown_participant", who=owner if firm is None else person)
        if firm.id != own.id:
            raise Problem("not_of_firm", who=own.name, firm=firm.name)
        return firm

    def _require_delegation(self, session: Session, row: ChangeRequest, checker: str) -> None:
        """A checker who was given an amount for this is bound by it; one who was given none may check any."""
        given = [one for one in (session.get(Delegation, (checker, act)) for act in (row.kind, "*")) if one]
        if not given or not row.amount_minor:
            return
        now = self._desk.clock.now()
        valid = [one for one in given if one.valid_until > now and one.currency == row.currency]
        most = max((one.limit_minor for one in valid), default=0)
        if row.amount_minor > most:
            raise Problem(
                "delegation_missing",
                amount=format_money(row.amount_minor, row.currency),
                limit=format_money(most, row.currency),
                until=day_of(max(one.valid_until for one in given)).isoformat(),
            )

    def _decided(self, session: Session, row: ChangeRequest, checker: str, state: str) -> ChangeRequest:
        row.state, row.checker, row.decided_at = state, checker, self._desk.clock.now()
        facts = row.model_dump(exclude={"evidence_id"})
        row.evidence_id = evidence.record(
            session,
            canonical_json(facts),
            kind="change",
            source="scf",
            sender=checker,
            trust=Trust.T2,
            received_at=row.decided_at,
            name=f"{row.kind} {state}",
        ).evidence_id
        session.add(row)
        session.flush()
        return row


def require_reason(reason: str) -> str:
    """A reason in words. Raises Problem `reason_missing`."""
    said = reason.strip()
    if not said:
        raise Problem("reason_missing")
    return said[:1000]


def _digest(basis: Any) -> str:
    return hashlib.sha256(canonical_json({"basis": basis})).hexdigest()
