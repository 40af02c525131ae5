"""The month of a firm: VAT in and out, what early money cost, net cash; and the same as files for its accountant."""

from __future__ import annotations

from datetime import date, timedelta

from fastapi import APIRouter, Request
from starlette.responses import Response

from scf.api.access import Caller
from scf.api.views import Views
from scf.kernel.clock import today
from scf.kernel.problems import Problem
from scf.web.doors import PagesDoor, Signed
from scf.web.i18n import translations
from scf.web.month import ACCOUNTS, KINDS, Month, month_bounds, month_of
from scf.web.month_files import month_camt, month_csv, month_xml
from scf.web.month_pdf import month_pdf
from scf.web.month_tax import tax_rows
from scf.web.pages import Pages

router = APIRouter()
FILES = {
    "pdf": "application/pdf",
    "csv": "text/csv; charset=utf-8",
    "xml": "application/xml",
    "camt": "application/xml",
}


@router.get("/month")
def month_page(request: Request, pages: PagesDoor, caller: Signed, of: str = "") -> Response:
    """The caller's firm in one month; the running one unless another is asked for."""
    month = _month(pages, caller, of)
    before, after = month.first - timedelta(days=1), month.last + timedelta(days=1)
    return pages.render(
        request,
        "month.html",
        caller,
        month=month,
        accounts=ACCOUNTS,
        kinds=KINDS,
        before=f"{before:%Y-%m}",
        after=f"{after:%Y-%m}" if after <= today(pages.app.clock) else None,
        recent=_recent(today(pages.app.clock)),
    )


@router.get("/month/{name}.{kind}")
def month_file(request: Request, pages: PagesDoor, caller: Signed, name: str, kind: str) -> Response:
    """The month as a file: pdf, csv, xml or camt, with the numbers of the page. Raises Problem `address_unknown`."""
    if kind not in FILES:
        raise Problem("address_unknown", path=request.url.path)
    month = _month(pages, caller, name)
    say = translations(pages.language(request)).gettext
    match kind:
        case "pdf":
            content = month_pdf(month, say)
        case "csv":
            content = month_csv(month, say)
        case "xml":
            content = month_xml(month)
        case _:
            content = month_camt(month, caller.organisation_id, pages.app.clock.now())
    file = f"scf-{month.name}" + (".camt.053.xml" if kind == "camt" else f".{kind}")
    headers = {"Content-Disposition": f'attachment; filename="{file}"'}
    return Response(content, media_type=FILES[kind], headers=headers)


def _month(pages: Pages, caller: Caller, name: str) -> Month:
    now = today(pages.app.clock)
    name = name or f"{now:%Y-%m}"
    first, last = month_bounds(name)
    with pages.app.reading() as session:
        views = Views(pages.app, session, caller)
        firm = pages.app.parties.find(session, caller.organisation_id)
        names = [caller.name, *([firm.uscc] if firm and firm.uscc else [])]
        taxes = tax_rows(session, names, first, last)
        return month_of(session, caller.name, caller.addresses, views.name, name, taxes, now)


def _recent(now: date) -> list[str]:
    """This month and the eleven before it, newest first."""
    found, first = [], now.replace(day=1)
    for _ in range(12):
        found.append(f"{first:%Y-%m}")
        first = (first - timedelta(days=1)).replace(day=1)
    return found
