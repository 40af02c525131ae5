"""Signing in through a provider of identities (OpenID Connect), where one is configured; off otherwise.

`SCF_OIDC_ISSUER`, `SCF_OIDC_CLIENT_ID` and `SCF_OIDC_CLIENT_SECRET` turn it on. The provider says who somebody is; what
they may do here follows from the seats they have here. A person is recognised by what the provider called them before,
or, the first time, by an e-mail address the provider verified.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx
from authlib.common.errors import AuthlibBaseError
from authlib.oidc.core import CodeIDToken
from fastapi import APIRouter, Request
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from starlette.responses import RedirectResponse, Response

from scf.identity.models import Person
from scf.kernel.problems import Problem
from scf.web.doors import PagesDoor
from scf.web.entering import welcome
from scf.web.pages import Pages, own_path

router = APIRouter()
_COOKIE = "scf_oidc"
_SECONDS = 600
_TIMEOUT_SECONDS = 10
_LEEWAY_SECONDS = 60
_IdToken: Any = CodeIDToken  # the library carries no types
_ALGORITHMS = ("RS256", "ES256", "PS256", "EdDSA")


@dataclass(frozen=True, slots=True)
class Provider:
    """A configured provider of identities."""

    issuer: str
    client_id: str
    client_secret: str = field(repr=False)

    @classmethod
    def configured(cls, settings: Mapping[str, str] = os.environ) -> Provider | None:
        """The provider of this installation, or None."""
        issuer, client = settings.get("SCF_OIDC_ISSUER", "").rstrip("/"), settings.get("SCF_OIDC_CLIENT_ID", "")
        return cls(issuer, client, settings.get("SCF_OIDC_CLIENT_SECRET", "")) if issuer and client else None

    def metadata(self) -> dict[str, Any]:
        """What the provider says of itself. Raises Problem `oidc_refused` when it claims to be another."""
        answer = httpx.get(f"{self.issuer}/.well-known/openid-configuration", timeout=_TIMEOUT_SECONDS)
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        if not isinstance(found, dict) or str(found.get("issuer", "")).rstrip("/") != self.issuer:
            raise Problem("oidc_refused", reason="issuer")
        return found

    def client(self, redirect: str) -> Any:
        """An OAuth 2 client with PKCE."""
        from authlib.integrations import httpx_client  # late: only where a provider is configured

        made: Any = httpx_client.OAuth2Client
        return made(
            self.client_id,
            self.client_secret,
            redirect_uri=redirect,
            scope="openid email profile",
            code_challenge_method="S256",
            timeout=_TIMEOUT_SECONDS,
        )


@router.get("/sign-in/oidc")
def leave_for_provider(request: Request, pages: PagesDoor, next: str = "/") -> Response:
    """To the provider, with what proves later that this browser asked."""
    pages.admit(request, "enter")
    provider = _provider()
    nonce, verifier = secrets.token_urlsafe(24), secrets.token_urlsafe(48)
    try:
        client = provider.client(_redirect(request, pages))
        place = provider.metadata()["authorization_endpoint"]
        address, state = client.create_authorization_url(place, nonce=nonce, code_verifier=verifier)
    except (httpx.HTTPError, KeyError, ValueError) as error:
        raise Problem("oidc_refused", reason=type(error).__name__) from error
    answer = RedirectResponse(address, status_code=303)
    sealed = pages.sessions.seal({"state": state, "nonce": nonce, "verifier": verifier, "next": own_path(next)})
    answer.set_cookie(
        _COOKIE,
        sealed,
        max_age=_SECONDS,
        path="/sign-in/oidc",
        httponly=True,
        samesite="lax",
        secure=request.url.scheme == "https",
    )
    return answer


@router.get("/sign-in/oidc/back")
def back_from_provider(
    request: Request, pages: PagesDoor, code: str = "", state: str = "", error: str = ""
) -> Response:
    """Back from the provider: its answer is checked before anybody is let in."""
    pages.admit(request, "enter")
    provider = _provider()
    kept = pages.sessions.open(request.cookies.get(_COOKIE), seconds=_SECONDS)
    if kept is None or not state or not secrets.compare_digest(state.encode(), str(kept["state"]).encode()):
        raise Problem("oidc_refused", reason="state")
    if error or not code:
        raise Problem("oidc_refused", reason="no code")
    try:
        claims = _claims(provider, _redirect(request, pages), code, kept)
    except (httpx.HTTPError, AuthlibBaseError, JoseError, KeyError, TypeError, ValueError) as fault:
        raise Problem("oidc_refused", reason=type(fault).__name__) from fault
    person = _recognise(pages, provider, claims)
    answer = RedirectResponse(own_path(str(kept["next"])), status_code=303)
    welcome(pages, request, answer, person, "oidc")
    answer.delete_cookie(_COOKIE, path="/sign-in/oidc")
    return answer


def _claims(provider: Provider, redirect: str, code: str, kept: Mapping[str, object]) -> Mapping[str, Any]:
    """The ID token's claims, its signature, audience, issuer, nonce and time checked."""
    said = provider.metadata()
    with provider.client(redirect) as client:
        token = client.fetch_token(said["token_endpoint"], code=code, code_verifier=str(kept["verifier"]))
    answer = httpx.get(said["jwks_uri"], timeout=_TIMEOUT_SECONDS)
    answer.raise_for_status()
    decoded = jwt.decode(token["id_token"], KeySet.import_key_set(answer.json()), algorithms=list(_ALGORITHMS))
    rules = {
        "iss": {"essential": True, "values": [said["issuer"]]},
        "aud": {"essential": True, "value": provider.client_id},
        "nonce": {"essential": True, "value": kept["nonce"]},
    }
    asked = {"nonce": kept["nonce"], "client_id": provider.client_id}
    claims = _IdToken(decoded.claims, decoded.header, rules, asked)
    claims.validate(leeway=_LEEWAY_SECONDS)
    return dict(claims)


def _recognise(pages: Pages, provider: Provider, claims: Mapping[str, Any]) -> Person:
    """The person behind checked claims. Raises Problem `oidc_unknown_person`."""
    people, subject = pages.app.people, str(claims["sub"])
    with pages.app.desk.session() as session:
        person = people.by_subject(session, provider.issuer, subject)
        if person is None and claims.get("email") and claims.get("email_verified") is True:
            person = people.by_contact(session, str(claims["email"]))
            if person is not None:
                people.know_subject(session, provider.issuer, subject, person)
    if person is None:
        raise Problem("oidc_unknown_person")
    return person


def _provider() -> Provider:
    found = Provider.configured()
    if found is None:
        raise Problem("oidc_off")
    return found


def _redirect(request: Request, pages: Pages) -> str:
    return f"{pages.origin(request)}/sign-in/oidc/back"
