"""Two operators sign one act: the first signature is kept, the second carries it to the ledger.

What is signed carries the quorum's own counter. Where another act of the operators came in between, what was signed is
of no use any more, and both sign again.
"""

from __future__ import annotations

from sqlalchemy import BigInteger
from sqlmodel import Field, Session, SQLModel

from scf.desk.service import Desk, Prepared
from scf.kernel.problems import Problem
from scf.ledger.intents import sort_signatures
from scf.parties.models import Member
from scf.parties.service import Parties, Role


class QuorumFields(SQLModel):
    """Columns of an act two operators sign. `state`: open or done."""

    state: str = Field(default="open", index=True, max_length=10)
    nonce: int | None = Field(default=None, sa_type=BigInteger, description="The quorum's counter the first signed at")
    first_by: str | None = Field(default=None, max_length=42)
    first_signature: str | None = Field(default=None, max_length=400)
    second_by: str | None = Field(default=None, max_length=42)


def take_signature(
    session: Session, desk: Desk, row: QuorumFields, prepared: Prepared, by: Member, signature: bytes
) -> list[bytes] | None:
    """Keep the first operator's signature (None), or give both in their order once the second signs.

    Raises Problem `same_operator` when the first signs again and `signature_not_of_signer`.
    """
    desk.require_signature(prepared.contract, prepared.primary_type, prepared.message, by.key, signature)
    nonce, first = int(prepared.message["nonce"]), row.first_signature
    session.add(row)
    if first is None or row.nonce != nonce:
        row.first_by, row.first_signature, row.nonce = by.address, signature.hex(), nonce
        return None
    if row.first_by == by.address:
        raise Problem("same_operator")
    row.second_by = by.address
    return sort_signatures(prepared.digest, [bytes.fromhex(first), signature])


def require_operator(session: Session, who: str) -> Member:
    """The operator at an address. Raises Problem `operator_needed`."""
    member = session.get(Member, who)
    if member is None or not Role(member.roles) & Role.OPERATOR:
        raise Problem("operator_needed")
    return member


def seat_of(session: Session, parties: Parties, address: str) -> str:
    """What an operator is called: its duty at the platform."""
    found = [one.duty for one in parties.participants(session) if one.address == address]
    return found[0] if found else parties.name_of(session, address)
