"""How a held part of a stage ends by agreement, and the urgent path: money out on one organisation's evidence.

The ledger knows no urgency: without a second organisation's evidence only payer and beneficiary together let money
out. An urgent release is such an agreement, within a cap, with one organisation's evidence, two approvals and the risk
note of the bank. The second organisation's evidence is owed afterwards; once late, nothing else of the account moves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import BigInteger, exists
from sqlmodel import Field, Session, SQLModel, col, select
from sqlmodel.sql.expression import SelectOfScalar

from scf.desk.service import Desk, Prepared
from scf.entrusted import queries
from scf.entrusted.acts import ACTS
from scf.entrusted.models import Dispute, StatedWords
from scf.entrusted.service import SIGNATURE_VALID_SECONDS, EntrustedAccounts
from scf.kernel.dates import day_of
from scf.kernel.money import format_money
from scf.kernel.problems import Problem
from scf.parties.service import Parties

URGENT_CAP_MINOR = 500_000_00
"""The most one urgent release may be; larger ones wait for the second organisation."""
CHECK_WITHIN_SECONDS = 10 * 86_400
"""Within this long the second organisation's evidence has to follow."""


class UrgentRelease(SQLModel, table=True):
    """Money let out before the second organisation was heard. Amounts in minor units, times in unix seconds.

    Filed when it is prepared; it counts once the payer's signed dispute with this reason is on the ledger.
    """

    __tablename__ = "urgent_release"

    account_id: int = Field(primary_key=True, sa_type=BigInteger, sa_column_kwargs={"autoincrement": False})
    stage: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    amount_minor: int = Field(sa_type=BigInteger)
    up_to_minor: int = Field(sa_type=BigInteger, description="Value the second evidence has to support in all")
    reason: str = Field(
        max_length=66, primary_key=True, description="Hash of the words with the bank's risk note; see `StatedWords`"
    )
    asked_at: int = Field(sa_type=BigInteger)
    check_by: int = Field(sa_type=BigInteger)
    checked_at: int | None = Field(default=None, sa_type=BigInteger)


class Settling:
    """The door to agreed endings and urgent releases of entrusted money."""

    def __init__(self, desk: Desk, parties: Parties, room: EntrustedAccounts) -> None:
        self._desk = desk
        self._parties = parties
        self._room = room
        room.holds_back = self.require_checked

    def prepare_resolve(
        self, account_id: int, number: int, to_release_minor: int, to_refund_minor: int, reason: str
    ) -> Prepared:
        """Typed data with which payer and beneficiary end the hold of a disputed part: so much out, so much back.

        Raises Problem `nothing_disputed` above what is held, `dispute_without_words`.
        """
        with self._desk.session() as session:
            row = queries.account(session, account_id)
            stage = queries.stage(session, account_id, number)
            if not 0 < to_release_minor + to_refund_minor <= stage.disputed_minor:
                raise Problem(
                    "nothing_disputed", stage=number + 1, held=format_money(stage.disputed_minor, row.currency)
                )
            stated = self._room.state_words(session, reason, "dispute", row.payer)
        out, back = (format_money(minor, row.currency) for minor in (to_release_minor, to_refund_minor))
        message: dict[str, Any] = {
            "accountId": account_id,
            "stage": number,
            "toRelease": to_release_minor,
            "toRefund": to_refund_minor,
            "reason": stated,
            "deadline": self._desk.clock.now() + SIGNATURE_VALID_SECONDS,
        }
        return self._desk.prepare(
            "resolve",
            "EntrustedAccounts",
            ACTS["resolve"].primary_type,
            message,
            signers=(row.payer, row.beneficiary),
            summary={
                "en": f"You agree on the held part of stage {number + 1}: {out} is released, {back} goes back.",
                "zh-CN": f"双方就第 {number + 1} 阶段被冻结部分达成一致：释放 {out}，退回 {back}。",
            },
        )

    def prepare_urgent(
        self, account_id: int, number: int, amount_minor: int, why: str, risk_note: str
    ) -> tuple[Prepared, UrgentRelease]:
        """First step of an urgent release: the payer sets the part aside; `prepare_resolve` lets it out.

        Raises Problem `urgent_without_note`, `urgent_above_cap`, `urgent_not_supported` (one organisation's evidence
        and two approvals are needed), `urgent_unchecked` while an earlier one is not checked.
        """
        if not why.strip() or not risk_note.strip():
            raise Problem("urgent_without_note")
        with self._desk.session() as session:
            row = queries.account(session, account_id)
            if not 0 < amount_minor <= URGENT_CAP_MINOR:
                raise Problem(
                    "urgent_above_cap",
                    amount=format_money(amount_minor, row.currency),
                    cap=format_money(URGENT_CAP_MINOR, row.currency),
                )
            if any(one.checked_at is None for one in self.of_account(session, account_id)):
                raise Problem("urgent_unchecked", account=account_id)
            stage = queries.stage(session, account_id, number)
            up_to = stage.released_minor + amount_minor
            vouched = [one for one in queries.attestations(session, account_id, number) if one.up_to_minor >= up_to]
            agreed = [one for one in queries.approvals(session, account_id, number) if one.up_to_minor >= up_to]
            if not vouched or len({one.approver for one in agreed}) < 2:
                raise Problem("urgent_not_supported", stage=number + 1)
            rules, answer = self._room.rules, self._room.agreement(session, account_id, number, up_to)
            decision = rules.releasing(
                session, stage, amount_minor, answer, held_minor=stage.disputed_minor, risk_note=risk_note, urgent=True
            )
            rules.keep(session, decision, f"account {account_id} stage {number} urgent")
        words = f"Urgent: {why.strip()} Risk note of the bank: {risk_note.strip()}"
        prepared = self._room.prepare_dispute(account_id, number, row.payer, amount_minor, words)
        now = self._desk.clock.now()
        with self._desk.session() as session:
            asked = session.merge(
                UrgentRelease(
                    account_id=account_id,
                    stage=number,
                    amount_minor=amount_minor,
                    up_to_minor=up_to,
                    reason=str(prepared.message["reason"]),
                    asked_at=now,
                    check_by=now + CHECK_WITHIN_SECONDS,
                )
            )
            session.flush()
        return prepared, asked

    def check(self, session: Session) -> int:
        """Tick off urgent releases whose second organisation has vouched by now; returns how many."""
        ticked = 0
        for one in session.exec(_signed().where(col(UrgentRelease.checked_at).is_(None))).all():
            vouched = {
                organisation.id
                for row in queries.attestations(session, one.account_id, one.stage)
                if row.up_to_minor >= one.up_to_minor
                and (organisation := self._parties.organisation_of(session, row.attestor)) is not None
            }
            if len(vouched) >= 2:
                one.checked_at = self._desk.clock.now()
                session.add(one)
                ticked += 1
        session.flush()
        return ticked

    def of_account(self, session: Session, account_id: int) -> Sequence[UrgentRelease]:
        """Urgent releases of an account that were signed, by stage."""
        query = _signed().where(UrgentRelease.account_id == account_id)
        return session.exec(query.order_by(col(UrgentRelease.stage), col(UrgentRelease.asked_at))).all()

    def late(self, session: Session) -> Sequence[UrgentRelease]:
        """Urgent releases whose check is due and missing: the account is held until it comes."""
        return late_urgent(session, self._desk.clock.now())

    def words(self, session: Session, one: UrgentRelease) -> Mapping[str, str]:
        """What an urgent release is, why, and by when it is checked."""
        said = session.get(StatedWords, one.reason)
        account = queries.account(session, one.account_id)
        amount, day = format_money(one.amount_minor, account.currency), day_of(one.check_by).isoformat()
        why = said.words if said else "—"
        return {
            "en": f"{amount} of stage {one.stage + 1} went out urgently; a second organisation vouches by {day}. {why}",
            "zh-CN": f"第 {one.stage + 1} 阶段紧急支付 {amount}，须于 {day} 前补充第二家机构的证据。{why}",
        }

    def require_checked(self, session: Session, account_id: int) -> None:
        """Nothing moves while an urgent release is past its check. Raises Problem `urgent_unchecked`."""
        self.check(session)
        if any(one.account_id == account_id for one in self.late(session)):
            raise Problem("urgent_unchecked", account=account_id)


def _signed() -> SelectOfScalar[UrgentRelease]:
    """Urgent releases whose dispute is on the ledger; what was only prepared binds nobody."""
    on_ledger = exists().where(
        col(Dispute.account_id) == UrgentRelease.account_id, col(Dispute.reason) == UrgentRelease.reason
    )
    return select(UrgentRelease).where(on_ledger)


def late_urgent(session: Session, now: int) -> Sequence[UrgentRelease]:
    """Signed urgent releases whose check was due by `now` and is missing, the oldest first."""
    query = _signed().where(col(UrgentRelease.checked_at).is_(None), UrgentRelease.check_by <= now)
    return session.exec(query.order_by(col(UrgentRelease.check_by))).all()
