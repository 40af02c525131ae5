"""How far a core enterprise's promises reached down its chain, and how far down cash has reached."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from fastapi import APIRouter, Request
from sqlmodel import Session, col, select
from starlette.responses import Response

from scf.api.shapes import amount
from scf.kernel.dates import day_of
from scf.kernel.money import format_money, format_plain
from scf.parties.service import Role
from scf.receivables.models import Financing, Note, NoteState, Receivable, ReceivableState
from scf.web.doors import PagesDoor, Signed
from scf.web.i18n import translations
from scf.web.svg.bars import bar
from scf.web.svg.icicle import Slice, Words, icicle
from scf.web.tables import csv_answer
from scf.web.views_core import account_of

router = APIRouter()


@router.get("/chain")
def chain(request: Request, pages: PagesDoor, caller: Signed, creditor: str = "") -> Response:
    """Our debts by tier as an icicle: amounts all the way down, names only of our own suppliers."""
    caller.require(Role.OBLIGOR)
    language = pages.language(request)
    with pages.app.reading() as session:
        obligor = account_of(pages.app, session, caller)
        codes = session.exec(select(Receivable.currency).where(Receivable.obligor == obligor).distinct()).all()
        code = "CNY" if "CNY" in codes or not codes else codes[0]
        cells = _tiers(session, obligor, code)
        names = pages.app.parties.names(session)
        branch = _branch(session, obligor, creditor, code) if creditor else []
    tiers = _by_tier(cells, code)
    people = sorted({cell["creditor"] for cell in cells}, key=lambda who: -_sum(cells, who, 1))
    face = sum(tier["value_minor"] for tier in tiers if tier["tier"] == 1)
    suppliers = [
        {
            "name": names.get(who, who),
            "href": f"/chain?creditor={who}#branch",
            "value": format_money(_sum(cells, who, 1), code),
            "bar": bar(_sum(cells, who, 1), face, format_money(_sum(cells, who, 1), code)),
            "said": translations(language).gettext("deepest tier %(tier)s")
            % {"tier": max(cell["tier"] for cell in cells if cell["creditor"] == who)},
        }
        for who in people[:12]
    ]
    return pages.render(
        request,
        "chain.html",
        caller,
        face=amount(face, code),
        tiers=tiers,
        deepest=max((tier["tier"] for tier in tiers), default=0),
        far=_share(sum(tier["value_minor"] for tier in tiers if tier["tier"] == 3), face),
        early=amount(sum(tier["early_minor"] for tier in tiers), code),
        suppliers=suppliers,
        picture=_icicle(cells, names, code, language),
        branch=branch,
        branch_name=names.get(creditor, "") if branch else "",
    )


@router.get("/chain.csv")
def chain_csv(pages: PagesDoor, caller: Signed) -> Response:
    """The same by supplier and tier, as a table."""
    caller.require(Role.OBLIGOR)
    with pages.app.reading() as session:
        obligor = account_of(pages.app, session, caller)
        codes = session.exec(select(Receivable.currency).where(Receivable.obligor == obligor).distinct()).all()
        names = pages.app.parties.names(session)
        rows = [(code, cell) for code in sorted(codes) for cell in _tiers(session, obligor, code)]
    header = ("supplier", "tier", "currency", "notes", "reached", "held", "paid_early", "paid_at_maturity")
    cells = (
        (
            names.get(cell["creditor"], cell["creditor"]),
            cell["tier"],
            code,
            cell["notes"],
            *(format_plain(cell[name], code) for name in ("value", "held", "early", "settled")),
        )
        for code, cell in rows
    )
    return csv_answer("chain", header, cells)


# Inside ---------------------------------------------------------------------------------------------------------------


def _tiers(session: Session, obligor: str, code: str) -> list[dict[str, Any]]:
    """What reached each tier, by the supplier it came through: made, held now, paid early, paid at maturity (minor).

    A sold note stands one step below its seller on the ledger; here it is the seller's tier that got its money early.
    """
    sold = col(Note.id).in_(select(Financing.note_id).where(col(Financing.completed_at).is_not(None)))
    query = (
        sa.select(
            col(Receivable.creditor),
            col(Note.tier),
            sa.case((sold, 1), else_=0),
            sa.func.count(),
            sa.func.sum(Note.original_minor),
            sa.func.sum(Note.amount_minor),
            sa.func.sum(Note.settled_minor),
        )
        .join(Receivable, col(Receivable.id) == col(Note.receivable_id))
        .where(
            col(Receivable.obligor) == obligor,
            col(Receivable.currency) == code,
            col(Receivable.state) != ReceivableState.CANCELLED,
            col(Note.state) != NoteState.RETURNED,
        )
        .group_by(col(Receivable.creditor), col(Note.tier), sa.case((sold, 1), else_=0))
    )
    cells: dict[tuple[str, int], dict[str, Any]] = {}
    for who, depth, early, notes, value, held, settled in session.execute(query):
        tier = int(depth) - int(early)
        blank = {"creditor": who, "tier": tier, "notes": 0, "value": 0, "held": 0, "settled": 0, "early": 0}
        cell = cells.setdefault((who, tier), blank)
        if early:
            cell["early"] += int(value)
        else:
            cell["notes"] += int(notes)
            cell["value"] += int(value)
        cell["held"] += int(held)
        cell["settled"] += int(settled)
    return [cells[key] for key in sorted(cells)]


def _by_tier(cells: Sequence[dict[str, Any]], code: str) -> list[dict[str, Any]]:
    face = sum(cell["value"] for cell in cells if cell["tier"] == 1)
    rows = []
    for tier in sorted({cell["tier"] for cell in cells}):
        mine = [cell for cell in cells if cell["tier"] == tier]
        minor = {name: sum(cell[name] for cell in mine) for name in ("notes", "value", "held", "settled", "early")}
        rows.append(
            {
                "tier": tier,
                "notes": minor["notes"],
                "value_minor": minor["value"],
                "early_minor": minor["early"],
                "share": _share(minor["value"], face),
                "bar": bar(minor["value"], face, _share(minor["value"], face), state="held"),
                **{name: amount(minor[name], code) for name in ("value", "held", "settled", "early")},
            }
        )
    return rows


def _icicle(cells: Sequence[dict[str, Any]], names: dict[str, str], code: str, language: str) -> str:
    spoken = translations(language)
    slices = []
    for cell in cells:
        who, tier = cell["creditor"], cell["tier"]
        label = names.get(who, who) if tier == 1 else spoken.gettext("notes: %(count)s") % {"count": cell["notes"]}
        state = (
            "settled"
            if cell["settled"] >= cell["value"] > 0
            else "financed"
            if cell["early"] * 2 > cell["value"]
            else "held"
        )
        parent = f"{who}:{tier - 1}" if tier > 1 else None
        slices.append(Slice(f"{who}:{tier}", parent, tier, cell["value"], cell["held"], state, label))
    words = {
        "settled": spoken.gettext("paid"),
        "financed": spoken.gettext("mostly paid early"),
        "held": spoken.gettext("on the way"),
        "several": spoken.gettext("several"),
    }
    return icicle(
        slices,
        Words(
            lambda minor: format_money(minor, code),
            lambda name: words.get(name, name),
            lambda count: spoken.gettext("%(count)s others") % {"count": count},
            lambda tier: spoken.gettext("tier %(number)s") % {"number": tier},
            spoken.gettext("kept"),
            spoken.gettext("How far our promises reached, by tier"),
        ),
    )


def _branch(session: Session, obligor: str, creditor: str, code: str) -> list[dict[str, Any]]:
    rows = session.exec(
        select(Receivable)
        .where(Receivable.obligor == obligor, Receivable.creditor == creditor, Receivable.currency == code)
        .order_by(col(Receivable.maturity).desc())
        .limit(50)
    ).all()
    return [
        {
            "id": row.id,
            "face": amount(row.face_minor, code),
            "outstanding": amount(row.outstanding_minor, code),
            "due": day_of(row.maturity),
            "state": str(row.state),
        }
        for row in rows
    ]


def _sum(cells: Sequence[dict[str, Any]], creditor: str, tier: int) -> int:
    return sum(cell["value"] for cell in cells if cell["creditor"] == creditor and cell["tier"] == tier)


def _share(part: int, whole: int) -> str:
    """A share in percent with one decimal, cut."""
    tenths = part * 1000 // whole if whole else 0
    return f"{tenths // 10}.{tenths % 10} %"
