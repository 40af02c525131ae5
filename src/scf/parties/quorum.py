"""Operators sign an enrolment one after the other, each at an own desk: the first signature waits for the second.

The ledger counts what its operators did, and the count is part of what is signed. Firms that wait half signed take
consecutive counts, so that a second operator can go through them in the order in which the first one did.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlmodel import Field, Session, SQLModel, col, select

from scf.desk.service import Desk, Prepared
from scf.kernel.problems import Problem
from scf.ledger.intents import sort_signatures
from scf.ledger.signing import canonical, recover_digest
from scf.store.engine import BIG


class OperatorPart(SQLModel, table=True):
    """One operator's signature over one enrolment; worth nothing once the ledger has counted past its nonce."""

    __tablename__ = "operator_part"

    application_id: str = Field(primary_key=True, max_length=24)
    signer: str = Field(primary_key=True, max_length=42)
    nonce: int = Field(sa_type=BIG)
    signature: bytes = Field(sa_type=sa.LargeBinary)
    made_at: int = Field(sa_type=BIG)


@dataclass(frozen=True, slots=True)
class Signing:
    """How far the operators are with one application: who signed, how many it takes, and what has to go first."""

    signers: Sequence[str]
    needed: int
    nonce: int
    first: str | None
    """The application the ledger takes before this one, if there is one."""


class Quorum:
    """Keeps operators' signatures until there are enough of them."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def standing(self, session: Session, application_id: str) -> Signing:
        """How far the operators are with an application, and the count its signatures are made for."""
        members, ledger = self._desk.contracts.members, self._desk.ledger
        now, needed = int(members.read(ledger, "quorumNonce")), int(members.read(ledger, "threshold"))
        turns: dict[int, str] = {}
        rows = session.exec(select(OperatorPart).where(OperatorPart.nonce >= now).order_by(col(OperatorPart.nonce)))
        live = list(rows)
        for row in live:
            turns.setdefault(row.nonce, row.application_id)
        free = next(count for count in range(now, now + len(turns) + 1) if count not in turns)
        own = next((nonce for nonce, number in turns.items() if number == application_id and nonce < free), None)
        nonce = free if own is None else own
        signers = [row.signer for row in live if row.application_id == application_id and row.nonce == nonce]
        return Signing(signers, needed, nonce, turns[now] if nonce > now and own is not None else None)

    def add(self, session: Session, application_id: str, prepared: Prepared, signature: bytes) -> list[bytes] | None:
        """Keep one operator's signature; all of them, as the ledger takes them, once there are enough.

        Raises Problem `not_an_operator`, `operator_signed_already`, or `enrolment_out_of_turn` when this signature
        would be the last one and another application has to go first.
        """
        signer = recover_digest(prepared.digest, signature)
        operators = {canonical(who) for who in self._desk.contracts.members.read(self._desk.ledger, "operatorList")}
        if canonical(signer) not in operators:
            raise Problem("not_an_operator", who=signer)
        standing = self.standing(session, application_id)
        if signer in standing.signers:
            raise Problem("operator_signed_already")
        last = len(standing.signers) + 1 >= standing.needed
        if last and standing.first is not None:
            raise Problem("enrolment_out_of_turn", application=standing.first)
        session.merge(
            OperatorPart(
                application_id=application_id,
                signer=signer,
                nonce=int(prepared.message["nonce"]),
                signature=signature,
                made_at=self._desk.clock.now(),
            )
        )
        session.flush()
        if not last:
            return None
        rows = session.exec(select(OperatorPart).where(OperatorPart.application_id == application_id))
        parts = [row.signature for row in rows if row.nonce == prepared.message["nonce"]]
        return sort_signatures(prepared.digest, parts)

    def forget(self, session: Session, application_id: str) -> None:
        """An application was refused: what was signed for it is worth nothing, and the next in turn moves up."""
        session.exec(sa.delete(OperatorPart).where(col(OperatorPart.application_id) == application_id))
