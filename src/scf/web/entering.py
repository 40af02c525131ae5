"""Letting a person in, however they proved who they are."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from scf.api.access import Caller, caller_at, let_in
from scf.identity.models import Person
from scf.kernel.problems import Problem
from scf.web.pages import Pages


def first_seat(pages: Pages, person_id: str) -> Caller:
    """The first firm a person acts for that is a member. Raises Problem `person_without_seat`."""
    with pages.app.reading() as session:
        for address in pages.app.people.seats(session, person_id):
            try:
                return caller_at(pages.app, session, address)
            except Problem:
                continue  # applied for, not enrolled yet
    raise Problem("person_without_seat")


def welcome(pages: Pages, request: Request, response: Response, person: Person, method: str) -> None:
    """Begin a session of a person at its first firm. Raises Problem `person_without_seat`."""
    seat = first_seat(pages, person.id)
    let_in(pages.app, pages.sessions, request, response, seat.address, method=method, person_id=person.id)
