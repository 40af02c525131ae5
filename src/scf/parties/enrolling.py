"""Enrol the firms that nobody invites: operators, core enterprises, banks, financiers, auditors.

By operators' keys that are at hand (`enrol_firm`), or as an application that two operators sign where their keys are
(`ask_to_enrol`).
"""

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
from scf.parties.onboarding import Application, ApplicationTerms, Onboarding, check_uscc
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
    contact: str = ""


def enrol_firm(desk: Desk, parties: Parties, newcomer: Newcomer, operators: Sequence[bytes]) -> str:
    """Register a firm, give it its seat and enrol it by the operators' private keys; returns its address.

    Two keys become a contract account that answers only when both signed. A firm known by its code gets a further
    seat. Doing it again changes nothing. Raises Problem `unknown_role`, `two_keys_at_most`, as `check_uscc`, and what
    the ledger refuses.
    """
    keys, roles = _keys_and_roles(newcomer)
    address = keys[0] if len(keys) == 1 else _account_of_two(desk, keys)
    with desk.session() as session:
        if session.get(Member, address) is not None:
            return address
        seat = session.get(Seat, address) or _seats(session, parties, newcomer, address, keys)
        bank = checksum(canonical(newcomer.paying_bank)) if newcomer.paying_bank else None
        enrolment = Enrolment(address, seat.organisation_id, roles, limit_minor=newcomer.limit_minor, paying_bank=bank)
    prepared = parties.prepare_enrolment([enrolment])
    signatures = quorum_digest(list(operators), prepared.digest)
    parties.enrol(f"firm:{address}:{prepared.message['nonce']}", "operators", prepared.message, signatures)
    return address


def ask_to_enrol(desk: Desk, onboarding: Onboarding, parties: Parties, newcomer: Newcomer, by: str) -> Application:
    """File a firm for two operators to sign; the same address again gives the application that waits.

    `by` is the operator who entered it. Raises Problem `address_taken`, `firm_name_missing`, and as `enrol_firm`.
    """
    keys, roles = _keys_and_roles(newcomer)
    if len(" ".join(newcomer.name.split())) < 2:
        raise Problem("firm_name_missing")
    address = keys[0] if len(keys) == 1 else _account_of_two(desk, keys)
    with desk.session() as session:
        if session.get(Seat, address) is not None:
            waiting = onboarding.at(session, address)
            if waiting is None:
                raise Problem("address_taken", address=address)
            return waiting
        seat = _seats(session, parties, newcomer, address, keys)
        said = {
            "name": newcomer.name,
            "uscc": newcomer.uscc,
            "contact": newcomer.contact,
            "address": address,
            "keys": keys,
            "roles": list(newcomer.roles),
        }
        row = onboarding.file(session, seat.organisation_id, said, roles=roles, source="operator", sender=by)
        bank = checksum(canonical(newcomer.paying_bank)) if newcomer.paying_bank else None
        session.add(
            ApplicationTerms(application_id=row.id, limit_minor=newcomer.limit_minor, paying_bank=bank, entered_by=by)
        )
        return row


def _keys_and_roles(newcomer: Newcomer) -> tuple[list[str], Role]:
    keys = sorted((checksum(canonical(one)) for one in newcomer.keys), key=str.lower)
    roles = Role(0)
    for name in newcomer.roles:
        if name.upper() not in Role.__members__:
            raise Problem("unknown_role", role=name[:40], roles=", ".join(name.lower() for name in Role.__members__))
        roles |= Role[name.upper()]
    if len(set(keys)) != len(keys) or len(keys) not in (1, 2):
        raise Problem("two_keys_at_most", given=len(keys))
    return keys, roles


def _seats(session: Session, parties: Parties, newcomer: Newcomer, address: str, keys: Sequence[str]) -> Seat:
    """The firm's seat, and those of maker and checker where the account has two keys."""
    firm = _known(session, newcomer) or parties.register(session, newcomer.name, uscc=newcomer.uscc)
    seat = parties.seat(session, address, firm.id, newcomer.duty)
    people = [checksum(canonical(one)) for one in newcomer.keys] if len(keys) == 2 else []
    for owner, duty in zip(people, ("maker", "checker"), strict=False):
        parties.seat(session, owner, firm.id, duty)
    return seat


def _known(session: Session, newcomer: Newcomer) -> Organisation | None:
    if newcomer.uscc is None:
        return session.exec(select(Organisation).where(Organisation.name == newcomer.name)).first()
    code = check_uscc(newcomer.uscc)
    return session.exec(select(Organisation).where(Organisation.uscc == code)).one_or_none()


def _account_of_two(desk: Desk, owners: Sequence[str]) -> str:
    """The contract account of maker and checker, created on first use."""
    return desk.deploy(f"account:{':'.join(owners)}".lower(), creation_code("QuorumAccount", list(owners), 2))
