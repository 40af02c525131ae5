"""The desks of core enterprise, financier, auditor, operator and regulator, under one roof."""

from __future__ import annotations

from fastapi import APIRouter

from scf.web import (
    views_approve,
    views_auditor,
    views_blacklist,
    views_book,
    views_cases,
    views_chain,
    views_confirmations,
    views_core,
    views_fairness,
    views_financier,
    views_guarantees,
    views_guarantors,
    views_health,
    views_holds,
    views_money,
    views_payables,
    views_policies,
)

router = APIRouter()
for _desk in (
    views_core,
    views_approve,
    views_payables,
    views_chain,
    views_fairness,
    views_financier,
    views_book,
    views_policies,
    views_cases,
    views_money,
    views_guarantees,
    views_guarantors,
    views_health,
    views_holds,
    views_blacklist,
    views_auditor,
    views_confirmations,
):
    router.include_router(_desk.router)
