"""Enrol the first firms of an installation: those that nobody invites, by operators' keys that are at hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlmodel import Session, select

from scf.desk.service import Desk
from scf.kernel.problems import Problem
from scf.ledger.deploy import creation_code
from scf.ledger.intents import quorum_digest
from scf.ledger.signing import canonical, checksum
from scf.parties.models import Member, Organisation, Seat
from scf.parties.onboarding import check_uscc
from scf.parties.service import Enrolment, Parties, Role


@dataclass(frozen=True, slots=True)
class Newcomer:
    """A firm to be enrolled: one key, or two of which both have to sign (maker and checker). Money in minor units."""

    name: str
    uscc: str | None
    keys: tuple[str, ...]
    roles: tuple[str, ...]
    duty: str = "account"
    limit_minor: int = 0
    paying_bank: str | None = None


def enrol_firm(desk: Desk, parties: Parties, newcomer: Newcomer, operators: Sequence[bytes]) -> str:
    """Register a firm, give it its seat and enrol it by the operators' private keys; returns its address.

    Two keys become a contract account that answers only when both signed. A firm known by its code gets a further
    seat. Doing it again changes nothing. Raises Problem `unknown_role`, `two_keys_at_most`, as `check_uscc`, and what
    the ledger refuses.
    """
    keys = sorted((checksum(canonical(one)) for one in newcomer.keys), key=str.lower)
    roles = Role(0)
    for name in newcomer.roles:
        if name.upper() not in Role.__members__:
            raise Problem("unknown_role", role=name[:40], roles=", ".join(name.lower() for name in Role.__members__))
        roles |= Role[name.upper()]
    if len(keys) not in (1, 2):
        raise Problem("two_keys_at_most", given=len(keys))
    address = keys[0] if len(keys) == 1 else _account_of_two(desk, keys)
    with desk.session() as session:
        if session.get(Member, address) is not None:
            return address
        seat = session.get(Seat, address)
        if seat is None:
            firm = _known(session, newcomer) or parties.register(session, newcomer.name, uscc=newcomer.uscc)
            seat = parties.seat(session, address, firm.id, newcomer.duty)
            for owner, duty in zip(keys, ("maker", "checker"), strict=False) if len(keys) == 2 else ():
                parties.seat(session, owner, firm.id, duty)
        bank = checksum(canonical(newcomer.paying_bank)) if newcomer.paying_bank else None
        enrolment = Enrolment(address, seat.organisation_id, roles, limit_minor=newcomer.limit_minor, paying_bank=bank)
    prepared = parties.prepare_enrolment([enrolment])
    signatures = quorum_digest(list(operators), prepared.digest)
    parties.enrol(f"firm:{address}:{prepared.message['nonce']}", "operators", prepared.message, signatures)
    return address


def _known(session: Session, newcomer: Newcomer) -> Organisation | None:
    if newcomer.uscc is None:
        return session.exec(select(Organisation).where(Organisation.name == newcomer.name)).first()
    code = check_uscc(newcomer.uscc)
    return session.exec(select(Organisation).where(Organisation.uscc == code)).one_or_none()


def _account_of_two(desk: Desk, owners: Sequence[str]) -> str:
    """The contract account of maker and checker, created on first use."""
    return desk.deploy(f"account:{':'.join(owners)}".lower(), creation_code("QuorumAccount", list(owners), 2))
