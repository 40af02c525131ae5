"""Maker and checker: an act that needs two people waits until a second one, never the maker, has signed it too.

Both signatures are over the act's own digest, so that a two-key account on the ledger asks for the same two people this
table does. A checker acts within its delegation: an amount and an end date.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy import BigInteger
from sqlmodel import Field, Session, SQLModel, col, select

from scf.desk.service import Desk, Prepared
from scf.kernel.dates import day_of
from scf.kernel.money import format_money
from scf.kernel.problems import Problem
from scf.parties.models import Member, Organisation, Seat
from scf.parties.service import Parties
from scf.store.commands import canonical_json

VALID_SECONDS = 3 * 86_400
Submit = Callable[["PendingAct", Mapping[str, Any], Sequence[bytes]], Mapping[str, Any]]


class PendingAct(SQLModel, table=True):
    """An act signed by its maker, waiting for a checker. Times in unix seconds, amounts in minor units."""

    __tablename__ = "pending_act"

    id: str = Field(primary_key=True, max_length=66, description="Digest that both people sign")
    organisation_id: int = Field(index=True)
    account: str = Field(index=True, max_length=42, description="Member address the act is signed for")
    act: str = Field(max_length=40)
    contract: str = Field(max_length=40)
    primary_type: str = Field(max_length=40)
    message: str = Field(sa_type=sa.Text)
    summary_en: str = Field(sa_type=sa.Text)
    summary_zh: str = Field(sa_type=sa.Text)
    amount_minor: int = Field(default=0, sa_type=BigInteger)
    currency: str = Field(default="CNY", max_length=3)
    maker: str = Field(max_length=42)
    maker_signature: bytes = Field(sa_type=sa.LargeBinary)
    checker: str | None = Field(default=None, max_length=42)
    checker_signature: bytes | None = Field(default=None, sa_type=sa.LargeBinary)
    state: str = Field(default="waiting", index=True, max_length=10, description="waiting, approved, done or rejected")
    reason: str | None = Field(default=None, sa_type=sa.Text)
    reply: str | None = Field(default=None, sa_type=sa.Text)
    made_at: int = Field(sa_type=BigInteger)
    valid_until: int = Field(sa_type=BigInteger)
    decided_at: int | None = Field(default=None, sa_type=BigInteger)


class PendingContext(SQLModel, table=True):
    """What the door of an act needs beside its message (of a quote, rate and fees), JSON."""

    __tablename__ = "pending_context"

    act_id: str = Field(primary_key=True, max_length=66)
    context: str = Field(sa_type=sa.Text)


class Delegation(SQLModel, table=True):
    """What a person may check for its firm: up to an amount, until a moment. Without one nothing above zero."""

    __tablename__ = "delegation"
    __table_args__ = (sa.CheckConstraint("limit_minor >= 0", name="delegation_limit"),)

    person: str = Field(primary_key=True, max_length=42)
    act: str = Field(primary_key=True, max_length=40, description="Name of an act, or * for all")
    organisation_id: int = Field(index=True)
    limit_minor: int = Field(sa_type=BigInteger)
    currency: str = Field(default="CNY", max_length=3)
    valid_until: int = Field(sa_type=BigInteger)
    given_by: str = Field(max_length=42)
    given_at: int = Field(sa_type=BigInteger)


@dataclass(frozen=True, slots=True)
class Decision:
    """What became of a pending act."""

    id: str
    state: str
    reply: Mapping[str, Any]


class Approvals:
    """The door to pending acts and delegations."""

    def __init__(self, desk: Desk, parties: Parties) -> None:
        self._desk = desk
        self._parties = parties

    def delegate(
        self,
        session: Session,
        person: str,
        *,
        act: str,
        limit_minor: int,
        valid_until: int,
        given_by: str,
        currency: str = "CNY",
    ) -> Delegation:
        """Let a person check acts up to an amount and until a moment.

        Raises Problem `own_delegation` or `not_of_firm`.
        """
        organisation = self._organisation(session, person)
        if person == given_by:
            raise Problem("own_delegation", who=organisation.name)
        if self._organisation(session, given_by).id != organisation.id:
            raise Problem("not_of_firm", who=given_by, firm=organisation.name)
        row = session.merge(
            Delegation(
                person=person,
                act=act,
                organisation_id=organisation.id,
                limit_minor=limit_minor,
                currency=currency,
                valid_until=valid_until,
                given_by=given_by,
                given_at=self._desk.clock.now(),
            )
        )
        session.flush()
        return row

    def propose(
        self,
        session: Session,
        prepared: Prepared,
        maker: str,
        signature: bytes,
        *,
        amount_minor: int,
        currency: str = "CNY",
    ) -> PendingAct:
        """Keep an act its maker signed; the same again changes nothing.

        Raises Problem `signature_not_theirs` or `not_of_firm`.
        """
        account = prepared.signers[0]
        organisation = self._require_of_firm(session, maker, account)
        self._require_signature(session, prepared.contract, prepared.primary_type, prepared.message, maker, signature)
        key = "0x" + prepared.digest.hex()
        found = session.get(PendingAct, key)
        if found is not None:
            return found
        now = self._desk.clock.now()
        found = PendingAct(
            id=key,
            organisation_id=organisation.id,
            account=account,
            act=prepared.act,
            contract=prepared.contract,
            primary_type=prepared.primary_type,
            message=canonical_json(_plain(prepared.message)).decode(),
            summary_en=prepared.summary["en"],
            summary_zh=prepared.summary["zh-CN"],
            amount_minor=amount_minor,
            currency=currency,
            maker=maker,
            maker_signature=signature,
            made_at=now,
            valid_until=min(now + VALID_SECONDS, int(prepared.message.get("deadline", now + VALID_SECONDS))),
        )
        session.add(found)
        session.flush()
        return found

    def approve(self, act_id: str, checker: str, signature: bytes, submit: Submit) -> Decision:
        """A second person signs, and the act is submitted with both signatures; again gives the first answer.

        Raises Problem `same_person`, `not_of_firm`, `delegation_missing`, `signature_not_theirs`, `pending_act_over`,
        and whatever refuses the act itself; then it stays approved and can be submitted again.
        """
        with self._desk.session() as session:
            row = self._need(session, act_id)
            if row.state == "done":
                return Decision(row.id, row.state, json.loads(row.reply or "{}"))
            if row.state == "rejected" or row.valid_until <= self._desk.clock.now():
                raise Problem("pending_act_over", state=row.state)
            if checker == row.maker or (row.checker is not None and row.checker != checker):
                raise Problem("same_person", who=self._parties.name_of(session, checker))
            self._require_of_firm(session, checker, row.account)
            message = json.loads(row.message)
            self._require_signature(session, row.contract, row.primary_type, message, checker, signature)
            self._require_delegation(session, checker, row)
            row.checker, row.checker_signature, row.state = checker, signature, "approved"
            session.add(row)
        reply = submit(row, message, self._for_ledger(row, message, signature))
        with self._desk.session() as session:
            done = self._need(session, act_id)
            done.state, done.decided_at = "done", self._desk.clock.now()
            done.reply = canonical_json(dict(reply)).decode()
            session.add(done)
        return Decision(act_id, "done", reply)

    def reject(self, session: Session, act_id: str, checker: str, reason: str) -> Decision:
        """A second person says no, with a reason. Raises Problem `same_person`, `not_of_firm`, `pending_act_over`."""
        row = self._need(session, act_id)
        if row.state != "waiting":
            raise Problem("pending_act_over", state=row.state)
        if checker == row.maker:
            raise Problem("same_person", who=self._parties.name_of(session, checker))
        self._require_of_firm(session, checker, row.account)
        if not reason.strip():
            raise Problem("reason_missing")
        row.state, row.checker, row.reason = "rejected", checker, reason.strip()[:1000]
        row.decided_at = self._desk.clock.now()
        session.add(row)
        return Decision(row.id, row.state, {})

    def waiting(self, session: Session, organisation_id: int) -> Sequence[PendingAct]:
        """Acts of a firm that wait for a second person, oldest first."""
        return session.exec(
            select(PendingAct)
            .where(PendingAct.organisation_id == organisation_id, PendingAct.state == "waiting")
            .order_by(col(PendingAct.made_at), col(PendingAct.id))
        ).all()

    def of_firm(
        self, session: Session, organisation_id: int | None, *, waiting: bool = False, limit: int = 100
    ) -> Sequence[PendingAct]:
        """Acts of a firm (None: of all), newest first; with `waiting` those that wait and are not too old."""
        query = select(PendingAct).order_by(col(PendingAct.made_at).desc(), col(PendingAct.id))
        if organisation_id is not None:
            query = query.where(PendingAct.organisation_id == organisation_id)
        if waiting:
            open_states = col(PendingAct.state).in_(("waiting", "approved"))
            query = query.where(open_states, PendingAct.valid_until > self._desk.clock.now())
        return session.exec(query.limit(limit)).all()

    def one(self, session: Session, act_id: str, organisation_id: int | None) -> PendingAct:
        """One act of a firm (None: of any). Raises Problem `unknown_pending_act`."""
        row = self._need(session, act_id)
        if organisation_id is not None and row.organisation_id != organisation_id:
            raise Problem("unknown_pending_act", act=act_id[:12] + "…")
        return row

    # Inside ----------------------------------------------------------------------------------------------------------

    def _for_ledger(self, row: PendingAct, message: Mapping[str, Any], signature: bytes) -> list[bytes]:
        """The signatures the account's key asks for: one person's for a plain key, both for an account of two keys."""
        with self._desk.session() as session:
            member = session.get(Member, row.account)
        both = [row.maker_signature, signature]
        for one in both:
            if member and self._desk.signer_of(row.contract, row.primary_type, message, one) == member.key:
                return [one]
        return both

    def _need(self, session: Session, act_id: str) -> PendingAct:
        row = session.get(PendingAct, act_id)
        if row is None:
            raise Problem("unknown_pending_act", act=act_id[:12] + "…")
        return row

    def _organisation(self, session: Session, person: str) -> Organisation:
        found = self._parties.organisation_of(session, person)
        if found is None:
            raise Problem("unknown_participant", who=person)
        return found

    def _require_of_firm(self, session: Session, person: str, account: str) -> Organisation:
        firm, own = self._organisation(session, account), self._organisation(session, person)
        if firm.id != own.id:
            raise Problem("not_of_firm", who=own.name, firm=firm.name)
        return firm

    def _require_signature(
        self,
        session: Session,
        contract: str,
        primary_type: str,
        message: Mapping[str, Any],
        person: str,
        signature: bytes,
    ) -> None:
        member = session.get(Member, person)
        if self._desk.signer_of(contract, primary_type, message, signature) != (member.key if member else person):
            raise Problem("signature_not_theirs", who=self._parties.name_of(session, person))

    def _require_delegation(self, session: Session, person: str, row: PendingAct) -> None:
        now = self._desk.clock.now()
        given = [session.get(Delegation, (person, act)) for act in (row.act, "*")]
        valid = [one for one in given if one is not None and one.valid_until > now and one.currency == row.currency]
        if any(row.amount_minor <= one.limit_minor for one in valid):
            return
        most = max((one.limit_minor for one in valid), default=0)
        until = max((one.valid_until for one in given if one is not None), default=0)
        raise Problem(
            "delegation_missing",
            amount=format_money(row.amount_minor, row.currency),
            limit=format_money(most, row.currency),
            until=day_of(until).isoformat() if until else "-",
        )


def seat_person(session: Session, parties: Parties, address: str, organisation_id: int, duty: str) -> Seat:
    """Record a person's key for a firm; it needs no membership on the ledger to make or check acts."""
    return parties.seat(session, address, organisation_id, duty)


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return "0x" + value.hex()
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value
