"""Every page a role can reach by following links, one address for each kind of page."""

from __future__ import annotations

import re
from collections import deque
from functools import cache
from urllib.parse import urldefrag, urlsplit

from lxml import html
from starlette.testclient import TestClient
from tests.api.installation import CORE, LOTUS, PINE, STONE, installation

from scf.web.server import create_server

ROLES: dict[str, tuple[str, str]] = {
    "core enterprise": (CORE, "account"),
    "approver": (CORE, "approver"),
    "supplier": (LOTUS, "account"),
    "second supplier": (PINE, "account"),
    "far supplier": (STONE, "account"),
    "financier": ("harbour", "account"),
    "bank": ("civic", "account"),
    "attestor": ("fairway", "account"),
    "auditor": ("audit", "account"),
    "operator": ("operator", "operator-1"),
    "nobody": ("", ""),
}
_MOST_PAGES = 400
_NO_PAGES = ("/static/", "/api/", "/language", "/sign-out", "/live")


def kind_of(address: str) -> str:
    """What kind of page an address is: its path with names and numbers taken out, and which questions it asks."""
    parts = urlsplit(address)
    path = re.sub(r"/(0x)?[0-9a-f]{12,}|/\d+|/[A-Z]{1,4}-[\w-]+|/[0-9A-Z]{10,}", "/*", parts.path)
    path = re.sub(r"/\d{4}-\d{2}(-\d{2})?", "/*", path)
    names = sorted({pair.split("=")[0] for pair in parts.query.split("&") if pair})
    return path + ("?" + "&".join(names) if names else "")


@cache
def pages_of(role: str) -> tuple[str, ...]:
    """Addresses of the pages a role reaches from its first page by links, one of each kind."""
    client = TestClient(create_server(installation().app), headers={"Accept-Language": "en"})
    code, seat = ROLES[role]
    if code:
        client.post("/sign-in", data={"address": installation().at(code, seat)})
    found: dict[str, str] = {}
    waiting: deque[str] = deque(["/" if code else "/sign-in"])
    seen = set(waiting)
    read = 0
    while waiting and read < _MOST_PAGES:
        address = waiting.popleft()
        if kind_of(address) in found:
            continue
        answer = client.get(address, follow_redirects=True)
        read += 1
        assert answer.status_code == 200, f"{role} follows a link to {address} and meets {answer.status_code}"
        if "text/html" not in answer.headers["content-type"]:
            continue
        found[kind_of(address)] = address
        for link in html.fromstring(answer.text).xpath("//a/@href"):
            target = urldefrag(str(link)).url
            if target.startswith("?"):
                target = urlsplit(address).path + target
            if target.startswith("/") and not target.startswith(_NO_PAGES) and target not in seen:
                seen.add(target)
                waiting.append(target)
    return tuple(found.values())
