"""Limits on the ledger: of an obligor's debt, of a group of obligors, of what a financier has bought.

Two operators sign each change, and the contracts enforce it. A group is a number there; its name is known here only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import BigInteger
from sqlmodel import Field, Session, col, select

from scf.desk.service import Desk, Prepared
from scf.kernel.identifiers import reference_of
from scf.kernel.money import currency as currency_of
from scf.kernel.money import format_money
from scf.kernel.problems import Problem
from scf.ledger.hashing import keccak
from scf.parties.models import CompanyGroup, ExposureLimit, Member
from scf.parties.service import Parties, Role
from scf.parties.two_operators import QuorumFields, require_operator, seat_of, take_signature

NO_LIMIT = 2**64 - 1
"""What the ledger keeps where there is no limit."""
MOST_MINOR = 2**63 - 1
KINDS = ("obligor", "group", "financier", "member")


class LimitAct(QuorumFields, table=True):
    """A change of a limit (or of who belongs to a group) that two operators sign. Amounts in minor units."""

    __tablename__ = "limit_act"

    id: str = Field(primary_key=True, max_length=40)
    kind: str = Field(max_length=10, description="obligor, group, financier, or member: an obligor joins a group")
    subject: str = Field(index=True, max_length=42, description="Address, or the number of a group")
    group_number: int = Field(default=0)
    currency: str = Field(default="CNY", max_length=3)
    limit_minor: int | None = Field(default=None, sa_type=BigInteger, description="None: no limit")
    opened_by: str = Field(max_length=42)
    opened_at: int = Field(sa_type=BigInteger)
    done_at: int | None = Field(default=None, sa_type=BigInteger)
    transaction: str | None = Field(default=None, max_length=66)


class Limits:
    """The door to changes of limits."""

    def __init__(self, desk: Desk, parties: Parties) -> None:
        self._desk = desk
        self._parties = parties

    def group(self, session: Session, name: str) -> int:
        """The number of a group by its name, given on first use. Raises Problem `group_name_missing`."""
        wanted = name.strip()[:80]
        if not wanted:
            raise Problem("group_name_missing")
        known = session.exec(select(CompanyGroup).where(CompanyGroup.name == wanted)).one_or_none()
        if known is None:
            last = session.exec(select(CompanyGroup.number).order_by(col(CompanyGroup.number).desc()).limit(1)).first()
            known = CompanyGroup(number=(last or 0) + 1, name=wanted)
            session.add(known)
            session.flush()
        return known.number

    def open(
        self,
        session: Session,
        *,
        kind: str,
        subject: str,
        by: str,
        currency: str = "CNY",
        limit_minor: int | None = None,
        group: str = "",
    ) -> LimitAct:
        """Prepare a change; the same one while it waits is given back.

        `subject` is the address of an obligor or a financier; for `group` it is the group's name, and for `member` the
        obligor that joins the group named `group` (blank: leaves its group). `limit_minor` None takes a limit away.

        Raises Problem `unknown_limit_kind`, `unknown_participant`, `role_of_subject`, `limit_needs_amount`.
        """
        if kind not in KINDS or (limit_minor is not None and not 0 <= limit_minor <= MOST_MINOR):
            raise Problem("unknown_limit_kind", kind=kind)
        if kind == "obligor" and limit_minor is None:
            raise Problem("limit_needs_amount")
        number = 0
        if kind == "group":
            number = self.group(session, subject)
            subject = str(number)
        else:
            self._require_role(session, subject, Role.FINANCIER if kind == "financier" else Role.OBLIGOR)
            number = self.group(session, group) if kind == "member" and group.strip() else 0
        code = currency_of(currency).code
        same = session.exec(
            select(LimitAct).where(
                LimitAct.kind == kind,
                LimitAct.subject == subject,
                LimitAct.group_number == number,
                LimitAct.currency == code,
                LimitAct.limit_minor == limit_minor,
                LimitAct.state == "open",
            )
        ).first()
        if same is not None:
            return same
        count = len(session.exec(select(LimitAct.id)).all())
        row = LimitAct(
            id=reference_of(keccak(f"{kind}|{subject}|{number}|{code}|{limit_minor}|{by}|{count}".encode()), "LIM"),
            kind=kind,
            subject=subject,
            group_number=number,
            currency=code,
            limit_minor=limit_minor,
            opened_by=by,
            opened_at=self._desk.clock.now(),
        )
        session.add(row)
        session.flush()
        return row

    def one(self, session: Session, act_id: str) -> LimitAct:
        """One change. Raises Problem `unknown_limit_act`."""
        row = session.get(LimitAct, act_id)
        if row is None:
            raise Problem("unknown_limit_act", act=act_id[:40])
        return row

    def all(self, session: Session, *, subject: str | None = None, waiting: bool = False) -> Sequence[LimitAct]:
        """Changes, those under way first, then the newest."""
        query = select(LimitAct).order_by(col(LimitAct.state).desc(), col(LimitAct.opened_at).desc(), col(LimitAct.id))
        if subject is not None:
            query = query.where(LimitAct.subject == subject)
        if waiting:
            query = query.where(LimitAct.state == "open")
        return session.exec(query.limit(500)).all()

    def typed(self, session: Session, row: LimitAct) -> Prepared:
        """What an operator signs now."""
        nonce = int(self._desk.contracts.members.read(self._desk.ledger, "quorumNonce"))
        limit = NO_LIMIT if row.limit_minor is None else row.limit_minor
        code = currency_of(row.currency)
        messages: Mapping[str, tuple[str, dict[str, Any]]] = {
            "obligor": ("SetLimit", {"obligor": row.subject, "limit": limit}),
            "group": ("SetGroupLimit", {"group": row.group_number, "currency": code.numeric, "limit": limit}),
            "financier": ("SetFinancierLimit", {"financier": row.subject, "currency": code.numeric, "limit": limit}),
            "member": ("SetGroup", {"obligor": row.subject, "group": row.group_number}),
        }
        primary, fields = messages[row.kind]
        summary = self.words(session, row)
        message = {**fields, "nonce": nonce}
        return self._desk.prepare(f"limit_{row.kind}", "Members", primary, message, signers=(), summary=summary)

    def words(self, session: Session, row: LimitAct) -> dict[str, str]:
        """The change in one sentence a language."""
        who = self._name(session, row)
        if row.kind == "member":
            if not row.group_number:
                return {"en": f"{who} leaves its group.", "zh-CN": f"{who} 退出所属集团。"}
            group = group_name(session, row.group_number)
            return {
                "en": f"{who} belongs to the group {group}: their debts count together.",
                "zh-CN": f"{who} 归入集团 {group}：欠款合并计算。",
            }
        if row.limit_minor is None:
            return {
                "en": f"The limit of {who} in {row.currency} is taken away.",
                "zh-CN": f"取消 {who} 的 {row.currency} 限额。",
            }
        amount = format_money(row.limit_minor, row.currency)
        return {
            "obligor": {"en": f"{who} may owe {amount} at most.", "zh-CN": f"{who} 的未付债务额度设为 {amount}。"},
            "group": {
                "en": f"The group {who} may owe {amount} at most, all its members together.",
                "zh-CN": f"集团 {who} 全部成员合计未付债务限额设为 {amount}。",
            },
            "financier": {
                "en": f"{who} may have bought {amount} at most.",
                "zh-CN": f"{who} 买入未兑付余额的限额设为 {amount}。",
            },
        }[row.kind]

    def turn(self, session: Session, row: LimitAct) -> dict[str, str]:
        """Whose turn it is."""
        if row.state == "done":
            return {
                "en": "Nobody's: two operators signed, and it holds on the ledger.",
                "zh-CN": "无需操作：两名运营人员已签署，账本已生效。",
            }
        if row.first_by is None:
            return {"en": "Two operators have to sign.", "zh-CN": "等待两名运营人员签署。"}
        seat = seat_of(session, self._parties, row.first_by)
        return {
            "en": f"A second operator has to sign; {seat} signed.",
            "zh-CN": f"{seat} 已签署，等待第二名运营人员签署。",
        }

    def sign(self, act_id: str, by: str, signature: bytes) -> LimitAct:
        """One operator signs. The second signature carries the change to the ledger, once.

        Raises Problem `operator_needed`, `unknown_limit_act`, `limit_act_over`, `same_operator`,
        `signature_not_of_signer`, and what the ledger refuses.
        """
        with self._desk.session() as session:
            member = require_operator(session, by)
        self.finished(act_id)
        with self._desk.session() as session:
            row = self.one(session, act_id)
            if row.state != "open":
                raise Problem("limit_act_over")
            prepared = self.typed(session, row)
            signatures = take_signature(session, self._desk, row, prepared, member, signature)
            if signatures is None:
                return row
            function = prepared.primary_type[0].lower() + prepared.primary_type[1:]
            values = [value for name, value in prepared.message.items() if name != "nonce"]
            call = self._desk.contracts.members.call(function, *values, signatures)
            reference = _reference(row)
        self._desk.relay([(reference, call)])
        return self.finished(act_id)

    def finished(self, act_id: str) -> LimitAct:
        """One change, marked as done where it stands on the ledger. Raises Problem `unknown_limit_act`."""
        with self._desk.session() as session:
            row = self.one(session, act_id)
            if row.state != "open" or row.second_by is None:
                return row
            reference = _reference(row)
        done = self._desk.sent(reference)
        with self._desk.session() as session:
            row = self.one(session, act_id)
            if done is not None:
                row.state, row.done_at, row.transaction = "done", done.timestamp, done.transaction_hash
                session.add(row)
            return row

    def _name(self, session: Session, row: LimitAct) -> str:
        return (
            group_name(session, row.group_number)
            if row.kind == "group"
            else self._parties.name_of(session, row.subject)
        )

    def _require_role(self, session: Session, who: str, role: Role) -> None:
        if not Role(self._parties.member(session, who).roles) & role:
            raise Problem("limit_of_other_role", who=self._parties.name_of(session, who), role=role.name or "")


def group_name(session: Session, number: int) -> str:
    """What a group is called; its number where this installation never named it."""
    known = session.get(CompanyGroup, number)
    return known.name if known else str(number)


def limit_of(session: Session, kind: str, subject: str, currency: str) -> int | None:
    """The ledger's limit of a group (by number) or a financier in a currency; None where there is none."""
    return session.exec(
        select(ExposureLimit.limit_minor).where(
            ExposureLimit.kind == kind, ExposureLimit.subject == subject, ExposureLimit.currency == currency
        )
    ).one_or_none()


def in_group(session: Session, number: int) -> list[str]:
    """Addresses of a group's obligors."""
    return list(session.exec(select(Member.address).where(Member.group_number == number)))


def _reference(row: LimitAct) -> str:
    return f"limit:{row.id}:{row.nonce}"
