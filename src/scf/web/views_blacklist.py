"""Entries of the blacklist before they hold anybody: proposed by one operator, agreed to and signed by a second.

Once in force an entry is a hold like any other, on the page of holds: its appeal and its end are there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.responses import Response

from scf.api.access import Caller
from scf.desk.service import Prepared
from scf.kernel.problems import Problem
from scf.ledger.signing import sign_digest
from scf.risk.models import ListEntry
from scf.web.doors import PagesDoor, Signed
from scf.web.pages import Pages, go
from scf.web.signing import kept_act
from scf.web.views_holds import holds_page
from scf.web.views_signing import opened, sign_page

router = APIRouter()
_PATH = "/holds/entries"


@router.get("/lists")
@router.get("/standing")
def moved() -> Response:
    """Where the blacklist and a firm's own standing were: all holds are on one page."""
    return go("/holds")


@router.post(_PATH)
async def change(request: Request, pages: PagesDoor, caller: Signed) -> Response:
    """Propose an entry, agree to one with both operators' signatures, or not; `act` says what."""
    form = await request.form()
    return await run_in_threadpool(_change, request, pages, caller, form)


def _change(request: Request, pages: Pages, caller: Caller, form: FormData) -> Response:
    act, given = str(form.get("act") or ""), {name: str(value) for name, value in form.items()}
    content: dict[str, Any] | None = None
    try:
        if act == "agree" and not pages.app.settings.demo:
            content = opened(pages, caller, form["sealed"]) if form.get("sealed") else None
            if content is None:
                return _ask_signatures(request, pages, caller, _to_sign(pages, caller, given), None)
            given["entry"] = str(content["entry"])
        _carry_out(pages, caller, act, given)
    except Problem as problem:
        if content is not None:
            return _ask_signatures(request, pages, caller, content, problem)
        return holds_page(request, pages, caller, problem)
    return go("/holds", done=f"list_{act}")


def _carry_out(pages: Pages, caller: Caller, act: str, given: dict[str, str]) -> None:
    room, by = pages.app.lists, caller.address
    if act == "agree":
        room.agree(_number(given.get("entry")), by, lambda acts: _signed(pages, caller, acts, given))
        return
    with pages.app.desk.session() as session:
        if act == "propose":
            room.propose(
                session,
                _number(given.get("organisation")),
                reason=given.get("reason", ""),
                evidence_id=given.get("evidence", ""),
                authority=given.get("authority", ""),
                until=given.get("until", ""),
                by=by,
            )
        elif act == "reject":
            room.reject(session, _number(given.get("entry")), reason=given.get("reason", ""), by=by)
        else:
            raise Problem("unknown_act", act=act[:40])


# Inside ---------------------------------------------------------------------------------------------------------------


def _to_sign(pages: Pages, caller: Caller, given: dict[str, str]) -> dict[str, Any]:
    """What two operators sign for an entry, as it travels sealed until the signatures are there."""
    entry = _number(given.get("entry"))
    with pages.app.reading() as session:
        made = pages.app.lists.prepare(session, entry)
    summary = made[0].summary if made else {}
    acts = [kept_act(one, 0, "CNY") for one in made]
    return {"caller": caller.address, "entry": entry, "summary": summary, "acts": acts}


def _ask_signatures(
    request: Request, pages: Pages, caller: Caller, content: dict[str, Any], problem: Problem | None
) -> Response:
    hidden = {"act": "agree"}
    return sign_page(request, pages, caller, content, problem, action=_PATH, back="/holds", hidden=hidden, signers=2)


def _signed(pages: Pages, caller: Caller, acts: Sequence[Prepared], given: dict[str, str]) -> list[list[bytes]]:
    """Both operators' signatures over each act: by demo keys, or given on the form, two for each act."""
    if not pages.app.settings.demo:
        lines = given.get("signatures", "").split()
        if len(lines) != 2 * len(acts):
            raise Problem("signatures_missing", act="set_standing", needed=2 * len(acts), given=len(lines))
        try:
            flat = [bytes.fromhex(line.removeprefix("0x")) for line in lines]
        except ValueError as error:
            raise Problem("signature_not_hex") from error
        return [flat[place * 2 : place * 2 + 2] for place in range(len(acts))]
    from scf.demo.cast import demo_signers  # the cast exists only in demo installations

    with pages.app.reading() as session:
        row = session.get(ListEntry, _number(given.get("entry")))
    first = row.proposed_by if row else ""
    keys = [demo_signers(pages.app, who)[0] for who in (first, caller.address)]
    return [[sign_digest(key.private, act.digest) for key in keys] for act in acts]


def _number(text: str | None) -> int:
    plain = (text or "").strip()
    if not plain.isascii() or not plain.isdigit():
        raise Problem("list_entry_unknown", entry=plain[:20] or "—")
    return int(plain)
