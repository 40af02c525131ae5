"""The file to sign of any page that asks for a signature, and the page that asks for it after the text was read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from starlette.responses import Response

from scf.api.access import SESSION_SECONDS, Caller
from scf.kernel.problems import Problem
from scf.parties.models import Member
from scf.web.doors import PagesDoor, Signed
from scf.web.pages import Pages
from scf.web.signing import documents_of, signing_file
from scf.web.views_prove import prove_box

router = APIRouter()


@router.post("/to-sign")
def to_sign(pages: PagesDoor, caller: Signed, sealed: Annotated[str, Form()] = "") -> Response:
    """What the form one is looking at asks to sign, as EIP-712 documents. Raises Problem `confirmation_expired`."""
    content = opened(pages, caller, sealed)
    headers = {"Content-Disposition": 'attachment; filename="to-sign.json"'}
    return Response(signing_file(pages.app, content), media_type="application/json", headers=headers)


def opened(pages: Pages, caller: Caller, sealed: object) -> dict[str, Any]:
    """What was sealed for this caller. Raises Problem `confirmation_expired`."""
    found = pages.sessions.open(str(sealed or ""), seconds=SESSION_SECONDS)
    if found is None or found.get("caller") != caller.address:
        raise Problem("confirmation_expired")
    return dict(found)


def sign_page(
    request: Request,
    pages: Pages,
    caller: Caller,
    content: Mapping[str, Any],
    problem: Problem | None,
    *,
    action: str,
    back: str,
    hidden: Mapping[str, str] | None = None,
    signers: int = 1,
    sent_to: str | None = None,
) -> Response:
    """Ask for the signatures over what was read or filled in; the form goes to `action` with all of it sealed.

    With `signers` 2 each document is signed by two people, their lines one after the other.
    """
    documents = documents_of(pages.app, content)
    with pages.app.reading() as session:
        member = session.get(Member, caller.address)
    return pages.render(
        request,
        "sign.html",
        caller,
        status=problem.status if problem else 200,
        summary=content["summary"],
        read="read" in content,
        documents=documents,
        needed=len(documents) * signers,
        signers=signers,
        own_key=member.key if member else caller.address,
        sealed=pages.sessions.seal(content),
        action=action,
        back=back,
        hidden=hidden or {},
        prove=prove_box(request, pages, caller, sent_to),
        problem=problem,
    )
