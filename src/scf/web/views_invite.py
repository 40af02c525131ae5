"""Invite a firm that is not here yet: a QR code or a link with the amount inside, and what became of it."""

from __future__ import annotations

import hmac
from typing import Any
from urllib.parse import quote

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.responses import Response

from scf.api import joining, reads
from scf.api.access import Caller
from scf.api.views import Views
from scf.kernel.identifiers import secret_digest
from scf.kernel.money import format_money
from scf.kernel.problems import Problem
from scf.receivables.invitations import DAYS, Invitation
from scf.web.doors import PagesDoor, Signed
from scf.web.pages import Pages, go
from scf.web.svg.qr import qr_of
from scf.web.views_acts import confirm_page, read_body

router = APIRouter()
_LINK_SECONDS = 3600
_TEXTS = ("order_reference", "invoice_number", "delivered_on", "payment_due_on", "to_name")


@router.get("/invite")
def invite_form(request: Request, pages: PagesDoor, caller: Signed) -> Response:
    """Choose a note, then say how much of it, for which trade."""
    return _form(request, pages, caller, FormData(dict(request.query_params)), None)


@router.post("/invite")
async def invited(request: Request, pages: PagesDoor, caller: Signed) -> Response:
    """Keep the wish and show its link."""
    form = await request.form()
    return await run_in_threadpool(_invited, request, pages, caller, form)


@router.get("/invitations")
def invitations(request: Request, pages: PagesDoor, caller: Signed) -> Response:
    """The caller's invitations, newest first."""
    with pages.app.reading() as session:
        rows = [joining.shape(pages.app, session, row) for row in pages.app.invitations.of(session, caller.addresses)]
    return pages.render(request, "invitations.html", caller, rows=rows)


@router.get("/invitations/{invitation_id}")
def invitation(request: Request, pages: PagesDoor, caller: Signed, invitation_id: str) -> Response:
    """One invitation: its QR code and link while this browser has them, and whose turn it is."""
    with pages.app.reading() as session:
        row = pages.app.invitations.own(session, invitation_id, caller.addresses)
        shown = joining.shape(pages.app, session, row)
    link = _link(request, pages, row)
    words = _message(request, pages, shown, link) if link else ""
    return pages.render(
        request,
        "invitation.html",
        caller,
        row=shown,
        link=link,
        qr=qr_of(link) if link else None,
        mail=f"mailto:?subject={quote(pages.gettext(request, 'A payment is waiting for you'))}&body={quote(words)}",
        sms=f"sms:?&body={quote(words)}",
        words=words,
    )


@router.post("/invitations/{invitation_id}/link")
def renew(request: Request, pages: PagesDoor, caller: Signed, invitation_id: str) -> Response:
    """A new link; the old one stops working."""
    with pages.app.desk.session() as session:
        secret = pages.app.invitations.renew(session, invitation_id, caller.addresses)
    return _with_link(request, invitation_id, secret)


@router.post("/invitations/{invitation_id}/withdraw")
def withdraw(pages: PagesDoor, caller: Signed, invitation_id: str) -> Response:
    """Take an invitation back."""
    with pages.app.desk.session() as session:
        pages.app.invitations.withdraw(session, invitation_id, caller.addresses)
    return go(f"/invitations/{invitation_id}", done="uninvite")


@router.post("/invitations/{invitation_id}/pass")
def sign(request: Request, pages: PagesDoor, caller: Signed, invitation_id: str) -> Response:
    """Read and confirm the pass to the firm that joined: everything is filled in already."""
    with pages.app.reading() as session:
        row = pages.app.invitations.own(session, invitation_id, caller.addresses)
    if row.joined_as is None:
        raise Problem("invitation_nobody_yet")
    return confirm_page(request, pages, caller, "pass", FormData(joining.pass_answers(pages.app, row)))


def _invited(request: Request, pages: Pages, caller: Caller, form: FormData) -> Response:
    try:
        body = read_body(joining.InvitationBody, _body(pages, request, form))
        row, secret = joining.invite(pages.app, caller, body)
    except Problem as problem:
        return _form(request, pages, caller, form, problem)
    return _with_link(request, row.id, secret)


def _body(pages: Pages, request: Request, form: FormData) -> dict[str, Any]:
    """The answers of the form. Raises Problem `form_field_missing`."""
    body: dict[str, Any] = {name: str(form[name]).strip() for name in _TEXTS if str(form.get(name) or "").strip()}
    amount, papers = str(form.get("amount") or "").strip(), [str(one) for one in form.getlist("evidence")]
    for missing, label in ((not amount, "Amount"), (not papers, "Documents behind it")):
        if missing:
            raise Problem("form_field_missing", field=pages.gettext(request, label))
    return {
        **body,
        "note": str(form.get("note") or ""),
        "amount": {"text": amount, "currency": str(form.get("currency") or "CNY")},
        "evidence": papers,
        "days": str(form.get("days") or 7),
        "sign_at_once": bool(form.get("sign_at_once")),
    }


def _form(request: Request, pages: Pages, caller: Caller, form: FormData, problem: Problem | None) -> Response:
    with pages.app.reading() as session:
        views = Views(pages.app, session, caller)
        note_id = str(form.get("note") or "")
        note = views.note(note_id) if note_id else None
        held = [] if note else [views.note(row.id) for row in reads.held_by(session, caller.addresses, limit=50)]
        papers = reads.papers_of(session, caller.senders)
        trusts = reads.best_trust(session, papers)
        promised = pages.app.invitations.promised(session, note["id"]) if note else 0
    free = max(0, int(note["amount"]["minor"]) - promised) if note and note["amount"] else 0
    return pages.render(
        request,
        "invite.html",
        caller,
        status=problem.status if problem else 200,
        note=note,
        free={**note["amount"], "minor": str(free)} if note and note["amount"] else None,
        held=held,
        papers=papers,
        trusts=trusts,
        values=form,
        days=DAYS,
        problem=problem,
    )


def _with_link(request: Request, invitation_id: str, secret: str) -> Response:
    """To the invitation's page; the link itself travels in a cookie of that page alone, and is kept nowhere else."""
    answer = go(f"/invitations/{invitation_id}", done="invite")
    answer.set_cookie(
        "scf_invitation",
        secret,
        max_age=_LINK_SECONDS,
        path=f"/invitations/{invitation_id}",
        httponly=True,
        samesite="lax",
        secure=request.url.scheme == "https",
    )
    return answer


def _link(request: Request, pages: Pages, row: Invitation) -> str | None:
    secret = request.cookies.get("scf_invitation", "")
    if not secret or row.joined_as is not None or row.withdrawn_at is not None:
        return None
    if not hmac.compare_digest(secret_digest(secret), row.digest):
        return None
    return f"{pages.origin(request)}/join/{secret}"


def _message(request: Request, pages: Pages, shown: dict[str, Any], link: str) -> str:
    """What is sent with the link."""
    money = format_money(int(shown["amount"]["minor"]), shown["amount"]["currency"])
    if pages.language(request) == "zh-CN":
        payer = f"由 {shown['obligor']} 于 {shown['maturity']} 支付"
        return f"您有一笔 {money} 的款项待签收，{payer}。打开链接即可加入：{link}"
    return (
        f"{money} is waiting for you, payable by {shown['obligor']} "
        f"on {shown['maturity']}. Open the link to join: {link}"
    )
