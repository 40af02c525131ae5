"""Records as pages: receivables with their split, notes, entrusted accounts with their stages, documents."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from scf.api import reads
from scf.api.access import Caller
from scf.api.paging import after_of, cursor_of
from scf.api.policy import NoteSight
from scf.api.routes_quotes import failure_of
from scf.api.shapes import amount
from scf.api.views import Json, Views
from scf.financing.registry import registration_of
from scf.kernel.money import format_money
from scf.receivables import queries
from scf.receivables.models import NoteState, Receivable, ReceivableState
from scf.web import words
from scf.web.doors import PagesDoor, Signed
from scf.web.i18n import translations
from scf.web.mass import mass_of
from scf.web.svg.bars import bar
from scf.web.svg.icicle import Slice, Words, branches, icicle, label_of
from scf.web.svg.stages import StagePart, stage_bar, stage_strip
from scf.web.tasks import act_path, openings_of, stage_act
from scf.web.views_opening import OPENERS

router = APIRouter()
_PAGE = 30
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@router.get("/receivables")
def receivables(request: Request, pages: PagesDoor, caller: Signed, cursor: str | None = None) -> Response:
    """Receivables the caller has a relation to."""
    with pages.app.reading() as session:
        views = Views(pages.app, session, caller)
        mine = None if caller.sees_all else caller.addresses
        rows = reads.receivables_related(session, mine, after=after_of(cursor), limit=_PAGE)
        items = [views.receivable(row.id) for row in rows]
    more = cursor_of(rows[-1].id) if len(rows) == _PAGE else None
    return pages.render(request, "receivables.html", caller, items=items, more=more)


@router.get("/receivables/{receivable_id}.csv")
def receivable_csv(pages: PagesDoor, caller: Signed, receivable_id: int) -> Response:
    """The notes of a receivable as a table for a spreadsheet; no cell can start a formula."""
    with pages.app.reading() as session:
        views = Views(pages.app, session, caller)
        row, sights, _ = views.receivable_row(receivable_id)
        shown = [views.shape_note(row, item) for item in sights]
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(["note", "parent", "tier", "state", "giver", "holder", "amount", "original", "settled", "currency"])
    for note in shown:
        cells = [
            note["id"],
            note["parent"] or "",
            note["tier"],
            note["state"],
            _name(note["giver"]),
            _name(note["holder"]),
        ]
        cells += [(note[name] or {}).get("text", "") for name in ("amount", "original", "settled")]
        writer.writerow([_safe(cell) for cell in [*cells, row.currency]])
    headers = {"Content-Disposition": f'attachment; filename="receivable-{receivable_id}.csv"'}
    return Response("\ufeff" + buffer.getvalue(), media_type="text/csv; charset=utf-8", headers=headers)


@router.get("/receivables/{receivable_id}")
def receivable(request: Request, pages: PagesDoor, caller: Signed, receivable_id: int) -> Response:
    """One receivable: terms, whose turn it is, the split as a picture and as a table."""
    language = pages.language(request)
    with pages.app.reading() as session:
        views = Views(pages.app, session, caller)
        row, sights, sight = views.receivable_row(receivable_id)
        shown = views.shape_receivable(row, sights, sight)
        notes = [views.shape_note(row, item) for item in sights]
        payments = queries.payments_of(session, receivable_id) if sight > 1 else []
        bank = views.circle(row, []).paying_bank
    for note in notes:
        note["bar"] = _note_bar(note, row)
    slices, spoken = _slices(views, sights), _words(language, row.currency)
    return pages.render(
        request,
        "receivable.html",
        caller,
        row=shown,
        notes=notes,
        payments=payments,
        may_attest=bank in caller.addresses and row.outstanding_minor > 0 and row.state == ReceivableState.LIVE,
        picture=icicle(slices, spoken),
        tree=_tree(slices, spoken),
    )


@router.get("/notes/{note_id}")
def note(request: Request, pages: PagesDoor, caller: Signed, note_id: str) -> Response:
    """One note: what it is worth, who pays it and when, and what its holder can do."""
    with pages.app.reading() as session:
        views = Views(pages.app, session, caller)
        row, item = views.note_sight(note_id)
        shown = views.note(note_id)
        financing = next((f for f in reads.financings_of(session, row.id) if f.note_id == item.note.id), None)
        mass = mass_of(views, item.note.id)
        passed = [
            views.shape_note(row, child)
            for child in ([] if mass else views.receivable_row(row.id)[1])
            if child.note.parent_id == item.note.id
        ]
        seller = views.name(financing.seller) if financing else None
        registration = financing.registration or registration_of(session, note_id.lower()) if financing else None
        owed = item.note.holder in caller.addresses and item.note.amount_minor
        if_fails = failure_of(pages.app, session, item.note.id) if owed else None
    return pages.render(
        request,
        "note.html",
        caller,
        note=shown,
        passed=passed,
        mass=mass,
        financing=financing,
        registration=registration,
        if_fails=if_fails,
        seller=seller,
        currency=row.currency,
    )


@router.get("/entrusted")
def accounts(request: Request, pages: PagesDoor, caller: Signed, cursor: str | None = None) -> Response:
    """Entrusted accounts the caller has a relation to."""
    with pages.app.reading() as session:
        views = Views(pages.app, session, caller)
        mine = None if caller.sees_all else caller.addresses
        rows = reads.accounts_related(session, mine, after=after_of(cursor), limit=_PAGE)
        items = [views.account(row.id) for row in rows]
        openings = openings_of(pages.app, session, caller) if cursor is None else []
    more = cursor_of(rows[-1].id) if len(rows) == _PAGE else None
    may_open = caller.has(OPENERS)
    return pages.render(request, "accounts.html", caller, items=items, more=more, openings=openings, may_open=may_open)


@router.get("/entrusted/{account_id}")
def account(request: Request, pages: PagesDoor, caller: Signed, account_id: int) -> Response:
    """One entrusted account: the bar of stages, and under each its evidence, approvals and what is missing."""
    language = pages.language(request)
    spoken = translations(language)
    with pages.app.reading() as session:
        shown = Views(pages.app, session, caller).account(account_id)
    parts = []
    for stage in shown["stages"]:
        missing = stage["missing"].get(language) if stage["missing"] else ""
        state = spoken.gettext("finished") if stage["finished"] else missing or spoken.gettext("ready to pay")
        parts.append(_part(stage, language, state))
    name = shown["turn"][language]
    now = _now_at(shown, caller)
    pictures: dict[str, Any] = {"picture": stage_bar(parts, name), "strip": stage_strip(parts, name)}
    return pages.render(request, "account.html", caller, account=shown, now=now, **pictures)


def _now_at(shown: Json, caller: Caller) -> Json:
    """Where the money of an account stands, as far as the caller sees it: released, next, locked; and what it does."""
    stages, code = shown["stages"], shown["currency"]

    def sum_of(*names: str) -> int:
        return sum(int(stage[name]["minor"]) for stage in stages for name in names)

    gone = sum_of("released", "refunded")
    following = next((stage for stage in stages if not stage["finished"]), None)
    acts = [(stage, stage_act(shown, stage, caller.addresses)) for stage in stages]
    mine = next(((stage, *act) for stage, act in acts if act), None)
    rest = 0
    if following:
        rest = int(following["amount"]["minor"]) - sum(int(following[one]["minor"]) for one in ("released", "refunded"))
    return {
        "released": amount(sum_of("released"), code),
        "refunded": amount(sum_of("refunded"), code) if sum_of("refunded") else None,
        "ready": amount(sum_of("releasable"), code) if sum_of("releasable") else None,
        "next": following,
        "next_amount": amount(rest, code),
        "locked": amount(sum_of("amount") - gone if shown["locked_at"] else 0, code),
        "do": None
        if mine is None
        else {"word": mine[1], "href": act_path(mine[2], account=shown["id"], stage=mine[0]["stage"])},
    }


@router.get("/documents")
def documents(request: Request, pages: PagesDoor, caller: Signed) -> Response:
    """Documents the caller's organisation brought; more come in through the import with its preview."""
    with pages.app.reading() as session:
        rows = reads.filed_by(session, caller.senders)
    return pages.render(request, "documents.html", caller, rows=rows)


@router.get("/evidence/{evidence_id}")
def evidence_page(request: Request, pages: PagesDoor, caller: Signed, evidence_id: str) -> Response:
    """One document: who brought it, when, and how far the source is trusted."""
    with pages.app.reading() as session:
        shown = Views(pages.app, session, caller).evidence(evidence_id)
    return pages.render(request, "evidence.html", caller, document=shown)


def _slices(views: Views, sights: list[NoteSight]) -> list[Slice]:
    shown = [item for item in sights if item.amounts and item.note.state != NoteState.RETURNED]
    ids = {item.note.id for item in shown}
    return [
        Slice(
            id=item.note.id,
            parent=item.note.parent_id if item.note.parent_id in ids else None,
            tier=item.note.tier,
            value=item.note.original_minor,
            free=item.note.amount_minor,
            state="financed" if item.note.financed and item.note.state == "held" else str(item.note.state),
            label=views.name(item.note.holder) if item.holder else f"…{item.note.id[-8:]}",
            mine=item.mine,
        )
        for item in shown
    ]


def _tree(slices: list[Slice], spoken: Words) -> list[dict[str, Any]]:
    """The split as an indented list with bars, for narrow screens."""
    whole = max((item.value for item in slices), default=0)
    return [
        {
            "depth": min(branch.depth, 5),
            "path": f"/notes/{branch.slice.id}" if branch.slice.count == 1 else None,
            "label": label_of(branch.slice, spoken),
            "money": spoken.money(branch.slice.value) if branch.slice.count == 1 else "",
            "state": branch.slice.state,
            "mine": branch.slice.mine,
            "bar": bar(branch.slice.value, whole, spoken.money(branch.slice.value), state=branch.slice.state),
        }
        for branch in branches(slices)
    ]


def _words(language: str, code: str) -> Words:
    spoken = translations(language)

    def state(name: str) -> str:
        return spoken.gettext(words.STATES.get(name, name))

    def others(count: int) -> str:
        return spoken.gettext("%(count)s other notes") % {"count": count}

    def tier(number: int) -> str:
        return spoken.gettext("tier %(number)s") % {"number": number}

    money: Callable[[int], str] = lambda minor: format_money(minor, code)  # noqa: E731
    return Words(
        money, state, others, tier, spoken.gettext("not passed on"), spoken.gettext("How the amount is split by tier")
    )


def _note_bar(note: dict[str, Any], row: Receivable) -> str:
    if note["original"] is None:
        return ""
    minor = int(note["original"]["minor"])
    return bar(minor, row.face_minor, format_money(minor, row.currency), state=note["state"])


def _part(stage: dict[str, Any], language: str, state: str) -> StagePart:
    minor = {name: int(stage[name]["minor"]) for name in ("amount", "released", "refunded", "releasable", "disputed")}
    money = format_money(minor["amount"], stage["amount"]["currency"])
    return StagePart(name=f"{stage['stage'] + 1}. {stage['title'][language]}", money=money, state=state, **minor)


def _name(who: dict[str, str] | None) -> str:
    return who["name"] if who else ""


def _safe(cell: object) -> str:
    """A cell no spreadsheet takes for a formula."""
    plain = str(cell)
    return "'" + plain if plain.startswith(_FORMULA) else plain
