"""The simulated bank's post room: orders taken in, instructions waiting, files to be collected, days closed.

Everything a start after `kill -9` needs is in these tables, written in the same transaction as the bookings.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

import sqlalchemy as sa
from sqlmodel import Session

from scf.bank.accounts import METADATA
from scf.standards.bank_records import PaymentInstruction
from scf.standards.records import Party
from scf.store.engine import BIG

messages = sa.Table(
    "sim_message",
    METADATA,
    sa.Column("message_id", sa.String(35), primary_key=True),
    sa.Column("digest", sa.String(64), nullable=False),
    sa.Column("received_at", BIG, nullable=False),
    sa.Column("answer_file", BIG),
)
instructions = sa.Table(
    "sim_instruction",
    METADATA,
    sa.Column("message_id", sa.String(35), sa.ForeignKey("sim_message.message_id"), primary_key=True),
    sa.Column("place", sa.Integer, primary_key=True),
    sa.Column("end_to_end_id", sa.String(35), nullable=False),
    sa.Column("instruction_id", sa.String(35)),
    sa.Column("payment_information_id", sa.String(35)),
    sa.Column("uetr", sa.String(36), nullable=False),
    sa.Column("debtor", sa.String(140), nullable=False),
    sa.Column("debtor_account", sa.String(34), nullable=False),
    sa.Column("creditor", sa.String(140), nullable=False),
    sa.Column("creditor_account", sa.String(34), nullable=False),
    sa.Column("creditor_agent", sa.String(35)),
    sa.Column("amount_minor", BIG, nullable=False),
    sa.Column("currency", sa.String(3), nullable=False),
    sa.Column("remittance", sa.String(140), nullable=False),
    sa.Column("structured_reference", sa.String(35)),
    sa.Column("execute_on", sa.Date, nullable=False),
    sa.Column("scheduled_on", sa.Date),
    sa.Column("status", sa.String(4), nullable=False),
    sa.Column("reason_code", sa.String(4)),
    sa.Column("reason", sa.String(210)),
    sa.Column("booking_reference", sa.String(35)),
    sa.Index("ix_sim_instruction_due", "status", "scheduled_on"),
    sa.Index(
        "ux_sim_instruction_once",
        "debtor_account",
        "end_to_end_id",
        unique=True,
        sqlite_where=sa.text("status <> 'RJCT'"),
        postgresql_where=sa.text("status <> 'RJCT'"),
    ),
)
files = sa.Table(
    "sim_file",
    METADATA,
    sa.Column("id", BIG, primary_key=True),
    sa.Column("name", sa.String(80), nullable=False),
    sa.Column("raw", sa.LargeBinary, nullable=False),
    sa.Column("created_at", BIG, nullable=False),
    sa.Column("not_before", BIG, nullable=False),
    sa.Column("wanted", sa.Integer, nullable=False),
    sa.Column("delivered", sa.Integer, nullable=False),
    sa.Index("ix_sim_file_open", "delivered", "id"),
)
statements = sa.Table(
    "sim_statement",
    METADATA,
    sa.Column("account", sa.String(34), sa.ForeignKey("sim_account.number"), primary_key=True),
    sa.Column("sequence", sa.Integer, primary_key=True),
    sa.Column("day", sa.Date, nullable=False),
    sa.Column("opening_minor", BIG, nullable=False),
    sa.Column("closing_minor", BIG, nullable=False),
    sa.UniqueConstraint("account", "day"),
)
closed_day = sa.Table(
    "sim_closed_day",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("day", sa.Date, nullable=False),
)


@dataclass(slots=True)
class Handling:
    """One instruction and what the bank made of it; `status` is an ISO 20022 payment status."""

    message_id: str
    place: int
    instruction: PaymentInstruction
    status: str = ""
    scheduled_on: date | None = None
    reason_code: str | None = None
    reason: str | None = None
    booking_reference: str | None = None

    def refuse(self, code: str, reason: str) -> None:
        """Refuse with an ISO external status reason code."""
        self.status, self.reason_code, self.reason = "RJCT", code, reason
        self.scheduled_on = None


def message_of(session: Session, message_id: str) -> sa.RowMapping | None:
    """The message taken in under this id, or None."""
    return session.execute(sa.select(messages).where(messages.c.message_id == message_id)).mappings().one_or_none()


def taken_before(session: Session, items: Sequence[PaymentInstruction]) -> set[tuple[str, str]]:
    """Pairs (debtor account, end-to-end id) among `items` that an earlier message brought and that were not refused."""
    found: set[tuple[str, str]] = set()
    names = sorted({item.end_to_end_id for item in items})
    for start in range(0, len(names), 500):
        query = sa.select(instructions.c.debtor_account, instructions.c.end_to_end_id).where(
            instructions.c.end_to_end_id.in_(names[start : start + 500]), instructions.c.status != "RJCT"
        )
        found.update((account, name) for account, name in session.execute(query).tuples())
    return found


def keep(session: Session, handled: Sequence[Handling]) -> None:
    """Store instructions with what was decided about them."""
    rows = []
    for item in handled:
        order = item.instruction
        rows.append(
            {
                "message_id": item.message_id,
                "place": item.place,
                "end_to_end_id": order.end_to_end_id,
                "instruction_id": order.instruction_id,
                "payment_information_id": order.payment_information_id,
                "uetr": order.uetr,
                "debtor": order.debtor.name,
                "debtor_account": order.debtor.account,
                "creditor": order.creditor.name,
                "creditor_account": order.creditor.account,
                "creditor_agent": order.creditor_agent,
                "amount_minor": order.amount_minor,
                "currency": order.currency,
                "remittance": order.remittance[:140],
                "structured_reference": order.structured_reference,
                "execute_on": order.execute_on,
            }
            | _decision(item)
        )
    session.connection().execute(sa.insert(instructions), rows)


def update(session: Session, handled: Sequence[Handling]) -> None:
    """Store what was decided since about instructions that waited."""
    change = sa.update(instructions).where(
        instructions.c.message_id == sa.bindparam("of_message"), instructions.c.place == sa.bindparam("at_place")
    )
    values = [_decision(item) | {"of_message": item.message_id, "at_place": item.place} for item in handled]
    if values:
        session.connection().execute(
            change.values({name: sa.bindparam(name) for name in _decision(handled[0])}), values
        )


def due_days(session: Session, until: date) -> list[date]:
    """Days up to `until` on which instructions wait to be executed."""
    query = sa.select(instructions.c.scheduled_on).distinct().order_by(instructions.c.scheduled_on)
    waiting = query.where(instructions.c.status == "PDNG", instructions.c.scheduled_on <= until)
    return [day for day in session.execute(waiting).scalars() if day is not None]


def due(session: Session, day: date) -> list[Handling]:
    """Instructions that wait for `day`, in the order they came."""
    query = sa.select(instructions).join(messages)
    waiting = query.where(instructions.c.status == "PDNG", instructions.c.scheduled_on <= day)
    ordered = waiting.order_by(messages.c.received_at, instructions.c.message_id, instructions.c.place)
    return [_handling(row) for row in session.execute(ordered).mappings()]


def put_file(session: Session, name: str, raw: bytes, at: int, *, wanted: int = 1, late_seconds: int = 0) -> int:
    """Leave a file to be collected `wanted` times, `late_seconds` from now, and return its number."""
    last = session.execute(sa.select(sa.func.coalesce(sa.func.max(files.c.id), 0))).scalar_one()
    row = {
        "id": int(last) + 1,
        "name": name,
        "raw": raw,
        "created_at": at,
        "not_before": at + late_seconds,
        "wanted": wanted,
        "delivered": 0,
    }
    session.execute(sa.insert(files).values(row))
    return int(last) + 1


def _decision(item: Handling) -> dict[str, object]:
    return {
        "scheduled_on": item.scheduled_on,
        "status": item.status,
        "reason_code": item.reason_code,
        "reason": None if item.reason is None else item.reason[:210],
        "booking_reference": item.booking_reference,
    }


def _handling(row: sa.RowMapping) -> Handling:
    order = PaymentInstruction(
        end_to_end_id=row["end_to_end_id"],
        amount_minor=row["amount_minor"],
        currency=row["currency"],
        execute_on=row["execute_on"],
        debtor=Party(row["debtor"], account=row["debtor_account"]),
        creditor=Party(row["creditor"], account=row["creditor_account"]),
        creditor_agent=row["creditor_agent"],
        remittance=row["remittance"],
        structured_reference=row["structured_reference"],
        instruction_id=row["instruction_id"],
        uetr=row["uetr"],
        payment_information_id=row["payment_information_id"],
    )
    return Handling(
        message_id=row["message_id"],
        place=row["place"],
        instruction=order,
        status=row["status"],
        scheduled_on=row["scheduled_on"],
        reason_code=row["reason_code"],
        reason=row["reason"],
        booking_reference=row["booking_reference"],
    )


def grouped(handled: Iterable[Handling]) -> dict[str, list[Handling]]:
    """Instructions by the message they came in."""
    found: dict[str, list[Handling]] = {}
    for item in handled:
        found.setdefault(item.message_id, []).append(item)
    return found
