"""Questions to the books of entrusted accounts. All reads of these tables are here."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlmodel import Session, col, or_, select

from scf.entrusted.models import Approval, Attestation, Dispute, Duty, EntrustedAccount, Movement, Stage, StageRule
from scf.kernel.problems import Problem


def account(session: Session, account_id: int) -> EntrustedAccount:
    """One account. Raises Problem `unknown_entrusted_account`."""
    found = session.get(EntrustedAccount, account_id)
    if found is None:
        raise Problem("unknown_entrusted_account", account=account_id)
    return found


def stage(session: Session, account_id: int, number: int) -> Stage:
    """One stage. Raises Problem `unknown_stage`."""
    found = session.get(Stage, (account_id, number))
    if found is None:
        raise Problem("unknown_stage", account=account_id, stage=number)
    return found


def not_paid_out(session: Session, account_id: int, minor: int) -> int:
    """Of so much paid into an account, the most that no payee got, in minor units: it goes back to the payer."""
    row = account(session, account_id)
    return min(minor, row.amount_minor - row.released_minor)


def stages(session: Session, account_id: int) -> Sequence[Stage]:
    """Stages in order."""
    return session.exec(select(Stage).where(Stage.account_id == account_id).order_by(col(Stage.stage))).all()


def accounts(
    session: Session, *, party: str | None = None, after: int = 0, limit: int = 50
) -> Sequence[EntrustedAccount]:
    """Accounts by number, of one party or all; `after` is the last number seen."""
    query = select(EntrustedAccount).where(EntrustedAccount.id > after)
    if party is not None:
        query = query.where(
            or_(
                EntrustedAccount.payer == party,
                EntrustedAccount.beneficiary == party,
                EntrustedAccount.bank == party,
            )
        )
    return session.exec(query.order_by(col(EntrustedAccount.id)).limit(limit)).all()


def attestations(session: Session, account_id: int, number: int) -> Sequence[Attestation]:
    """Evidence vouched for in a stage, oldest first."""
    return session.exec(
        select(Attestation)
        .where(Attestation.account_id == account_id, Attestation.stage == number)
        .order_by(col(Attestation.attested_at), col(Attestation.attestor))
    ).all()


def approvals(session: Session, account_id: int, number: int) -> Sequence[Approval]:
    """Approvals of a stage, oldest first."""
    return session.exec(
        select(Approval)
        .where(Approval.account_id == account_id, Approval.stage == number)
        .order_by(col(Approval.approved_at), col(Approval.approver))
    ).all()


def duties(session: Session, account_id: int, duty: int) -> Sequence[str]:
    """Addresses with a duty: 1 attestors, 2 approvers."""
    return session.exec(
        select(Duty.who).where(Duty.account_id == account_id, Duty.duty == duty).order_by(col(Duty.who))
    ).all()


def movements(session: Session, account_id: int) -> Sequence[Movement]:
    """Releases and refunds in the order the bank executed them."""
    return session.exec(
        select(Movement)
        .where(Movement.account_id == account_id)
        .order_by(col(Movement.executed_at), col(Movement.payment_id))
    ).all()


def out_under(session: Session, account_id: int, number: int, payment_id: str) -> tuple[str, int] | None:
    """(release or refund, minor units of it that have not come back) of a payment of a stage; None where none is."""
    paid = session.get(Movement, payment_id)
    if paid is None or (paid.account_id, paid.stage) != (account_id, number) or paid.kind == "returned":
        return None
    back = session.exec(select(Movement.amount_minor).where(Movement.returns == payment_id)).all()
    return paid.kind, paid.amount_minor + sum(back)


def last_dispute(session: Session, account_id: int, number: int) -> Dispute | None:
    """The newest hold of a part of a stage, raised or by a payment that came back."""
    return session.exec(
        select(Dispute)
        .where(Dispute.account_id == account_id, Dispute.stage == number, col(Dispute.raised_by).is_not(None))
        .order_by(col(Dispute.at).desc(), col(Dispute.id).desc())
    ).first()


def disputes(session: Session, account_id: int) -> Sequence[Dispute]:
    """Disputes raised and resolved, oldest first."""
    return session.exec(
        select(Dispute).where(Dispute.account_id == account_id).order_by(col(Dispute.at), col(Dispute.id))
    ).all()


def refuse_taking_back(session: Session, orders: Collection[str]) -> None:
    """Raise Problem `undo_after_release` when a stage of one of these orders was attested, approved or released."""
    rules = select(StageRule.rule).where(col(StageRule.order_reference).in_(orders))
    stages = session.exec(select(Stage).where(col(Stage.rule).in_(rules))).all() if orders else []
    for stage in stages:
        for acts in (Attestation, Approval, Movement):
            query = select(acts).where(acts.account_id == stage.account_id, acts.stage == stage.stage)
            if session.exec(query.limit(1)).first() is not None:
                raise Problem("undo_after_release", account=stage.account_id, stage=stage.stage + 1)
