"""Tables of the room: facts as they came, whose case they belong to, what the rule said, and the queue of exceptions.

Facts, allocations and verdicts are only ever added; a later row names the one it supersedes. A case row is the current
summary for queries, an exception row carries a decision.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import CheckConstraint, Index, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from scf.store.engine import BIG
from scf.store.schema import append_only

_AWAITING: dict[str, Any] = {
    "sqlite_where": text("awaits_payment IS 1"),
    "postgresql_where": text("awaits_payment IS true"),
}
"""Only cases that still wait for money are looked for by party and amount; paid ones leave the index."""

_OVERPAID: dict[str, Any] = {"sqlite_where": text("open_minor < 0"), "postgresql_where": text("open_minor < 0")}
"""What was paid beyond the due of one case may be meant for another of its party."""


@append_only
class FactRow(SQLModel, table=True):
    """One fact as it was said. `content` is the fact as JSON; the columns beside it are what queries need."""

    __tablename__ = "recon_fact"

    id: int = Field(primary_key=True, sa_type=BIG, sa_column_kwargs={"autoincrement": False})
    digest: str = Field(max_length=64, unique=True)
    identity: str | None = Field(default=None, max_length=64, index=True)
    kind: str = Field(max_length=16)
    source: str = Field(max_length=128)
    trust: int
    evidence_id: str = Field(max_length=64)
    content: str
    taken_at: int = Field(sa_type=BIG)


@append_only
class FactWithdrawn(SQLModel, table=True):
    """A fact that counts no more: replaced by a later one of the same source, or declared an error."""

    __tablename__ = "recon_fact_withdrawn"

    fact_id: int = Field(primary_key=True, sa_type=BIG, foreign_key="recon_fact.id")
    by_fact_id: int = Field(sa_type=BIG, foreign_key="recon_fact.id")


class FactUndone(SQLModel, table=True):
    """A fact taken back with the import that brought it. Said again, it stands again and the mark goes."""

    __tablename__ = "recon_fact_undone"

    fact_id: int = Field(
        primary_key=True, sa_type=BIG, foreign_key="recon_fact.id", sa_column_kwargs={"autoincrement": False}
    )
    undone_at: int = Field(sa_type=BIG)


class NameRow(SQLModel, table=True):
    """A reference by which facts find each other: one that a fact bears (`owned`) or one that it waits for."""

    __tablename__ = "recon_name"
    __table_args__ = (Index("recon_name_lookup", "norm", "owned"), Index("recon_name_case", "case_id"))

    id: int | None = Field(default=None, primary_key=True, sa_type=BIG)
    norm: str = Field(max_length=80)
    raw: str = Field(max_length=140)
    role: str = Field(max_length=12)
    owned: bool
    fact_id: int = Field(sa_type=BIG, index=True)
    case_id: int | None = Field(default=None, sa_type=BIG)
    buyer: str | None = Field(default=None, max_length=140)
    seller: str | None = Field(default=None, max_length=140)


class CaseRow(SQLModel, table=True):
    """One order and where it stands. Amounts in minor units; `open_minor` is what is still to be paid."""

    __tablename__ = "recon_case"
    __table_args__ = (
        Index("recon_case_awaiting", "seller", "currency", "open_minor", **_AWAITING),
        Index("recon_case_account", "account", "currency", "open_minor", **_AWAITING),
        Index("recon_case_overpaid", "seller", "currency", **_OVERPAID),
        Index("recon_case_overpaid_account", "account", "currency", **_OVERPAID),
        Index("recon_case_norm", "norm"),
        Index("recon_case_review", "review_day"),
    )

    id: int = Field(primary_key=True, sa_type=BIG, sa_column_kwargs={"autoincrement": False})
    order_reference: str = Field(max_length=140)
    norm: str = Field(max_length=80)
    buyer: str | None = Field(default=None, max_length=140)
    seller: str | None = Field(default=None, max_length=140)
    account: str | None = Field(default=None, max_length=64)
    currency: str | None = Field(default=None, max_length=3)
    flags: int = Field(default=0, sa_type=BIG)
    reason: str = Field(default="EXPECTED", max_length=24, index=True)
    verdict_id: int | None = Field(default=None, sa_type=BIG)
    payable_minor: int | None = Field(default=None, sa_type=BIG)
    paid_minor: int | None = Field(default=None, sa_type=BIG)
    open_minor: int | None = Field(default=None, sa_type=BIG)
    awaits_payment: bool = Field(default=False)
    goods_day: int | None = None
    review_day: int | None = None


class InvoiceRow(SQLModel, table=True):
    """What an invoice asks for, to find the same one sent twice; `twin_of` is the earlier invoice it looks like."""

    __tablename__ = "recon_invoice"
    __table_args__ = (
        Index("recon_invoice_twin", "seller", "currency", "payable_minor"),
        Index("recon_invoice_case", "case_id", "twin_of"),
    )

    fact_id: int = Field(
        primary_key=True, sa_type=BIG, foreign_key="recon_fact.id", sa_column_kwargs={"autoincrement": False}
    )
    seller: str = Field(max_length=140)
    currency: str = Field(max_length=3)
    payable_minor: int = Field(sa_type=BIG)
    day: int
    number: str = Field(max_length=140)
    source: str = Field(max_length=128)
    evidence_id: str = Field(max_length=64)
    case_id: int = Field(sa_type=BIG)
    twin_of: int | None = Field(default=None, sa_type=BIG)


class WaitingPayment(SQLModel, table=True):
    """A payment that belongs to no case yet; the row goes when it finds one."""

    __tablename__ = "recon_waiting_payment"
    __table_args__ = (
        Index("recon_waiting_seller", "seller", "currency", "amount_minor"),
        Index("recon_waiting_account", "account", "currency", "amount_minor"),
    )

    fact_id: int = Field(
        primary_key=True, sa_type=BIG, foreign_key="recon_fact.id", sa_column_kwargs={"autoincrement": False}
    )
    seller: str | None = Field(default=None, max_length=140)
    buyer: str | None = Field(default=None, max_length=140)
    account: str | None = Field(default=None, max_length=64)
    currency: str = Field(max_length=3)
    amount_minor: int = Field(sa_type=BIG)
    day: int
    nameless: bool


class Allocation(SQLModel, table=True):
    """How much of a fact belongs to a case, by which method and how sure. Ended, never deleted."""

    __tablename__ = "recon_allocation"
    __table_args__ = (
        Index("recon_allocation_case", "case_id", "ended_by"),
        Index("recon_allocation_fact", "fact_id", "ended_by"),
        UniqueConstraint("fact_id", "case_id", "generation"),
        CheckConstraint("confidence BETWEEN 1 AND 1000", name="recon_allocation_confidence"),
    )

    id: int = Field(primary_key=True, sa_type=BIG, sa_column_kwargs={"autoincrement": False})
    fact_id: int = Field(sa_type=BIG, foreign_key="recon_fact.id")
    case_id: int = Field(sa_type=BIG, foreign_key="recon_case.id")
    generation: int = 0
    amount_minor: int | None = Field(default=None, sa_type=BIG)
    payable_minor: int | None = Field(default=None, sa_type=BIG)
    method: str = Field(max_length=32)
    confidence: int
    rule_version: int
    ended_by: int | None = Field(default=None, sa_type=BIG)


@append_only
class VerdictRow(SQLModel, table=True):
    """What the rule said of a case at one moment: rule and terms, the facts it saw, and the verdict it supersedes."""

    __tablename__ = "recon_verdict"

    id: int = Field(primary_key=True, sa_type=BIG, sa_column_kwargs={"autoincrement": False})
    case_id: int = Field(sa_type=BIG, foreign_key="recon_case.id", index=True)
    supersedes: int | None = Field(default=None, sa_type=BIG)
    rule_id: str = Field(max_length=40)
    rule_version: int
    terms: str = Field(max_length=400)
    as_of_day: int
    flags: int = Field(sa_type=BIG)
    reason: str = Field(max_length=24)
    confidence: int
    fact_ids: str
    judged_at: int = Field(sa_type=BIG)


class ExceptionRow(SQLModel, table=True):
    """One disagreement in the queue: the two values that disagree, and the tolerance in thousandths (`limit_milli`).

    Exactly one of `case_id` and `fact_id` is set: a fact that belongs nowhere is an exception of its own.
    """

    __tablename__ = "recon_exception"
    __table_args__ = (
        Index("recon_exception_queue", "state", "deadline_day", "id"),
        Index("recon_exception_case", "case_id", "state"),
        CheckConstraint("state IN ('open', 'decided', 'resolved')", name="recon_exception_state"),
        CheckConstraint("(state = 'decided') = (decision IS NOT NULL)", name="recon_exception_decision"),
    )

    id: int = Field(primary_key=True, sa_type=BIG, sa_column_kwargs={"autoincrement": False})
    case_id: int | None = Field(default=None, sa_type=BIG)
    fact_id: int | None = Field(default=None, sa_type=BIG, index=True)
    verdict_id: int | None = Field(default=None, sa_type=BIG)
    code: str = Field(max_length=24, index=True)
    severity: str = Field(max_length=8)
    field: str = Field(max_length=24)
    left_value: int = Field(sa_type=BIG)
    right_value: int = Field(sa_type=BIG)
    limit_milli: int = Field(default=0, sa_type=BIG)
    left_text: str | None = Field(default=None, max_length=300)
    right_text: str | None = Field(default=None, max_length=300)
    currency: str | None = Field(default=None, max_length=3)
    reference: str = Field(max_length=140)
    suggestion: str | None = None
    owner: str = Field(max_length=80, index=True)
    deadline_day: int
    opened_at: int = Field(sa_type=BIG)
    state: str = Field(default="open", max_length=8)
    closed_at: int | None = Field(default=None, sa_type=BIG)
    decision: str | None = Field(default=None, max_length=16)
    decision_reason: str | None = Field(default=None, max_length=600)
    decision_evidence: str | None = Field(default=None, max_length=64)
    decided_by: str | None = Field(default=None, max_length=80)
