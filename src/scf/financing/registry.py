"""The registry of assigned claims (Notice 77, Art. 13): a port, and a simulated registry behind it.

The simulated one gives numbers of twenty digits and refuses what is registered already; a real adapter files the same
facts with the registry's own service.
"""

from __future__ import annotations

from typing import Protocol

from sqlalchemy import func
from sqlmodel import Session, col, select

from scf.financing.competing import outside
from scf.financing.models import Registration, RegistrationEnd
from scf.kernel.clock import Clock
from scf.kernel.dates import day_of
from scf.kernel.problems import Problem
from scf.receivables.models import Note, NoteState


class Registry(Protocol):
    """Where a financing is registered before it takes effect."""

    def register(self, session: Session, *, note_id: str, fingerprint: str, financier: str, amount_minor: int) -> str:
        """Register and return the number; the same note again returns the same number."""
        ...

    def end(self, session: Session, *, note_id: str, number: str) -> None:
        """Take an entry out again, once."""
        ...


def registration_of(session: Session, note_id: str) -> str | None:
    """The number under which the financing of a note is registered, or None; an entry taken out again is none."""
    query = select(Registration.number).where(
        Registration.note_id == note_id, col(Registration.number).not_in(select(RegistrationEnd.number))
    )
    return session.exec(query).first()


def end_returned(session: Session, registry: Registry) -> list[str]:
    """Take out every entry whose note went back to its seller; returns their numbers. Again, nothing is left to do."""
    query = (
        select(Registration)
        .join(Note, col(Note.id) == col(Registration.note_id))
        .where(Note.state == NoteState.RETURNED, col(Registration.number).not_in(select(RegistrationEnd.number)))
        .order_by(col(Registration.number))
    )
    found = session.exec(query).all()
    for one in found:
        registry.end(session, note_id=one.note_id, number=one.number)
    return [one.number for one in found]


class SimulatedRegistry:
    """Numbers are the day and a running count, twenty digits."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def register(self, session: Session, *, note_id: str, fingerprint: str, financier: str, amount_minor: int) -> str:
        """Register a financing.

        Raises Problem `registered_for_another` when another financier has this note, `claimed_outside` when somebody
        outside has the invoice.
        """
        found = session.exec(select(Registration).where(Registration.note_id == note_id)).first()
        if found is not None:
            if found.financier != financier:
                raise Problem("registered_for_another", number=found.number)
            return found.number
        others = outside(session, fingerprint)
        if others:
            raise Problem("claimed_outside", number=others[0].number, claimant=others[0].claimant)
        now = self._clock.now()
        count = session.exec(select(func.count()).select_from(Registration)).one() + 1
        number = f"{day_of(now):%Y%m%d}{count:012d}"
        session.add(
            Registration(
                number=number,
                note_id=note_id,
                fingerprint=fingerprint,
                financier=financier,
                amount_minor=amount_minor,
                registered_at=now,
            )
        )
        session.flush()
        return number

    def end(self, session: Session, *, note_id: str, number: str) -> None:
        """Take an entry out again, once."""
        if session.get(RegistrationEnd, number) is None:
            session.add(RegistrationEnd(number=number, note_id=note_id, ended_at=self._clock.now()))
            session.flush()
