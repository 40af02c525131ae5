"""Health of the installation, worst first; and concentration and flow over all core enterprises."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from fastapi import APIRouter, Request
from sqlmodel import Session, col, func, select
from starlette.responses import Response

from scf.api.shapes import amount
from scf.api.views import moment
from scf.app import App
from scf.bank.models import BankFileRow
from scf.financing.fairness import measure
from scf.jobs.models import Job, LockedAlarm
from scf.kernel.dates import day_of
from scf.kernel.money import format_money, format_plain
from scf.parties.service import Role
from scf.receivables.models import Financing, Note, NoteState, Receivable, ReceivableState
from scf.risk import service as risk
from scf.store import evidence
from scf.store.projection import BookCursor, BookQuarantine
from scf.store.relay_journal import RelayEntry
from scf.web.doors import PagesDoor, Signed
from scf.web.i18n import N_, translations
from scf.web.svg.bars import bar
from scf.web.tables import csv_answer
from scf.web.views_book import CHIPS, LIGHTS

router = APIRouter()
_OVERSEERS = Role.OPERATOR | Role.AUDITOR | Role.REGULATOR
FAR_TIER = 3
FLOW_COLUMNS = (
    "core_enterprise",
    "currency",
    "receivables",
    "face",
    "outstanding",
    "overdue",
    "days_to_pay",
    "reached_tier_3",
    "paid_early",
)


@router.get("/health")
def health(request: Request, pages: PagesDoor, caller: Signed) -> Response:
    """Ledger head, projection lag, unanchored records, stuck transactions and what else went wrong, worst first."""
    caller.require(_OVERSEERS)
    app = pages.app
    head = app.desk.head()
    with app.reading() as session:
        rows = checks_of(app, session)
        log = evidence.head(session)
    rows.sort(key=lambda row: (-row["weight"], row["name"]))
    return pages.render(
        request,
        "health.html",
        caller,
        head={
            "number": head.number,
            "hash": "0x" + bytes(head.hash).hex(),
            "at": moment(head.timestamp),
        },
        rows=rows,
        worst=rows[0] if rows and rows[0]["weight"] else None,
        log={"size": log.size, "root": log.root.hex()},
        since=day_of(head.timestamp),
    )


@router.get("/flow")
def flow(request: Request, pages: PagesDoor, caller: Signed) -> Response:
    """Outstanding by core enterprise, overdue, days to pay, and how far down money reached."""
    caller.require(_OVERSEERS)
    spoken = translations(pages.language(request))
    with pages.app.reading() as session:
        rows = flow_of(pages.app, session)
    codes = sorted({row["currency"] for row in rows}, key=lambda code: (code != "CNY", code))
    code = codes[0] if codes else "CNY"
    mine = [row for row in rows if row["currency"] == code]
    found = risk.concentration({row["name"]: row["outstanding_minor"] for row in mine})
    face, far = sum(row["face_minor"] for row in mine), sum(row["far_minor"] for row in mine)
    bars = [
        {
            "name": share.name,
            "value": format_money(share.minor, code),
            "said": f"{share.permille // 10}.{share.permille % 10} %",
            "bar": bar(share.minor, found.total_minor, f"{share.permille / 10} %", state="held"),
            "href": None,
        }
        for share in found.shares[:12]
    ]
    return pages.render(
        request,
        "flow.html",
        caller,
        rows=rows,
        bars=bars,
        total=amount(found.total_minor, code),
        overdue=amount(sum(row["overdue_minor"] for row in mine), code),
        far=_percent(far, face),
        hhi=found.hhi,
        light=found.light,
        light_word=spoken.gettext(LIGHTS[found.light]) if found.light else "",
        chip=CHIPS.get(found.light or "", ""),
    )


@router.get("/flow.csv")
def flow_csv(pages: PagesDoor, caller: Signed) -> Response:
    """The same as a table, for a regulator's own books."""
    caller.require(_OVERSEERS)
    with pages.app.reading() as session:
        rows = flow_of(pages.app, session)
    cells = (
        (
            row["name"],
            row["currency"],
            row["count"],
            *(format_plain(row[f"{name}_minor"], row["currency"]) for name in ("face", "outstanding", "overdue")),
            row["days"] or "",
            *(format_plain(row[f"{name}_minor"], row["currency"]) for name in ("far", "early")),
        )
        for row in rows
    )
    return csv_answer("flow", FLOW_COLUMNS, cells)


def checks_of(app: App, session: Session) -> list[dict[str, Any]]:
    """Each check with its figure, and how much it weighs: 0 well, 1 to be watched, 2 somebody has to act."""
    head = app.desk.head()
    cursor = session.exec(select(BookCursor)).first()
    behind = head.number - (cursor.block_number if cursor else 0)
    poisoned = int(session.exec(select(func.count()).select_from(BookQuarantine)).one())
    anchored = int(app.contracts.evidence.read(app.ledger, "head")[0])
    loose = evidence.size(session) - anchored
    stuck = int(session.exec(select(func.count()).where(col(RelayEntry.block_number).is_(None))).one())
    refused = int(session.exec(select(func.count()).where(col(BankFileRow.problem).is_not(None))).one())
    alarms = int(session.exec(select(func.count()).where(col(LockedAlarm.closed_at).is_(None))).one())
    failed = int(session.exec(select(func.count()).where(Job.state == "failed")).one())
    return [
        _check("lag", N_("Blocks the books are behind"), behind, 2 if behind > 10 else 1 if behind else 0),
        _check("quarantine", N_("Events nobody could book"), poisoned, 2 if poisoned else 0),
        _check("anchor", N_("Records not anchored on the ledger yet"), loose, 1 if loose else 0),
        _check("stuck", N_("Transactions signed but not mined"), stuck, 2 if stuck else 0),
        _check("alarms", N_("Locked accounts that differ from the bank's statement"), alarms, 2 if alarms else 0),
        _check("bank", N_("Bank files that could not be read"), refused, 1 if refused else 0),
        _check("jobs", N_("Jobs that failed"), failed, 1 if failed else 0),
    ]


def _check(name: str, word: str, count: int, weight: int) -> dict[str, Any]:
    return {"name": name, "word": word, "count": count, "weight": weight}


def flow_of(app: App, session: Session) -> list[dict[str, Any]]:
    """One row a core enterprise and currency; amounts in minor units. `far` is what reached tier 3, sold notes not."""
    now = app.clock.now()
    late = sa.and_(col(Receivable.maturity) < now, col(Receivable.state) == ReceivableState.LIVE)
    sums = session.execute(
        sa.select(
            col(Receivable.obligor),
            col(Receivable.currency),
            sa.func.count(),
            sa.func.sum(col(Receivable.face_minor)),
            sa.func.sum(col(Receivable.outstanding_minor)),
            sa.func.sum(sa.case((late, col(Receivable.outstanding_minor)), else_=0)),
        )
        .where(col(Receivable.state) != ReceivableState.CANCELLED)
        .group_by(col(Receivable.obligor), col(Receivable.currency))
    ).all()
    sold = select(Financing.note_id).where(col(Financing.completed_at).is_not(None))
    far = _reached(session, sa.and_(col(Note.tier) == FAR_TIER, col(Note.id).not_in(sold)))
    early = _reached(session, col(Note.id).in_(sold))
    names = app.parties.names(session)
    rows = []
    for obligor, code, count, face, outstanding, overdue in sums:
        meter = measure(session, app.parties, obligor, code)
        days = meter.days_to_pay_tenths
        rows.append(
            {
                "name": names.get(obligor, obligor),
                "currency": code,
                "count": int(count),
                "face_minor": int(face),
                "outstanding_minor": int(outstanding),
                "overdue_minor": int(overdue),
                "far_minor": far.get((obligor, code), 0),
                "early_minor": early.get((obligor, code), 0),
                "days": None if days is None else f"{days // 10}.{days % 10}",
                "far": _percent(far.get((obligor, code), 0), int(face)),
                **{
                    name: amount(value, code)
                    for name, value in (
                        ("face", int(face)),
                        ("outstanding", int(outstanding)),
                        ("overdue", int(overdue)),
                        ("early", early.get((obligor, code), 0)),
                    )
                },
            }
        )
    return sorted(rows, key=lambda row: (-row["outstanding_minor"], row["name"]))


def _reached(session: Session, where: Any) -> dict[tuple[str, str], int]:
    query = (
        sa.select(col(Receivable.obligor), col(Receivable.currency), sa.func.sum(col(Note.original_minor)))
        .join(Receivable, col(Receivable.id) == col(Note.receivable_id))
        .where(where, col(Note.state) != NoteState.RETURNED, col(Receivable.state) != ReceivableState.CANCELLED)
        .group_by(col(Receivable.obligor), col(Receivable.currency))
    )
    return {(obligor, code): int(minor) for obligor, code, minor in session.execute(query)}


def _percent(part: int, whole: int) -> str:
    tenths = part * 1000 // whole if whole else 0
    return f"{tenths // 10}.{tenths % 10} %"
