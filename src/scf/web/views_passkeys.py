"""Passkeys (WebAuthn): register one, sign in by one. The browser's part is `static/js/passkey.js`."""

from __future__ import annotations

import base64
import time
from typing import Any

from fastapi import APIRouter, Request
from sqlmodel import Session
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response
from webauthn import (
    generate_authentication_options,
    generate_registration_options,
    options_to_json,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from scf.api.access import Caller, let_in
from scf.api.problems import respond
from scf.api.proving import require_fresh
from scf.identity.models import Passkey, Person
from scf.kernel.problems import Problem
from scf.web.doors import PagesDoor, Signed
from scf.web.entering import welcome
from scf.web.pages import Pages, own_path

router = APIRouter()
_COOKIE = "scf_challenge"
_SECONDS = 300


@router.post("/passkeys/options")
def register_options(request: Request, pages: PagesDoor, caller: Signed) -> Response:
    """What an authenticator needs to make a passkey for the person who is signed in."""
    try:
        require_fresh(pages.app, caller)
        site = _site(pages, request)
        person = _person(pages, caller)
        with pages.app.reading() as session:
            known = pages.app.people.passkeys(session, person.id)
    except Problem as problem:
        return respond(problem, request)
    options = generate_registration_options(
        rp_id=site,
        rp_name="scf",
        user_name=person.contact,
        user_display_name=person.name,
        user_id=person.handle,
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED, user_verification=UserVerificationRequirement.REQUIRED
        ),
        exclude_credentials=[PublicKeyCredentialDescriptor(id=row.credential_id) for row in known],
    )
    return _challenge(pages, request, options_to_json(options), options.challenge, person.id)


@router.post("/passkeys")
async def register(request: Request, pages: PagesDoor, caller: Signed) -> Response:
    """Keep the passkey an authenticator made."""
    body = await _body(request)
    return await run_in_threadpool(_register, request, pages, caller, body)


@router.post("/passkeys/enter/options")
def enter_options(request: Request, pages: PagesDoor) -> Response:
    """What an authenticator needs to prove who somebody is; it knows the person, nobody types a name."""
    try:
        pages.admit(request, "passkey")
        site = _site(pages, request)
    except Problem as problem:
        return respond(problem, request)
    options = generate_authentication_options(rp_id=site, user_verification=UserVerificationRequirement.REQUIRED)
    return _challenge(pages, request, options_to_json(options), options.challenge, "")


@router.post("/passkeys/enter")
async def enter(request: Request, pages: PagesDoor) -> Response:
    """Sign in by a passkey."""
    body = await _body(request)
    return await run_in_threadpool(_enter, request, pages, body)


@router.post("/passkeys/prove/options")
def prove_options(request: Request, pages: PagesDoor, caller: Signed) -> Response:
    """What an authenticator needs to prove that whoever is signed in is still there."""
    try:
        pages.admit(request, "passkey")
        site, who = _site(pages, request), caller.person_id or ""
        with pages.app.reading() as session:
            known = pages.app.people.passkeys(session, who)
    except Problem as problem:
        return respond(problem, request)
    options = generate_authentication_options(
        rp_id=site,
        user_verification=UserVerificationRequirement.REQUIRED,
        allow_credentials=[PublicKeyCredentialDescriptor(id=row.credential_id) for row in known],
    )
    return _challenge(pages, request, options_to_json(options), options.challenge, f"prove:{caller.session_id}")


@router.post("/passkeys/prove")
async def prove(request: Request, pages: PagesDoor, caller: Signed) -> Response:
    """Prove by a passkey of one's own that it is still oneself."""
    body = await _body(request)
    return await run_in_threadpool(_prove, request, pages, caller, body)


def _prove(request: Request, pages: Pages, caller: Caller, body: dict[str, Any]) -> Response:
    try:
        pages.admit(request, "passkey")
        if caller.session_id is None or caller.person_id is None:
            raise Problem("proof_needs_session")
        with pages.app.desk.session() as session:
            row = _verified(pages, request, session, body, f"prove:{caller.session_id}")
            if row.person_id != caller.person_id:
                raise Problem("passkey_refused")
            pages.app.people.proved(session, caller.session_id, method="passkey", at=int(time.time()))
    except Problem as problem:
        return respond(problem, request)
    except (WebAuthnException, ValueError, KeyError, TypeError, AttributeError):
        return respond(Problem("passkey_refused"), request)
    answer = JSONResponse({"proved": True})
    answer.delete_cookie(_COOKIE, path="/passkeys")
    return answer


def _verified(pages: Pages, request: Request, session: Session, body: dict[str, Any], purpose: str) -> Passkey:
    """The passkey whose assertion answers the challenge of this browser. Raises what the library raises of another."""
    credential = body.get("credential", {})
    challenge = _opened(pages, request, purpose)
    row = pages.app.people.passkey(session, _bytes(str(credential.get("rawId", ""))))
    found = verify_authentication_response(
        credential=credential,
        expected_challenge=challenge,
        expected_rp_id=_site(pages, request),
        expected_origin=pages.origin(request),
        credential_public_key=row.public_key,
        credential_current_sign_count=row.sign_count,
        require_user_verification=True,
    )
    pages.app.people.used_passkey(session, row, found.new_sign_count)
    return row


def _register(request: Request, pages: Pages, caller: Caller, body: dict[str, Any]) -> Response:
    try:
        require_fresh(pages.app, caller)
        person = _person(pages, caller)
        challenge = _opened(pages, request, person.id)
        made = verify_registration_response(
            credential=body.get("credential", {}),
            expected_challenge=challenge,
            expected_rp_id=_site(pages, request),
            expected_origin=pages.origin(request),
            require_user_verification=True,
        )
        with pages.app.desk.session() as session:
            pages.app.people.add_passkey(
                session,
                person.id,
                made.credential_id,
                made.credential_public_key,
                sign_count=made.sign_count,
                name=str(body.get("name") or ""),
            )
    except Problem as problem:
        return respond(problem, request)
    except (WebAuthnException, ValueError, KeyError, TypeError):
        return respond(Problem("passkey_refused"), request)
    answer = JSONResponse({"to": "/account"})
    if caller.person_id is None:
        let_in(pages.app, pages.sessions, request, answer, caller.address, method="passkey", person_id=person.id)
    answer.delete_cookie(_COOKIE, path="/passkeys")
    return answer


def _enter(request: Request, pages: Pages, body: dict[str, Any]) -> Response:
    answer = JSONResponse({"to": own_path(str(body.get("next") or "/"))})
    try:
        pages.admit(request, "passkey")
        with pages.app.desk.session() as session:
            row = _verified(pages, request, session, body, "")
            person = pages.app.people.person(session, row.person_id)
        welcome(pages, request, answer, person, "passkey")
    except Problem as problem:
        return respond(problem, request)
    except (WebAuthnException, ValueError, KeyError, TypeError, AttributeError):
        return respond(Problem("passkey_refused"), request)
    answer.delete_cookie(_COOKIE, path="/passkeys")
    return answer


def _person(pages: Pages, caller: Caller) -> Person:
    """The person who is signed in. A demo seat gets one of its own; a token is none. Raises `passkey_needs_person`."""
    with pages.app.desk.session() as session:
        if caller.person_id is not None:
            return pages.app.people.person(session, caller.person_id)
        if not pages.app.settings.demo:
            raise Problem("passkey_needs_person")
        contact = f"{caller.address[2:14].lower()}@demo.invalid"
        person = pages.app.people.add(session, f"{caller.name} ({caller.duty})", contact)
        pages.app.people.seat(session, person, caller.address)
        return person


def _site(pages: Pages, request: Request) -> str:
    """The name passkeys are bound to. Raises Problem `passkey_needs_name`."""
    site = pages.passkey_site(request)
    if site is None:
        port = request.url.port
        raise Problem("passkey_needs_name", address=f"{request.url.scheme}://localhost{f':{port}' if port else ''}")
    return site


def _challenge(pages: Pages, request: Request, options: str, challenge: bytes, person_id: str) -> Response:
    answer = Response(options, media_type="application/json")
    sealed = pages.sessions.seal({"challenge": base64.b64encode(challenge).decode(), "person": person_id})
    answer.set_cookie(
        _COOKIE,
        sealed,
        max_age=_SECONDS,
        path="/passkeys",
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    return answer


def _opened(pages: Pages, request: Request, person_id: str) -> bytes:
    """The challenge this browser was given. Raises Problem `passkey_refused`."""
    kept = pages.sessions.open(request.cookies.get(_COOKIE), seconds=_SECONDS)
    if kept is None or kept.get("person") != person_id:
        raise Problem("passkey_refused")
    return base64.b64decode(str(kept["challenge"]))


async def _body(request: Request) -> dict[str, Any]:
    try:
        body = await request.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
