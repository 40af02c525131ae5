"""Questions to the books of receivables and notes. All reads of these tables are here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import func
from sqlmodel import Session, col, select

from scf.kernel.money import pro_rata
from scf.kernel.problems import Problem
from scf.receivables.models import MassShare, Note, NoteState, Payment, Receivable, ReceivableState, Settlement

OPEN_STATES = (NoteState.OFFERED, NoteState.HELD, NoteState.LOCKED, NoteState.MASS)


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over receivables of one currency, in minor units."""

    receivables: int
    face_minor: int
    outstanding_minor: int
    paid_minor: int


def receivable(session: Session, receivable_id: int) -> Receivable:
    """One receivable. Raises Problem `unknown_receivable`."""
    found = session.get(Receivable, receivable_id)
    if found is None:
        raise Problem("unknown_receivable", receivable=receivable_id)
    return found


def note(session: Session, note_id: str) -> Note:
    """One note. Raises Problem `unknown_note`."""
    found = session.get(Note, note_id)
    if found is None:
        raise Problem("unknown_note", note=note_id)
    return found


def notes_of_receivable(session: Session, receivable_id: int) -> Sequence[Note]:
    """All notes of a receivable, parents before children."""
    return session.exec(
        select(Note)
        .where(Note.receivable_id == receivable_id)
        .order_by(col(Note.tier), col(Note.made_at), col(Note.parent_id), col(Note.child_index))
    ).all()


def notes_held(session: Session, holder: str) -> Sequence[Note]:
    """Notes an address holds with value in them, soonest maturity first."""
    return session.exec(
        select(Note)
        .join(Receivable, col(Receivable.id) == col(Note.receivable_id))
        .where(Note.holder == holder, Note.state == NoteState.HELD, Note.amount_minor > 0)
        .order_by(col(Receivable.maturity), col(Note.id))
    ).all()


def notes_offered(session: Session, recipient: str) -> Sequence[Note]:
    """Notes waiting for an address to accept, soonest deadline first."""
    return session.exec(
        select(Note)
        .where(Note.holder == recipient, Note.state == NoteState.OFFERED)
        .order_by(col(Note.offer_until), col(Note.id))
    ).all()


def receivables_of(session: Session, obligor: str, *, after: int = 0, limit: int = 50) -> Sequence[Receivable]:
    """Receivables an obligor owes, by number; `after` is the last number seen."""
    return session.exec(
        select(Receivable)
        .where(Receivable.obligor == obligor, Receivable.id > after)
        .order_by(col(Receivable.id))
        .limit(limit)
    ).all()


def all_receivables(session: Session, *, after: int = 0, limit: int = 50) -> Sequence[Receivable]:
    """All receivables by number; `after` is the last number seen."""
    return session.exec(select(Receivable).where(Receivable.id > after).order_by(col(Receivable.id)).limit(limit)).all()


def overdue(session: Session, now: int) -> Sequence[Receivable]:
    """Live receivables past maturity with something unpaid."""
    return session.exec(
        select(Receivable)
        .where(Receivable.state == ReceivableState.LIVE, Receivable.maturity < now, Receivable.outstanding_minor > 0)
        .order_by(col(Receivable.maturity))
    ).all()


def overdue_of(session: Session, obligor: str, now: int) -> Sequence[Receivable]:
    """An obligor's receivables past maturity with something unpaid."""
    return [row for row in overdue(session, now) if row.obligor == obligor]


def outstanding_of(session: Session, obligor: str) -> int:
    """What an obligor owes or has offered to owe, in minor units."""
    found = session.exec(
        select(func.coalesce(func.sum(Receivable.outstanding_minor), 0)).where(Receivable.obligor == obligor)
    ).one()
    return int(found)


def lapsed(session: Session, now: int) -> Sequence[Note]:
    """Offers, locks and what is left of mass passes whose deadline has passed; a frozen one stays where it is."""
    return session.exec(
        select(Note)
        .where(
            col(Note.state).in_((NoteState.OFFERED, NoteState.LOCKED, NoteState.MASS)),
            Note.offer_until <= now,
            Note.amount_minor > 0,
            col(Note.frozen).is_(False),
        )
        .order_by(col(Note.tier).desc(), col(Note.id))
    ).all()


def mass_shares(session: Session, document: str) -> Sequence[tuple[str, int]]:
    """The filed list of a mass pass in the order of its tree: recipient and amount in minor units."""
    query = select(MassShare.recipient, MassShare.amount_minor).where(MassShare.document == document)
    return session.exec(query.order_by(col(MassShare.leaf))).all()


def totals(session: Session) -> dict[str, Totals]:
    """Sums by currency over everything issued."""
    rows = session.execute(
        sa.select(
            col(Receivable.currency),
            func.count(),
            func.sum(col(Receivable.face_minor)),
            func.sum(col(Receivable.outstanding_minor)),
            func.sum(col(Receivable.paid_minor)),
        )
        .where(col(Receivable.state) != ReceivableState.CANCELLED)
        .group_by(col(Receivable.currency))
    )
    return {code: Totals(count, int(face), int(out), int(paid)) for code, count, face, out, paid in rows}


def by_fingerprint(session: Session, fingerprint: str) -> Receivable | None:
    """The receivable an invoice stands behind, unless it was cancelled."""
    return session.exec(
        select(Receivable).where(Receivable.fingerprint == fingerprint, Receivable.state != ReceivableState.CANCELLED)
    ).first()


def path_of(row: Note) -> dict[str, int]:
    """How a note descends: what `refuse`, `withdraw` and `lapse` need to prove it."""
    return {
        "receivableId": row.receivable_id,
        "parentId": int(row.parent_id, 16) if row.parent_id else 0,
        "childIndex": row.child_index,
        "evidence": int(row.evidence, 16),
    }


def lineage(session: Session, note_id: str) -> list[Note]:
    """From the root down to the note itself."""
    chain = [note(session, note_id)]
    while chain[-1].parent_id is not None:
        chain.append(note(session, chain[-1].parent_id))
    return chain[::-1]


def conservation(session: Session, receivable_id: int) -> tuple[int, int]:
    """(sum of live and settled value, face): equal unless something is very wrong."""
    row = receivable(session, receivable_id)
    live, settled = session.exec(
        select(func.coalesce(func.sum(Note.amount_minor), 0), func.coalesce(func.sum(Note.settled_minor), 0)).where(
            Note.receivable_id == receivable_id
        )
    ).one()
    return int(live) + int(settled), row.face_minor if row.state != ReceivableState.CANCELLED else 0


def payments_of(session: Session, receivable_id: int) -> Sequence[Payment]:
    """Payments by round."""
    return session.exec(
        select(Payment).where(Payment.receivable_id == receivable_id).order_by(col(Payment.round))
    ).all()


def settlements_of(session: Session, receivable_id: int) -> Sequence[Settlement]:
    """What each note received, by round and note."""
    return session.exec(
        select(Settlement)
        .where(Settlement.receivable_id == receivable_id)
        .order_by(col(Settlement.round), col(Settlement.note_id))
    ).all()


def weights_for_next_round(session: Session, receivable_id: int) -> dict[int, int]:
    """Value of each note (by id) as the next payment round sees it: earlier rounds taken off, settled yet or not."""
    principal_settled: dict[str, int] = dict(
        session.exec(
            select(Settlement.note_id, func.sum(Settlement.principal_minor))
            .where(Settlement.receivable_id == receivable_id)
            .group_by(Settlement.note_id)
        ).all()
    )
    weights = {
        int(row.id, 16): row.amount_minor + int(principal_settled.get(row.id, 0))
        for row in notes_of_receivable(session, receivable_id)
        if row.state in OPEN_STATES or row.state == NoteState.SETTLED
    }
    for payment in payments_of(session, receivable_id):
        shares = pro_rata(payment.principal_minor, {note_id: w for note_id, w in weights.items() if w > 0})
        weights = {note_id: w - shares.get(note_id, 0) for note_id, w in weights.items()}
    return {note_id: weight for note_id, weight in weights.items() if weight > 0}


def unsettled_notes(session: Session, payment: Payment) -> Sequence[Note]:
    """Notes with value that have not received their part of a payment.

    Of one that paid all that was owed, whatever has value: also what came back to a note after it was paid.
    """
    query = select(Note).where(
        Note.receivable_id == payment.receivable_id, Note.amount_minor > 0, col(Note.state).in_(OPEN_STATES)
    )
    if payment.principal_minor < payment.base_minor:
        settled = select(Settlement.note_id).where(
            Settlement.receivable_id == payment.receivable_id, Settlement.round == payment.round
        )
        query = query.where(col(Note.id).not_in(settled))
    return session.exec(query.order_by(col(Note.id))).all()
