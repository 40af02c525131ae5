"""What every page shares: templates in both languages, the caller, money and dates as people read them."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from datetime import datetime
from importlib import resources
from typing import Any
from urllib.parse import urlsplit

from jinja2 import Environment, PackageLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from scf.api.access import Caller, Sessions, current, same_origin
from scf.api.language import language_of
from scf.api.limits import Doorkeeper
from scf.api.views import moment
from scf.app import App
from scf.kernel.dates import BEIJING, day_of
from scf.kernel.money import format_money
from scf.kernel.problems import Problem
from scf.parties.service import Role
from scf.web import words
from scf.web.i18n import closed_up, translations
from scf.web.navigation import menu_of

DEFAULT_LANGUAGE = "zh-CN"


class SignInFirst(Exception):
    """Nobody is signed in where a page needs somebody; the answer is the way to the sign-in page."""


class Pages:
    """Renders pages of one installation."""

    def __init__(self, app: App, sessions: Sessions) -> None:
        self.app = app
        self.sessions = sessions
        self.doorkeeper = Doorkeeper()
        self._environments = {language: _environment(language) for language in ("zh-CN", "en")}

    def caller(self, request: Request) -> Caller:
        """Who is signed in. Raises SignInFirst, or Problem `other_origin`."""
        same_origin(request)
        found = current(self.app, self.sessions, request)
        if found is None:
            raise SignInFirst
        return found

    def language(self, request: Request) -> str:
        """The language of this page."""
        return language_of(request, DEFAULT_LANGUAGE)

    def gettext(self, request: Request, message: str) -> str:
        """One sentence in the language of this page."""
        return translations(self.language(request)).gettext(message)

    def render(
        self, request: Request, template: str, caller: Caller | None = None, *, status: int = 200, **context: Any
    ) -> HTMLResponse:
        """A page."""
        language = self.language(request)
        environment = self._environments[language]
        done = request.query_params.get("done", "")
        shared = {
            "lang": language,
            "caller": caller,
            "roles": _roles(caller),
            "demo": self.app.settings.demo,
            "path": request.url.path,
            "here": here_of(request),
            "done": words.DONE.get(done),
            "today": day_of(self.app.clock.now()).isoformat(),
            "now": moment(self.app.clock.now()),
            "problem": None,
            "static": static_path,
            "menu": menu_of(caller),
            "my_firms": self.firms(caller) if caller else [],
            "unread": self.unread(caller) if caller else 0,
            "on_hold": self.on_hold(caller) if caller else False,
        }
        html = environment.get_template(template).render({**shared, **context})
        return HTMLResponse(html, status_code=status, headers={"Content-Language": language})

    def admit(self, request: Request, what: str) -> None:
        """Count an attempt from where the request came. Raises Problem `too_many_attempts`, or `other_origin`."""
        same_origin(request)
        self.doorkeeper.admit(what, request.client.host if request.client else "-")

    def origin(self, request: Request) -> str:
        """Scheme and host of these pages as people reach them: `SCF_ORIGIN`, or what the request came by."""
        return os.environ.get("SCF_ORIGIN", "").rstrip("/") or f"{request.url.scheme}://{request.url.netloc}"

    def passkey_site(self, request: Request) -> str | None:
        """The name passkeys are bound to; None where these pages are reached by a bare address."""
        host = urlsplit(self.origin(request)).hostname or ""
        return None if re.fullmatch(r"[\d.]+|.*:.*", host) or not host else host

    def firms(self, caller: Caller) -> list[dict[str, str]]:
        """The seats the person who is signed in may act from; none for a demo identity or a token."""
        if caller.person_id is None:
            return []
        with self.app.reading() as session:
            seats = self.app.people.seats(session, caller.person_id)
            return [{"address": seat, "name": self.app.parties.name_of(session, seat)} for seat in seats]

    def on_hold(self, caller: Caller) -> bool:
        """Whether the caller's firm is held by an entry of the blacklist, in force on the ledger."""
        with self.app.reading() as session:
            return self.app.lists.is_held(session, caller.organisation_id)

    def unread(self, caller: Caller) -> int:
        """How many notices of the caller's firm nobody has read."""
        with self.app.reading() as session:
            return self.app.notices.count_unread(session, caller.addresses)

    def problem(self, request: Request, problem: Problem, caller: Caller | None = None) -> HTMLResponse:
        """A refusal as a page: what happened to the money first."""
        came_from = urlsplit(request.headers.get("referer", ""))
        back = own_path(came_from.path) if came_from.netloc == request.url.netloc else "/"
        return self.render(
            request, "problem.html", caller, status=problem.status, refusal=problem, came_from=back or "/"
        )


def here_of(request: Request) -> str:
    """Where this page can be opened again: its own address, or, for what a form was sent to, the page it came from."""
    at = request.url if request.method == "GET" else urlsplit(request.headers.get("referer", ""))
    if request.method != "GET" and at.netloc != request.url.netloc:
        return "/"
    return own_path(at.path) + (f"?{at.query}" if at.query else "")


def go(path: str, *, done: str | None = None) -> Response:
    """Go to a page of ours after a change, so that reloading it changes nothing."""
    return RedirectResponse(f"{path}{'&' if '?' in path else '?'}done={done}" if done else path, status_code=303)


def own_path(path: str | None) -> str:
    """A path of this server, never another site: `/` for anything else."""
    plain = path or "/"
    return plain if plain.startswith("/") and not plain.startswith(("//", "/\\")) else "/"


def static_path(name: str) -> str:
    """Address of a static file, with a digest of its content so that it can be cached for long."""
    return f"/static/{name}?v={_digest(name)}"


_digests: dict[str, str] = {}


def _digest(name: str) -> str:
    if name not in _digests:
        content = resources.files("scf.web").joinpath("static", *name.split("/")).read_bytes()
        _digests[name] = hashlib.sha256(content).hexdigest()[:12]
    return _digests[name]


def _environment(language: str) -> Environment:
    environment = Environment(
        loader=PackageLoader("scf.web", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        extensions=["jinja2.ext.i18n"],
        trim_blocks=True,
        lstrip_blocks=True,
    )
    spoken = translations(language)
    environment.install_gettext_translations(spoken, newstyle=True)  # type: ignore[attr-defined]
    environment.globals["gettext"] = _closing_up(environment.globals["gettext"])

    def word(table: str) -> Any:
        known: Mapping[str, str] = getattr(words, table)
        return lambda code: spoken.gettext(known[code]) if code in known else str(code)

    environment.filters.update(
        money=_money,
        day=lambda moment: str(moment)[:10] if moment else "—",
        minute=_minute,
        clock=lambda seconds: _minute(moment(seconds)),
        text=lambda sentence: closed_up((sentence or {}).get(language, "")),
        short=lambda code: str(code).removeprefix("0x")[-8:],
        state=word("STATES"),
        role=word("ROLES"),
        duty=word("DUTIES"),
        severity=word("SEVERITIES"),
        owner=word("OWNERS"),
        act=word("ACTS"),
        need=word("NEEDS"),
        stage=word("STAGES"),
        method=word("METHODS"),
        joining=word("JOININGS"),
        delivery=word("DELIVERIES"),
        decision=word("DECISIONS"),
        exception=word("EXCEPTIONS"),
        kind=word("PAPERS"),
        trust=lambda level: f"T{level} {spoken.gettext(words.TRUST[int(level)])}",
        svg=Markup,
    )
    return environment


def _closing_up(gettext: Any) -> Any:
    """The templates' own gettext, with no space left between Chinese characters once names stand in a sentence."""

    @pass_context
    def closing(context: Context, message: str, **variables: Any) -> Markup:
        return Markup(closed_up(str(context.call(gettext, message, **variables))))

    return closing


def _minute(moment: str | None) -> str:
    """A moment as the wall clock in Beijing shows it."""
    if not moment:
        return "—"
    return datetime.fromisoformat(moment).astimezone(BEIJING).strftime("%Y-%m-%d %H:%M")


def _money(value: Mapping[str, str] | None) -> str:
    """Money that never breaks between currency and figure."""
    return "—" if value is None else format_money(int(value["minor"]), value["currency"]).replace(" ", "\u00a0")


def _roles(caller: Caller | None) -> list[str]:
    if caller is None:
        return []
    return [str(role.name).lower() for role in Role if role & caller.roles]
