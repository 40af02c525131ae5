"""Operators enter a firm nobody invites: a core enterprise, a bank, a financier, an auditor; two of them then sign."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from starlette.datastructures import FormData, UploadFile
from starlette.responses import Response

from scf.identity.contacts import parse_contact
from scf.kernel.money import parse_minor
from scf.kernel.problems import Problem
from scf.ledger.signing import canonical, checksum
from scf.parties.enrolling import Newcomer, ask_to_enrol
from scf.parties.service import Role
from scf.web.doors import Fresh, PagesDoor, Signed
from scf.web.i18n import N_
from scf.web.pages import Pages, go

router = APIRouter()
_WITHOUT_CODE = {"auditor", "operator", "regulator"}
_PERSON = N_("Name, contact and key of a person")


@router.get("/enrol")
def enrol_form(request: Request, pages: PagesDoor, caller: Signed) -> Response:
    """What two operators have to know to enrol a firm and let its people in."""
    caller.require(Role.OPERATOR)
    return _page(request, pages, caller, FormData())


@router.post("/enrol")
def entered(
    request: Request,
    pages: PagesDoor,
    caller: Fresh,
    name: Annotated[str, Form()] = "",
    uscc: Annotated[str, Form()] = "",
    role: Annotated[list[str] | None, Form()] = None,
    person: Annotated[list[str] | None, Form()] = None,
    contact: Annotated[list[str] | None, Form()] = None,
    key: Annotated[list[str] | None, Form()] = None,
    limit: Annotated[str, Form()] = "",
    bank: Annotated[str, Form()] = "",
) -> Response:
    """File the firm with its people; it waits for two operators' signatures."""
    caller.require(Role.OPERATOR)
    app = pages.app
    people = list(zip(person or [], contact or [], key or [], strict=False))
    given = [(who.strip(), how.strip(), address.strip()) for who, how, address in people if any((who, how, address))]
    try:
        for who, how, address in given:
            if not who or not how or not address:
                raise Problem("form_field_missing", field=pages.gettext(request, _PERSON))
        if not given or not role:
            raise Problem("form_field_missing", field=pages.gettext(request, N_("Roles") if given else _PERSON))
        if not uscc.strip() and not set(role) <= _WITHOUT_CODE:
            raise Problem("form_field_missing", field=pages.gettext(request, N_("Unified social credit code")))
        contacts = [parse_contact(how) for _, how, _ in given]
        newcomer = Newcomer(
            " ".join(name.split())[:120],
            uscc.strip() or None,
            tuple(_address(address) for _, _, address in given),
            tuple(role),
            limit_minor=parse_minor(limit, "CNY") if limit.strip() else 0,
            paying_bank=bank or None,
            contact=contacts[0],
        )
        row = ask_to_enrol(app.desk, app.onboarding, app.parties, newcomer, caller.address)
        with app.desk.session() as session:
            for (who, _, _), reached, address in zip(given, contacts, newcomer.keys, strict=True):
                one = app.people.add(session, who, reached, language=pages.language(request))
                app.people.seat(session, one, address)
    except Problem as problem:
        typed = {"name": name, "uscc": uscc, "limit": limit, "bank": bank}
        return _page(request, pages, caller, _typed(typed, role, *zip(*people, strict=True)), problem)
    return go(f"/applications/{row.id}", done="entered")


def _typed(texts: Mapping[str, str], role: Sequence[str] | None, *columns: Sequence[str]) -> FormData:
    """What was typed, so that a refused form comes back as it was sent."""
    fields: list[tuple[str, str | UploadFile]] = [*texts.items(), *(("role", one) for one in role or [])]
    for field, column in zip(("person", "contact", "key"), columns, strict=False):
        fields += [(field, one) for one in column]
    return FormData(fields)


def _address(text: str) -> str:
    try:
        return checksum(canonical(text))
    except Problem as error:
        raise Problem("person_key_needed", given=text[:50]) from error


def _page(request: Request, pages: Pages, caller: Any, form: FormData, problem: Problem | None = None) -> Response:
    with pages.app.reading() as session:
        banks = [row for row in pages.app.parties.participants(session) if row.roles & Role.BANK]
    rows = [dict(zip(("person", "contact", "key"), one, strict=True)) for one in _people(form)]
    return pages.render(
        request,
        "enrol.html",
        caller,
        status=problem.status if problem else 200,
        form=form,
        chosen=form.getlist("role"),
        all_roles=[str(one.name).lower() for one in Role],
        people=rows,
        banks=banks,
        problem=problem,
    )


def _people(form: FormData) -> list[tuple[str, str, str]]:
    columns = [[str(one) for one in form.getlist(name)] for name in ("person", "contact", "key")]
    rows = list(zip(*columns, strict=False))
    return [(*row,) for row in rows][:2] + [("", "", "")] * (2 - len(rows))
