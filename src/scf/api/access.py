"""Who is calling: a signed session cookie of the pages, or an API token.

A caller acts as one seat of one organisation. Sessions are HMAC-signed and expire; tokens are stored as digests.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from sqlmodel import Session, col, select
from starlette.requests import Request
from starlette.responses import Response

from scf.api.models import ApiToken
from scf.app import App
from scf.kernel.problems import Problem
from scf.parties.keys import own_secret
from scf.parties.models import Member, Seat
from scf.parties.service import Role

SESSION_COOKIE = "scf_session"
SESSION_SECONDS = 12 * 3600
TOKEN_DAYS = 90
_SEES_ALL = Role.AUDITOR | Role.OPERATOR | Role.REGULATOR


@dataclass(frozen=True, slots=True)
class Caller:
    """One seat of an organisation, as proven by a session or a token.

    `addresses` are all seats of the organisation; what one of them has a relation to, all of them may see.
    """

    address: str
    organisation_id: int
    name: str
    duty: str
    roles: Role
    addresses: frozenset[str]
    person_id: str | None = None
    session_id: str | None = None
    proved_at: int = 0
    """When the person of a session last proved who they are, in unix seconds of the wall clock."""

    @property
    def key(self) -> str:
        """How commands of this caller are told from those of others."""
        return f"member:{self.address}"

    @property
    def senders(self) -> frozenset[str]:
        """The names under which documents of this organisation are filed."""
        return self.addresses | {self.name}

    @property
    def sees_all(self) -> bool:
        """Auditor, operator or regulator."""
        return bool(self.roles & _SEES_ALL)

    def has(self, role: Role) -> bool:
        """Whether the seat has this role."""
        return bool(self.roles & role)

    def require(self, role: Role) -> None:
        """Raise Problem `role_needed` unless the seat has one of the roles."""
        if not self.has(role):
            raise Problem("role_needed", role=role_words(role), caller=self.name)


def role_words(roles: Role) -> dict[str, str]:
    """One of several roles as a refusal names them, in both languages."""
    named = [words for role, words in _ROLE_WORDS.items() if role & roles]
    return {"en": " or ".join(en for en, _ in named), "zh-CN": "或".join(zh for _, zh in named)}


_ROLE_WORDS = {
    Role.OBLIGOR: ("core enterprise", "核心企业"),
    Role.SUPPLIER: ("supplier", "供应商"),
    Role.FINANCIER: ("financier", "资金方"),
    Role.BANK: ("paying bank", "付款银行"),
    Role.ATTESTOR: ("attestor", "核证方"),
    Role.APPROVER: ("approver", "批准人"),
    Role.OPERATOR: ("operator", "运营方"),
    Role.AUDITOR: ("auditor", "审计方"),
    Role.REGULATOR: ("regulator", "监管方"),
}


def caller_at(app: App, session: Session, address: str) -> Caller:
    """The caller behind an address: a member, or a person who acts for one. Raises Problem `unknown_participant`."""
    member, seat = session.get(Member, address), session.get(Seat, address)
    if seat is None:
        raise Problem("unknown_participant", who=address)
    if member is None:
        found = next((one for one in app.parties.people(session) if one.address == address), None)
        if found is None:
            raise Problem("unknown_participant", who=address)
        roles = found.roles
    else:
        roles = Role(member.roles)
    siblings = session.exec(select(Seat.address).where(Seat.organisation_id == seat.organisation_id)).all()
    return Caller(
        address=address,
        organisation_id=seat.organisation_id,
        name=app.parties.name_of(session, address),
        duty=seat.duty,
        roles=roles,
        addresses=frozenset(siblings),
    )


class Sessions:
    """Makes and reads session cookies, signed with a key of this installation."""

    def __init__(self, folder: Path) -> None:
        self._key = own_secret(folder, "session")

    def seal(self, content: Mapping[str, object]) -> str:
        """`content` with the time it was sealed, signed."""
        body = base64.urlsafe_b64encode(json.dumps({**content, "at": int(time.time())}).encode()).decode()
        return f"{body}.{self._tag(body)}"

    def open(self, sealed: str | None, *, seconds: int = SESSION_SECONDS) -> dict[str, object] | None:
        """What was sealed, or None when the text was not made here or is too old."""
        body, _, tag = (sealed or "").partition(".")
        if not body or not hmac.compare_digest(tag, self._tag(body)):
            return None
        content: dict[str, object] = json.loads(base64.urlsafe_b64decode(body))
        return content if time.time() - float(str(content["at"])) <= seconds else None

    def _tag(self, body: str) -> str:
        return hmac.new(self._key, body.encode(), hashlib.sha256).hexdigest()


def current(app: App, sessions: Sessions, request: Request) -> Caller | None:
    """The caller of a request; None when nobody signed in. Raises Problem `token_not_valid`."""
    header = request.headers.get("authorization", "")
    with app.reading() as session:
        if header.lower().startswith("bearer "):
            secret = header[7:].strip()
            known = session.get(ApiToken, _digest(secret))
            if known is not None:
                request.state.program = (known.address, known.digest[:16])
            return caller_at(app, session, token_address(app, session, secret))
        content = sessions.open(request.cookies.get(SESSION_COOKIE))
        row = app.people.signed_in(session, str(content.get("id")), int(time.time())) if content else None
        if row is None:
            return None
        try:
            found = caller_at(app, session, row.address)
        except Problem:
            return None
        proved_at = app.people.proved_at(session, row)
        return replace(found, person_id=row.person_id, session_id=row.id, proved_at=proved_at)


def let_in(
    app: App,
    sessions: Sessions,
    request: Request,
    response: Response,
    address: str,
    *,
    method: str,
    person_id: str | None = None,
    proved_at: int = 0,
) -> None:
    """Begin a session of a browser at a seat, and put its cookie on the answer.

    `proved_at` is handed on by a session that goes over into this one.
    """
    with app.desk.session() as session:
        row = app.people.sign_in(
            session,
            address,
            method=method,
            person_id=person_id,
            device=device_of(request.headers.get("user-agent", "")),
            at=int(time.time()),
            seconds=SESSION_SECONDS,
        )
        if proved_at:
            app.people.proved(session, row.id, method=method, at=proved_at)
        sealed = sessions.seal({"id": row.id})
    response.set_cookie(
        SESSION_COOKIE,
        sealed,
        max_age=SESSION_SECONDS,
        httponly=True,
        samesite="lax",
        secure=request.url.scheme == "https",
    )


def let_out(app: App, sessions: Sessions, request: Request, *, everywhere: bool = False) -> None:
    """End the session of a request, or every session of whoever it is; without one nothing happens."""
    content = sessions.open(request.cookies.get(SESSION_COOKIE))
    if content is None:
        return
    with app.desk.session() as session:
        row = app.people.signed_in(session, str(content.get("id")), int(time.time()))
        if row is not None:
            app.people.sign_out(session, row, everywhere=everywhere)


def device_of(agent: str) -> str:
    """A browser and a system in two words, so that a person recognises an own session in a list."""
    browsers = (("Edg/", "Edge"), ("MicroMessenger", "WeChat"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"))
    systems = (("Android", "Android"), ("iPhone", "iPhone"), ("iPad", "iPad"), ("Windows", "Windows"))
    browser = next((name for mark, name in browsers if mark in agent), "Safari" if "Safari/" in agent else "")
    others = (("Mac OS", "Mac"), ("Linux", "Linux"))
    system = next((name for mark, name in (*systems, *others) if mark in agent), "")
    return " · ".join(part for part in (browser, system) if part)


def issue_token(app: App, address: str, name: str, *, days: int = TOKEN_DAYS) -> str:
    """Make an API token acting as `address` and return its secret, shown this once. Raises `unknown_participant`."""
    secret = "scf_" + secrets.token_urlsafe(32)
    now = app.clock.now()
    with app.desk.session() as session:
        caller_at(app, session, address)
        session.add(
            ApiToken(
                digest=_digest(secret), address=address, name=name[:80], made_at=now, expires_at=now + days * 86_400
            )
        )
    return secret


def token_address(app: App, session: Session, secret: str) -> str:
    """The address a token acts as. Raises Problem `token_not_valid`."""
    row = session.get(ApiToken, _digest(secret))
    if row is None or row.revoked_at is not None or row.expires_at <= app.clock.now():
        raise Problem("token_not_valid")
    return row.address


def tokens_of(session: Session, caller: Caller) -> list[ApiToken]:
    """Tokens of the caller's seat, newest first."""
    query = select(ApiToken).where(ApiToken.address == caller.address).order_by(col(ApiToken.made_at).desc())
    return list(session.exec(query).all())


def revoke_token(app: App, caller: Caller, digest: str) -> None:
    """End a token of the caller's seat. Raises Problem `token_not_valid` for one that is not the caller's."""
    with app.desk.session() as session:
        row = session.get(ApiToken, digest)
        if row is None or row.address != caller.address:
            raise Problem("token_not_valid")
        row.revoked_at = row.revoked_at or app.clock.now()
        session.add(row)


def same_origin(request: Request) -> None:
    """Refuse a cookie-borne change that another site asked the browser for. Raises Problem `other_origin`."""
    if request.method in ("GET", "HEAD", "OPTIONS") or request.headers.get("authorization"):
        return
    origin = request.headers.get("origin")
    if origin is not None and origin.partition("://")[2] != request.headers.get("host", ""):
        raise Problem("other_origin", origin=origin[:80])
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise Problem("other_origin", origin=request.headers["sec-fetch-site"])


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
