"""Onboarding: a firm asks to take part with three answers, and the operator quorum enrols it on the ledger.

Nothing a firm typed itself is taken as checked: an application is filed as evidence of trust T0. Until two operators
have signed, the firm waits, visibly, with a day by which they decide.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlmodel import Field, Session, SQLModel, col, select

from scf.desk.service import Desk, Prepared
from scf.kernel.dates import BEIJING, from_unix
from scf.kernel.identifiers import new_reference, parse_uscc
from scf.kernel.money import format_money
from scf.kernel.problems import Problem
from scf.parties.models import Member, Organisation, Seat
from scf.parties.quorum import Quorum
from scf.parties.service import Enrolment, Parties, Role
from scf.store import evidence
from scf.store.commands import canonical_json
from scf.store.engine import BIG
from scf.store.evidence import Trust

DECIDE_SECONDS = 2 * 86_400
"""By when an application is decided: 48 hours, which every applicant is told."""
USUAL_HOURS = 24
_NEVER_USED = "IOZSV"
_BARRED = 3  # bits of a standing: suspended, blacklisted


class Application(SQLModel, table=True):
    """A firm that asked to take part. Times in unix seconds."""

    __tablename__ = "application"

    id: str = Field(primary_key=True, max_length=24)
    organisation_id: int = Field(index=True)
    address: str = Field(index=True, max_length=42, description="Member address to be enrolled")
    contact: str = Field(max_length=120)
    roles: int
    state: str = Field(default="waiting", index=True, max_length=10, description="waiting, enrolled or refused")
    reason: str | None = Field(default=None, sa_type=sa.Text)
    evidence_id: str = Field(max_length=64)
    asked_at: int = Field(sa_type=BIG)
    decide_by: int = Field(sa_type=BIG)
    decided_at: int | None = Field(default=None, sa_type=BIG)


class ApplicationTerms(SQLModel, table=True):
    """What operators grant beyond a supplier's place: how much an obligor may owe, and the bank that pays for it."""

    __tablename__ = "application_terms"

    application_id: str = Field(primary_key=True, max_length=24)
    limit_minor: int = Field(default=0, sa_type=BIG)
    paying_bank: str | None = Field(default=None, max_length=42)
    entered_by: str = Field(max_length=42)


def check_uscc(text: str) -> str:
    """A unified social credit code, upper case; says exactly what is wrong with any other text.

    Codes may begin with a letter. Raises Problem `uscc_length`, `uscc_character` or `uscc_mistyped`.
    """
    plain = "".join(text.split()).replace("-", "").upper()
    if len(plain) != 18:
        raise Problem("uscc_length", given=len(plain))
    odd = [char for char in plain if not (char.isascii() and char.isalnum()) or char in _NEVER_USED]
    if odd:
        raise Problem("uscc_character", odd=odd[0], place=plain.index(odd[0]) + 1)
    try:
        return parse_uscc(plain)
    except Problem as wrong:
        raise Problem("uscc_mistyped", text=plain) from wrong


_ROLE_WORDS: Mapping[Role, str] = {
    Role.OBLIGOR: "核心企业",
    Role.SUPPLIER: "供应商",
    Role.FINANCIER: "资金方",
    Role.BANK: "付款银行",
    Role.ATTESTOR: "证明方",
    Role.APPROVER: "放款审批方",
    Role.OPERATOR: "运营方",
    Role.AUDITOR: "审计机构",
    Role.REGULATOR: "监管机构",
}


def enrolment_words(name: str, enrolment: Enrolment, bank: str | None) -> dict[str, str]:
    """What operators sign when they enrol a firm, in both languages."""
    if enrolment.roles == Role.SUPPLIER:
        return {
            "en": f"Enrol {name} as a supplier; it may receive, pass on and sell notes.",
            "zh-CN": f"为 {name} 办理供应商入网，可签收、流转和转让凭证。",
        }
    held = [role for role in Role if role & enrolment.roles]
    roles_en = ", ".join(str(role.name).lower() for role in held)
    roles_zh = "、".join(_ROLE_WORDS[role] for role in held)
    words = {"en": f"Enrol {name} as {roles_en}.", "zh-CN": f"为 {name} 办理入网，角色：{roles_zh}。"}
    if enrolment.roles & Role.OBLIGOR:
        limit = format_money(enrolment.limit_minor, "CNY")
        words["en"] += f" It may owe up to {limit}" + (f"; {bank} pays for it." if bank else ".")
        words["zh-CN"] += f"应付额度 {limit}" + (f"，由 {bank} 付款。" if bank else "。")
    return words


class Onboarding:
    """The door for firms that are not here yet."""

    def __init__(self, desk: Desk, parties: Parties) -> None:
        self._desk = desk
        self._parties = parties
        self.quorum = Quorum(desk)

    def known(self, session: Session, uscc: str) -> Organisation | None:
        """The organisation registered under a code, or None. Raises as `check_uscc`."""
        return session.exec(select(Organisation).where(Organisation.uscc == check_uscc(uscc))).one_or_none()

    def account_of(self, session: Session, organisation_id: int) -> Member | None:
        """The enrolled address at which a firm receives notes, or None. Raises Problem `firm_barred`."""
        query = (
            select(Member)
            .join(Seat, col(Seat.address) == col(Member.address))
            .where(Seat.organisation_id == organisation_id)
            .order_by(col(Seat.duty) != "account", col(Member.enrolled_at))
        )
        for member in session.exec(query):
            if member.roles & Role.SUPPLIER:
                if member.standing & _BARRED:
                    raise Problem("firm_barred", firm=self._parties.name_of(session, member.address))
                return member
        return None

    def apply(
        self, session: Session, name: str, uscc: str, contact: str, address: str, *, roles: Role = Role.SUPPLIER
    ) -> Application:
        """File what a firm says of itself; it waits for the operators.

        Raises Problem `organisation_exists`, `firm_name_missing`, `address_taken`, and as `check_uscc`.
        """
        code, plain = check_uscc(uscc), " ".join(name.split())[:120]
        if len(plain) < 2:
            raise Problem("firm_name_missing")
        if session.get(Seat, address) is not None:
            raise Problem("address_taken", address=address)
        firm = self._parties.register(session, plain, uscc=code)
        self._parties.seat(session, address, firm.id, "account")
        said = {"name": plain, "uscc": code, "contact": contact, "address": address}
        return self.file(session, firm.id, said, roles=roles, source="applicant", sender=address)

    def file(
        self, session: Session, organisation_id: int, said: Mapping[str, Any], *, roles: Role, source: str, sender: str
    ) -> Application:
        """Keep what was said of a firm (`address` and `contact` among it) as evidence; it waits for the operators."""
        now = self._desk.clock.now()
        kept = evidence.record(
            session,
            canonical_json({**said, "asked_at": now}),
            kind="application",
            source=source,
            sender=sender,
            trust=Trust.T0,
            received_at=now,
            name=f"application-{said.get('uscc') or organisation_id}.json",
        )
        row = Application(
            id=new_reference("J"),
            organisation_id=organisation_id,
            address=said["address"],
            contact=said["contact"],
            roles=int(roles),
            evidence_id=kept.evidence_id,
            asked_at=now,
            decide_by=now + DECIDE_SECONDS,
        )
        session.add(row)
        session.flush()
        return row

    def get(self, session: Session, application_id: str) -> Application:
        """One application. Raises Problem `unknown_application`."""
        row = session.get(Application, application_id)
        if row is None:
            raise Problem("unknown_application", application=application_id[:24])
        return row

    def of_organisation(self, session: Session, organisation_id: int) -> Application | None:
        """The latest application of a firm, or None."""
        query = select(Application).where(Application.organisation_id == organisation_id)
        return session.exec(query.order_by(col(Application.asked_at).desc()).limit(1)).one_or_none()

    def at(self, session: Session, address: str) -> Application | None:
        """The application that waits for an address, or None."""
        query = select(Application).where(Application.address == address, Application.state == "waiting")
        return session.exec(query).first()

    def all(self, session: Session, *, state: str | None = None, limit: int = 100) -> Sequence[Application]:
        """Applications, the one to be decided soonest first."""
        query = select(Application).order_by(col(Application.state) != "waiting", col(Application.decide_by))
        return session.exec((query.where(Application.state == state) if state else query).limit(limit)).all()

    def prepare(self, application_id: str) -> Prepared:
        """What two operators sign to enrol the firm. Raises Problem `unknown_application` or `application_decided`."""
        with self._desk.session() as session:
            row = self._waiting(session, application_id)
            name = self._parties.name_of(session, row.address)
            terms = session.get(ApplicationTerms, application_id)
            enrolment = Enrolment(
                row.address,
                row.organisation_id,
                Role(row.roles),
                limit_minor=terms.limit_minor if terms else 0,
                paying_bank=terms.paying_bank if terms else None,
            )
            bank = self._parties.name_of(session, terms.paying_bank) if terms and terms.paying_bank else None
            nonce = self.quorum.standing(session, application_id).nonce
        prepared = self._parties.prepare_enrolment([enrolment], nonce=nonce)
        prepared.summary.update(enrolment_words(name, enrolment, bank))
        return prepared

    def sign(self, application_id: str, signature: bytes, *, caller: str) -> Application:
        """One operator signs; the firm is enrolled with the signature that makes the quorum.

        Raises as `prepare`, `Quorum.add` and `enrol`.
        """
        prepared = self.prepare(application_id)
        with self._desk.session() as session:
            parts = self.quorum.add(session, application_id, prepared, signature)
            row = self.get(session, application_id)
        return row if parts is None else self.enrol(application_id, prepared.message, parts, caller=caller)

    def enrol(
        self, application_id: str, message: Mapping[str, Any], signatures: Sequence[bytes], *, caller: str
    ) -> Application:
        """Enrol the firm by operator quorum; again gives the same. Raises what the ledger refuses."""
        with self._desk.session() as session:
            row = self.get(session, application_id)
            if row.state == "enrolled":
                return row
            self._waiting(session, application_id)
            if [one["member"] for one in message["e"]] != [row.address]:
                raise Problem("unknown_application", application=application_id)
        self._parties.enrol(f"enrol:{application_id}:{message['nonce']}", caller, message, signatures)
        return self._decide(application_id, "enrolled", None)

    def refuse(self, application_id: str, reason: str) -> Application:
        """Say no, with a reason the firm can read. Raises Problem `reason_missing` or `application_decided`."""
        if not reason.strip():
            raise Problem("reason_missing")
        with self._desk.session() as session:
            self._waiting(session, application_id)
            self.quorum.forget(session, application_id)
        return self._decide(application_id, "refused", reason.strip()[:500])

    def catch_up(self, session: Session) -> None:
        """Note as enrolled whom the ledger has enrolled meanwhile, by whatever way."""
        for row in self.all(session, state="waiting"):
            if session.get(Member, row.address) is not None:
                row.state, row.decided_at = "enrolled", self._desk.clock.now()
                session.add(row)

    def turn(self, row: Application) -> dict[str, str]:
        """One sentence a language: whose turn it is, since when, until when."""
        moments = (from_unix(at).astimezone(BEIJING) for at in (row.asked_at, row.decide_by))
        asked, until = (f"{moment:%Y-%m-%d %H:%M}" for moment in moments)
        if row.state == "waiting":
            return {
                "en": f"Two operators have to enrol the firm, since {asked}, by {until}; usually {USUAL_HOURS} hours.",
                "zh-CN": f"自 {asked} 起等待两名运营人员办理入网，最迟 {until}，通常 {USUAL_HOURS} 小时。",
            }
        if row.state == "refused":
            return {"en": f"Refused: {row.reason}", "zh-CN": f"未通过：{row.reason}"}
        return {"en": "Enrolled.", "zh-CN": "已入网。"}

    def _waiting(self, session: Session, application_id: str) -> Application:
        row = self.get(session, application_id)
        if row.state != "waiting":
            raise Problem("application_decided", state=row.state)
        return row

    def _decide(self, application_id: str, state: str, reason: str | None) -> Application:
        with self._desk.session() as session:
            row = self.get(session, application_id)
            row.state, row.reason, row.decided_at = state, reason, self._desk.clock.now()
            session.add(row)
        return row
