"""An auditor's desk: one record proved, samples drawn from a seed, confirmations the counterparties sign themselves."""

from __future__ import annotations

import json
import secrets
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from sqlmodel import Session
from starlette.responses import Response

from scf.api.access import Caller
from scf.api.shapes import amount
from scf.audit import samples
from scf.audit.records import prove
from scf.audit.samples import SampleDraw
from scf.kernel.dates import day_of
from scf.kernel.problems import Problem
from scf.parties.service import Role
from scf.receivables import queries
from scf.store.commands import canonical_json
from scf.web.doors import PagesDoor, Signed
from scf.web.i18n import N_
from scf.web.pages import Pages, go
from scf.web.tables import csv_answer

router = APIRouter()
_OVERSEERS = Role.AUDITOR | Role.OPERATOR | Role.REGULATOR
CHECKS = {
    "conservation": N_("The parts add up to the face, to the cent"),
    "lineage": N_("Every note's number follows from the one above it"),
    "ledger": N_("Holder and amount as the contract itself answers"),
    "evidence": N_("The documents behind it lie in the anchored evidence log"),
}
RESULTS = {"pass": N_("passed"), "fail": N_("failed"), "not-provable": N_("not provable")}
METHODS = {"random": N_("random"), "monetary_unit": N_("monetary unit")}
KINDS = {"issued": N_("everything issued, by face"), "outstanding": N_("what is outstanding now")}


@router.get("/records/{receivable_id}.json")
def record_proof(pages: PagesDoor, caller: Signed, receivable_id: int) -> Response:
    """The record with every hash and path, to be recomputed elsewhere."""
    caller.require(_OVERSEERS)
    with pages.app.reading() as session:
        found = prove(session, pages.app.desk, receivable_id)
    headers = {"Content-Disposition": f'attachment; filename="record-{receivable_id}.json"'}
    return Response(canonical_json(found.content), media_type="application/json", headers=headers)


@router.get("/records/{receivable_id}")
def record(request: Request, pages: PagesDoor, caller: Signed, receivable_id: int) -> Response:
    """One record: what was proved, to what level, and what was not."""
    caller.require(_OVERSEERS)
    with pages.app.reading() as session:
        found = prove(session, pages.app.desk, receivable_id)
        row = queries.receivable(session, receivable_id)
        names = pages.app.parties.names(session)
    return pages.render(
        request,
        "record.html",
        caller,
        proof=found,
        row=row,
        face=amount(row.face_minor, row.currency),
        obligor=names.get(row.obligor, row.obligor),
        creditor=names.get(row.creditor, row.creditor),
        passed=[one for one in found.checks if one.result == "pass"],
        open=[one for one in found.checks if one.result != "pass"],
        check_words=CHECKS,
        result_words=RESULTS,
        since=day_of(row.state_since),
    )


@router.get("/samples")
def sample_page(request: Request, pages: PagesDoor, caller: Signed, of: str = "issued") -> Response:
    """Population, seed and method, and the draws made before."""
    return _samples_page(request, pages, caller, of, None)


@router.post("/samples")
def draw(
    request: Request,
    pages: PagesDoor,
    caller: Signed,
    seed: Annotated[str, Form()] = "",
    method: Annotated[str, Form()] = "random",
    size: Annotated[str, Form()] = "",
    of: Annotated[str, Form()] = "issued",
) -> Response:
    """Draw a sample and keep it."""
    try:
        caller.require(Role.AUDITOR)
        if not size.isascii() or not size.isdigit():
            raise Problem("sample_not_drawable", reason=size[:20] or "—")
        with pages.app.desk.session() as session:
            made = samples.draw(
                session,
                of,
                "CNY",
                seed=seed.strip()[:64],
                method=method,
                size=int(size),
                by=caller.address,
                clock=pages.app.clock,
            )
            number = made.id
    except Problem as problem:
        return _samples_page(request, pages, caller, of, problem)
    return go(f"/samples/{number}", done="drawn")


@router.get("/samples/{draw_id}.csv")
def draw_csv(pages: PagesDoor, caller: Signed, draw_id: int) -> Response:
    """The items drawn as a table."""
    caller.require(_OVERSEERS)
    with pages.app.reading() as session:
        row = _draw(session, draw_id)
        items = _items(pages, session, row)
    header = (
        "receivable",
        "amount",
        "currency",
        "obligor",
        "creditor",
        "maturity",
        "seed",
        "method",
        "population_sha256",
    )
    cells = (
        (
            item["id"],
            item["amount"]["text"],
            row.currency,
            item["obligor"],
            item["creditor"],
            item["maturity"],
            row.seed,
            row.method,
            row.digest,
        )
        for item in items
    )
    return csv_answer(f"sample-{draw_id}", header, cells)


@router.get("/samples/{draw_id}")
def one_draw(request: Request, pages: PagesDoor, caller: Signed, draw_id: int) -> Response:
    """One draw, drawn again while one looks."""
    caller.require(_OVERSEERS)
    with pages.app.reading() as session:
        row = _draw(session, draw_id)
        items = _items(pages, session, row)
        now = samples.population(session, row.population, row.currency)
    return pages.render(
        request,
        "sample.html",
        caller,
        row=row,
        items=items,
        total=amount(row.total_minor, row.currency),
        covered=amount(sum(int(item["amount"]["minor"]) for item in items), row.currency),
        same=samples.again(row),
        unchanged=now.digest == row.digest,
        drawn_on=day_of(row.drawn_at),
        method_words=METHODS,
        kind_words=KINDS,
    )


# Inside ---------------------------------------------------------------------------------------------------------------


def _draw(session: Session, draw_id: int) -> SampleDraw:
    row = session.get(SampleDraw, draw_id)
    if row is None:
        raise Problem("address_unknown", path=f"/samples/{draw_id}")
    return row


def _items(pages: Pages, session: Session, row: SampleDraw) -> list[dict[str, Any]]:
    amounts = {int(number): int(minor) for number, minor in json.loads(row.items)}
    names = pages.app.parties.names(session)
    shown = []
    for number in json.loads(row.chosen):
        found = queries.receivable(session, number)
        shown.append(
            {
                "id": number,
                "amount": amount(amounts[number], row.currency),
                "obligor": names.get(found.obligor, found.obligor),
                "creditor": names.get(found.creditor, found.creditor),
                "maturity": day_of(found.maturity),
            }
        )
    return shown


def _samples_page(request: Request, pages: Pages, caller: Caller, of: str, problem: Problem | None) -> Response:
    caller.require(_OVERSEERS)
    kind = of if of in KINDS else "issued"
    with pages.app.reading() as session:
        people = samples.population(session, kind, "CNY")
        made = samples.draws(session)
    return pages.render(
        request,
        "samples.html",
        caller,
        status=problem.status if problem else 200,
        kind=kind,
        count=len(people.items),
        total=amount(people.total_minor, "CNY"),
        digest=people.digest,
        seed=secrets.token_hex(8),
        suggested=min(len(people.items), 25),
        draws=[(row, day_of(row.drawn_at), amount(row.total_minor, row.currency)) for row in made],
        may_draw=caller.has(Role.AUDITOR),
        method_words=METHODS,
        kind_words=KINDS,
        problem=problem,
    )
