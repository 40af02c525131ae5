"""The tables beside the pictures as files for a spreadsheet: an order's facts, an entrusted account's stages."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from scf.api.views import Views
from scf.reconciliation import service as reconciliation
from scf.reconciliation.facts import date_of
from scf.web.doors import PagesDoor, Signed
from scf.web.i18n import translations
from scf.web.lanes import KINDS, open_breaks, said
from scf.web.tables import csv_answer
from scf.web.views_oversight import may_see_order

router = APIRouter()
_STAGE = ("amount", "released", "refunded", "disputed", "releasable")


@router.get("/tables/orders/{reference:path}")
def order_table(request: Request, pages: PagesDoor, caller: Signed, reference: str) -> Response:
    """What is known of an order, one fact a line, and below it what disagrees."""
    language = pages.language(request)
    say = translations(language).gettext
    with pages.app.reading() as session:
        may_see_order(session, caller, reference)
        steps = reconciliation.timeline(session, reference)
        breaks = reconciliation.exceptions(session, state=None, order_reference=reference).rows
    rows: list[list[object]] = [
        [date_of(step.day), step.lane, say(KINDS.get(step.kind.lower(), step.kind)), said(step), step.evidence_id]
        for step in steps
    ]
    for number, row in enumerate(open_breaks(breaks), start=1):
        sentence = row.sentence_zh if language == "zh-CN" else row.sentence_en
        rows.append([date_of(row.deadline_day), "break", f"▲{number} {row.code}", sentence, ""])
    return csv_answer("order", ["day", "lane", "fact", "says", "document"], rows)


@router.get("/tables/entrusted/{account_id}")
def stage_table(request: Request, pages: PagesDoor, caller: Signed, account_id: int) -> Response:
    """The stages of an entrusted account with their amounts and what each waits for."""
    language = pages.language(request)
    with pages.app.reading() as session:
        account = Views(pages.app, session, caller).account(account_id)
    rows = [
        [
            stage["stage"] + 1,
            stage["title"][language],
            stage["payee"]["name"],
            *(stage[name]["text"] for name in _STAGE),
            account["currency"],
            stage["deadline"],
            stage["missing"].get(language, "") if stage["missing"] else "",
        ]
        for stage in account["stages"]
    ]
    head = ["stage", "title", "payee", *_STAGE, "currency", "until", "missing"]
    return csv_answer(f"entrusted-{account_id}", head, rows)
