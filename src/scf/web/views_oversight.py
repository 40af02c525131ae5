"""Pages of auditor, operator and regulator: verify, exceptions, members; and tokens for programs."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request, UploadFile
from sqlmodel import Session, select
from starlette.responses import Response

from scf.api import access, exceptions, reads
from scf.api.routes_other import MOST_BYTES, audit_bundle
from scf.api.routes_records import roles_of, status_of
from scf.audit import program as standalone
from scf.audit import service as audit
from scf.kernel.problems import Problem
from scf.parties.models import Member, Organisation
from scf.parties.service import Role
from scf.reconciliation import service as reconciliation
from scf.reconciliation.facts import date_of, normalise_party
from scf.reconciliation.models import CaseRow
from scf.web.doors import PagesDoor, Signed
from scf.web.lanes import KINDS, lanes_of, said, settled
from scf.web.pages import Pages

router = APIRouter()
_OVERSEERS = Role.AUDITOR | Role.OPERATOR | Role.REGULATOR


@router.get("/verify")
def verify_page(request: Request, pages: PagesDoor, caller: Signed) -> Response:
    """Where the ledger stands, whether the books agree with themselves, and a place for a bundle."""
    return _verify_page(request, pages, caller)


@router.post("/verify")
def verify(request: Request, pages: PagesDoor, caller: Signed, file: UploadFile) -> Response:
    """Check a bundle as `scf audit verify` does."""
    raw = file.file.read(8 * MOST_BYTES)
    if not raw:
        return _verify_page(request, pages, caller, problem=Problem("bundle_missing"))
    with tempfile.TemporaryDirectory() as folder:
        bundle = Path(folder) / "bundle.zip"
        bundle.write_bytes(raw)
        report = audit.verify(bundle)
    return _verify_page(request, pages, caller, report=report, name=file.filename)


@router.get("/verify/program")
def verifier_file(caller: Signed) -> Response:
    """The verifier as one file, to be run on one's own computer."""
    headers = {"Content-Disposition": f'attachment; filename="{standalone.FILE_NAME}"'}
    return Response(standalone.program(), media_type="application/zip", headers=headers)


@router.get("/verify/bundle")
def bundle(pages: PagesDoor, caller: Signed) -> Response:
    """The bundle of everything, to be checked anywhere."""
    caller.require(_OVERSEERS)
    headers = {"Content-Disposition": 'attachment; filename="scf-audit.zip"'}
    return Response(audit_bundle(pages.app), media_type="application/zip", headers=headers)


@router.get("/orders/{reference:path}")
def order(request: Request, pages: PagesDoor, caller: Signed, reference: str) -> Response:
    """One order: goods against money on one time axis, each break explained in a sentence."""
    with pages.app.reading() as session:
        may_see_order(session, caller, reference)
        steps = reconciliation.timeline(session, reference)
        rows = reconciliation.exceptions(session, state=None, order_reference=reference).rows
    language = pages.language(request)
    return pages.render(
        request,
        "order.html",
        caller,
        reference=reference,
        steps=steps,
        breaks=[exceptions.shape(row) for row in rows],
        picture=lanes_of(steps, rows, language),
        agrees=settled(steps, rows),
        decisions=reconciliation.DECISIONS,
        day_of=lambda day: date_of(day).isoformat(),
        said=said,
        kinds=KINDS,
    )


@router.get("/members")
def members(request: Request, pages: PagesDoor, caller: Signed) -> Response:
    """Everyone enrolled, with roles; standing and limits only for overseers."""
    with pages.app.reading() as session:
        rows: list[dict[str, Any]] = []
        for item in pages.app.parties.participants(session):
            member = session.get(Member, item.address) if caller.sees_all else None
            rows.append(
                {
                    "name": item.name,
                    "duty": item.duty,
                    "roles": roles_of(item.roles),
                    "address": item.address,
                    "halted": bool(member and member.halted),
                }
            )
    return pages.render(request, "members.html", caller, rows=rows)


def _verify_page(
    request: Request,
    pages: Pages,
    caller: access.Caller,
    *,
    report: audit.Report | None = None,
    problem: Problem | None = None,
    name: str | None = None,
) -> Response:
    with pages.app.reading() as session:
        checked, broken = reads.unbalanced(session) if caller.sees_all else (0, [])
    return pages.render(
        request,
        "verify.html",
        caller,
        status=problem.status if problem else 200,
        state=status_of(pages.app, caller),
        checked=checked,
        broken=broken,
        report=report,
        problem=problem,
        name=name,
        program=standalone.FILE_NAME,
        program_sha256=standalone.program_sha256(),
        language=pages.language(request),
    )


def may_see_order(session: Session, caller: access.Caller, reference: str) -> None:
    """Raise Problem `order_unknown` unless the caller has a part in the order: its buyer, or a note on it."""
    if caller.sees_all or reference in reads.orders_of(session, caller.addresses):
        return
    firm = session.get(Organisation, caller.organisation_id)
    ours = {normalise_party(firm.uscc), normalise_party(firm.name)} - {None} if firm else set()
    buyers = session.exec(select(CaseRow.buyer).where(CaseRow.order_reference == reference)).all()
    if not any(buyer in ours for buyer in buyers if buyer):
        raise Problem("order_unknown", reference=reference[:60])
