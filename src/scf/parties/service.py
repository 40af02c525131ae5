"""Parties: register an organisation, enrol its addresses on the ledger by operator quorum, and say who is who."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntFlag
from typing import Any

from sqlmodel import Session, col, select

from scf.desk.service import Desk, Done, Prepared
from scf.kernel.identifiers import parse_uscc
from scf.kernel.problems import Problem
from scf.ledger.types import Call
from scf.parties.models import Member, Organisation, Seat

ZERO_ADDRESS = "0x" + "0" * 40


class Role(IntFlag):
    """Role bits of a member's word on the ledger (contract library Roles)."""

    OBLIGOR = 1
    SUPPLIER = 2
    FINANCIER = 4
    BANK = 8
    ATTESTOR = 16
    APPROVER = 32
    OPERATOR = 64
    AUDITOR = 128
    REGULATOR = 256


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What the operator quorum signs to let an address take part. `key` defaults to the address itself."""

    member: str
    organisation_id: int
    roles: Role
    limit_minor: int = 0
    paying_bank: str | None = None
    key: str | None = None


@dataclass(frozen=True, slots=True)
class Participant:
    """An address with the organisation behind it, for those who may know."""

    address: str
    organisation_id: int
    name: str
    roles: Role
    duty: str


class Parties:
    """The only door to the registry of organisations and the books of members."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def register(
        self,
        session: Session,
        name: str,
        *,
        uscc: str | None = None,
        country: str = "CN",
        size: str = "small",
        organisation_id: int | None = None,
    ) -> Organisation:
        """Register a legal entity. Raises Problem `wrong_check_digit` or `organisation_exists`."""
        code = parse_uscc(uscc) if uscc else None
        if code and session.exec(select(Organisation).where(Organisation.uscc == code)).first():
            raise Problem("organisation_exists", uscc=code)
        if organisation_id is None:
            last = session.exec(select(Organisation.id).order_by(col(Organisation.id).desc()).limit(1)).first()
            organisation_id = (last or 0) + 1
        row = Organisation(
            id=organisation_id,
            name=name,
            uscc=code,
            country=country,
            size=size,
            salt=secrets.token_hex(16),
            created_at=self._desk.clock.now(),
        )
        session.add(row)
        session.flush()
        return row

    def find(self, session: Session, organisation_id: int) -> Organisation | None:
        """An organisation by its number, or None."""
        return session.get(Organisation, organisation_id)

    def seat(self, session: Session, address: str, organisation_id: int, duty: str) -> Seat:
        """Record that an address stands for an organisation; the same again changes nothing."""
        found = session.get(Seat, address)
        if found is None:
            found = Seat(address=address, organisation_id=organisation_id, duty=duty, created_at=self._desk.clock.now())
            session.add(found)
            session.flush()
        return found

    def prepare_enrolment(self, enrolments: Sequence[Enrolment], *, nonce: int | None = None) -> Prepared:
        """Typed data for the operators: all of these or none. `nonce` where others go first."""
        with self._desk.session() as session:
            rows = [self._message(session, enrolment) for enrolment in enrolments]
        if nonce is None:
            nonce = self._desk.contracts.members.read(self._desk.ledger, "quorumNonce")
        count = len(rows)
        return self._desk.prepare(
            "enrol",
            "Members",
            "EnrolMany",
            {"e": rows, "nonce": nonce},
            signers=(),
            summary={
                "en": f"Enrol {count} addresses with their roles and limits.",
                "zh-CN": f"为 {count} 个地址办理入网，授予角色与额度。",
            },
        )

    def enrolment_call(self, message: Mapping[str, Any], signatures: Sequence[bytes]) -> Call:
        """The ledger call of signed enrolments."""
        return self._desk.contracts.members.call("enrolMany", message["e"], list(signatures))

    def enrol(
        self, key: str, caller: str, message: Mapping[str, Any], signatures: Sequence[bytes]
    ) -> Mapping[str, Any]:
        """Enrol by operator quorum; idempotent by `key`."""
        body = {"members": [row["member"] for row in message["e"]], "nonce": message["nonce"]}

        def reply(done: Done) -> Mapping[str, Any]:
            return {"enrolled": body["members"], "transaction": done.transaction_hash}

        return self._desk.once(key, caller, "enrol", body, lambda: self.enrolment_call(message, signatures), reply)

    def participants(self, session: Session) -> list[Participant]:
        """All enrolled addresses with names, in the order of organisations."""
        rows = session.exec(
            select(Member, Seat, Organisation)
            .join(Seat, col(Seat.address) == col(Member.address))
            .join(Organisation, col(Organisation.id) == col(Seat.organisation_id))
            .order_by(col(Organisation.id), col(Seat.duty))
        )
        return [
            Participant(member.address, organisation.id, organisation.name, Role(member.roles), seat.duty)
            for member, seat, organisation in rows
        ]

    def people(self, session: Session) -> list[Participant]:
        """People with a key of their own who act for a firm as maker or checker without being members themselves.

        They see what their firm's account sees, and no act stands by their key alone.
        """
        accounts = {item.organisation_id: item.roles for item in self.participants(session) if item.duty == "account"}
        members = select(Member.address)
        rows = session.exec(
            select(Seat, Organisation)
            .join(Organisation, col(Organisation.id) == col(Seat.organisation_id))
            .where(col(Seat.address).not_in(members))
            .order_by(col(Organisation.id), col(Seat.duty))
        )
        return [
            Participant(seat.address, firm.id, firm.name, accounts[firm.id], seat.duty)
            for seat, firm in rows
            if firm.id in accounts
        ]

    def account_of(self, session: Session, organisation_id: int, role: Role) -> str | None:
        """The address by which a firm acts in a role: its first member that has it, or None."""
        return session.exec(
            select(Member.address)
            .where(Member.organisation_id == organisation_id, col(Member.roles).op("&")(int(role)) != 0)
            .order_by(col(Member.enrolled_at), col(Member.address))
            .limit(1)
        ).first()

    def member(self, session: Session, address: str) -> Member:
        """One member in good standing. Raises Problem `unknown_participant` or `participant_not_in_standing`."""
        found = session.get(Member, address)
        if found is None:
            raise Problem("unknown_participant", who=address)
        if found.standing & 3:
            raise Problem("participant_not_in_standing", who=self.name_of(session, address))
        return found

    def organisation_of(self, session: Session, address: str) -> Organisation | None:
        """The organisation an address stands for."""
        seat = session.get(Seat, address)
        return session.get(Organisation, seat.organisation_id) if seat else None

    def organisation_id(self, session: Session, address: str) -> int | None:
        """Number of the organisation an address stands for, or None."""
        return session.exec(select(Seat.organisation_id).where(Seat.address == address)).one_or_none()

    def name_of(self, session: Session, address: str) -> str:
        """The organisation's name, or a shortened address."""
        organisation = self.organisation_of(session, address)
        return organisation.name if organisation else f"{address[:8]}…{address[-4:]}"

    def known_as(self, session: Session, address: str) -> set[str]:
        """All by which the organisation behind an address may sign a document: its name, code and seats."""
        firm = self.organisation_of(session, address)
        if firm is None:
            return {address, self.name_of(session, address)}
        seats = session.exec(select(col(Seat.address)).where(col(Seat.organisation_id) == firm.id)).all()
        return {address, firm.name, *seats} | ({firm.uscc} if firm.uscc else set())

    def names(self, session: Session) -> dict[str, str]:
        """Names by address, for lists."""
        rows = session.exec(
            select(Seat.address, Organisation.name).join(
                Organisation, col(Organisation.id) == col(Seat.organisation_id)
            )
        )
        return dict(rows.all())

    def _message(self, session: Session, enrolment: Enrolment) -> dict[str, Any]:
        organisation = session.get(Organisation, enrolment.organisation_id)
        if organisation is None:
            raise Problem("unknown_organisation", organisation=enrolment.organisation_id)
        identity = hashlib.sha256(
            bytes.fromhex(organisation.salt) + (organisation.uscc or organisation.name).encode()
        ).digest()
        return {
            "member": enrolment.member,
            "key": enrolment.key or enrolment.member,
            "organisation": enrolment.organisation_id,
            "roles": int(enrolment.roles),
            "limit": enrolment.limit_minor,
            "payingBank": enrolment.paying_bank or ZERO_ADDRESS,
            "identity": identity,
        }
