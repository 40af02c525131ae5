"""The fairness meter, open to anybody: how each programme pays and what early money costs along its chain."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from scf.api.routes_money import meters
from scf.financing.fairness import SMALLEST_CELL
from scf.kernel.problems import Problem
from scf.web.doors import PagesDoor
from scf.web.i18n import N_
from scf.web.pages import SignInFirst
from scf.web.tables import csv_answer

router = APIRouter()
_FIGURES = ("days_to_pay", "days_to_confirm", "days_late", "offers", "refused", "refused_share_ppm")
SIZES = {
    "large": N_("large firms"),
    "medium": N_("medium firms"),
    "small": N_("small firms"),
    "micro": N_("micro firms"),
    "public_body": N_("public bodies"),
    "bank": N_("banks"),
    "service": N_("service firms"),
    "other": N_("together"),
    "unknown": N_("size not known"),
}


@router.get("/fairness")
def fairness(request: Request, pages: PagesDoor) -> Response:
    """Days to pay and to confirm, the price of early money by tier, refusals, fees by payer; without signing in."""
    try:
        caller = pages.caller(request)
    except (SignInFirst, Problem):
        caller = None
    items = meters(pages.app)
    return pages.render(request, "fairness.html", caller, items=items, smallest=SMALLEST_CELL, sizes=SIZES)


@router.get("/fairness.csv")
def fairness_csv(pages: PagesDoor) -> Response:
    """The same as a table."""
    header = ("core_enterprise", "currency", "figure", "of", "value")
    rows: list[tuple[object, ...]] = []
    for one in meters(pages.app):
        name = (one["obligor"], one["currency"])
        rows += [(*name, figure, "", "" if one[figure] is None else one[figure]) for figure in _FIGURES]
        rows += [(*name, "apr_ppm", tier, rate) for tier, rate in one["apr_ppm_by_tier"].items()]
        rows += [(*name, "financed", tier, sum_["text"]) for tier, sum_ in one["financed_by_tier"].items()]
        rows += [(*name, "fees", size, sum_["text"]) for size, sum_ in one["fees_by_payer"].items()]
        rows += [(*name, "withheld", cell, "") for cell in (*one["withheld_tiers"], *one["withheld_payers"])]
    return csv_answer("fairness", header, rows)
