"""The desks of core enterprise, financier, auditor, operator and regulator, under one roof."""

from __future__ import annotations

from fastapi import APIRouter

from scf.web import views_core, views_payables

router = APIRouter()
for _desk in (views_core, views_payables):
    router.include_router(_desk.router)
