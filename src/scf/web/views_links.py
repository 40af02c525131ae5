"""One-time links: no password to remember or to steal; each works once, within minutes."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request
from starlette.responses import RedirectResponse, Response

from scf.api import messenger
from scf.identity.contacts import parse_contact
from scf.identity.service import LINK_SECONDS
from scf.kernel.problems import Problem
from scf.web.doors import PagesDoor
from scf.web.entering import welcome
from scf.web.pages import Pages

router = APIRouter()


@router.post("/sign-in/link")
def ask(request: Request, pages: PagesDoor, contact: Annotated[str, Form()] = "") -> Response:
    """Ask for a link. The answer is the same whether the contact is known or not."""
    pages.admit(request, "enter")
    try:
        plain = parse_contact(contact)
        pages.doorkeeper.admit("link", plain)
    except Problem as problem:
        return pages.render(
            request,
            "link_asked.html",
            status=problem.status,
            refusal=problem,
            reached=False,
            contact=contact,
        )
    send_link(request, pages, plain)
    return pages.render(request, "link_asked.html", refusal=None, reached=messenger.reaches(plain), contact=plain)


@router.get("/enter/{secret}")
def look(request: Request, pages: PagesDoor, secret: str) -> Response:
    """Whom the link lets in. Looking does not use it up: mail scanners look, too."""
    try:
        with pages.app.reading() as session:
            person = pages.app.people.link_owner(session, secret)
    except Problem as problem:
        return pages.render(request, "enter.html", status=problem.status, refusal=problem, person=None, secret="")
    return pages.render(request, "enter.html", refusal=None, person=person, secret=secret)


@router.post("/enter/{secret}")
def enter(request: Request, pages: PagesDoor, secret: str) -> Response:
    """Use the link up and sign in."""
    pages.admit(request, "enter")
    response = RedirectResponse("/", status_code=303)
    try:
        with pages.app.desk.session() as session:
            person = pages.app.people.use_link(session, secret)
        welcome(pages, request, response, person, "link")
    except Problem as problem:
        return pages.render(request, "enter.html", status=problem.status, refusal=problem, person=None, secret="")
    return response


def send_link(request: Request, pages: Pages, contact: str) -> bool:
    """Send a link to the person known by a contact, where messages to it are set up; whether one was sent."""
    if not messenger.reaches(contact):
        return False
    with pages.app.desk.session() as session:
        person = pages.app.people.by_contact(session, contact)
        if person is None:
            return False
        secret = pages.app.people.make_link(session, person)
    link, minutes = f"{pages.origin(request)}/enter/{secret}", LINK_SECONDS // 60
    if person.language == "zh-CN":
        text = f"{person.name}：\n\n请在 {minutes} 分钟内打开此链接登录，仅可使用一次：\n{link}\n\n"
        return messenger.send(contact, "scf 登录链接", text + "如非本人操作，请忽略。\n")
    text = f"{person.name},\n\nopen this link within {minutes} minutes to sign in; it works once:\n{link}\n\n"
    return messenger.send(contact, "Sign in to scf", text + "If you did not ask for it, do nothing.\n")
