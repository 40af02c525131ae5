"""Every page in a real browser: no complaint, no other host, no sideways scroll, nothing axe objects to."""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from tests.api.installation import LOTUS, STONE, installation
from tests.browser.conftest import AXE, DESK, PHONE, Visit
from tests.browser.crawl import ROLES, kind_of, pages_of

pytestmark = pytest.mark.browser
Start = Callable[..., Visit]
MOST_BYTES = 60_000

FORMS: dict[str, tuple[str, ...]] = {
    "core enterprise": ("/act/issue",),
    "supplier": ("/act/ask?note={lotus}", "/act/pass?note={lotus}", "/early?note={lotus}", "/month"),
    "far supplier": ("/act/accept?note={offered_id}",),
    "financier": ("/act/quote?ask={ask_id}&currency=CNY",),
    "attestor": ("/act/attest?account={account_id}&stage=0",),
    "approver": ("/act/approve?account={account_id}&stage=0",),
    "operator": ("/orders/PO-2026-0117",),
}
"""Pages that must be there whether or not a link leads to them today."""


def paths(role: str) -> list[str]:
    """Addresses of a role's pages: all it reaches by links, and the forms of its main acts."""
    demo = installation()
    names = {
        "account_id": demo.account,
        "ask_id": demo.ask,
        "offered_id": demo.offered,
        "lotus": demo.notes[LOTUS],
    }
    reached = pages_of(role)
    kinds = {kind_of(path) for path in reached}
    wanted = [path.format(**names) for path in FORMS.get(role, ())]
    return [*reached, *(path for path in wanted if kind_of(path) not in kinds)]


@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
@pytest.mark.parametrize("language", ["zh-CN", "en"])
@pytest.mark.parametrize("role", ROLES)
def test_pages_are_quiet_and_fit(role: str, language: str, size: tuple[int, int], visit: Start) -> None:
    code, seat = ROLES[role]
    one = visit(code, seat, size=size, language=language)
    wide = []
    for path in paths(role):
        assert one.open(path).status == 200, path
        if one.sideways() > 0:
            wide.append(path)
        assert one.page.locator("html").get_attribute("lang") == language
        assert one.page.locator(".demo").is_visible()
        assert not one.complaints, path
    assert wide == []
    one.quiet()


def each_kind_once() -> list[tuple[str, str]]:
    """Role and address of each kind of page, by the first role that reaches it."""
    seen: dict[str, tuple[str, str]] = {}
    for role in ROLES:
        for path in paths(role):
            seen.setdefault("/" + role if path == "/" else kind_of(path), (role, path))
    return list(seen.values())


@pytest.mark.parametrize(("language", "dark"), [("zh-CN", True), ("en", False)], ids=["zh-dark-phone", "en-light-desk"])
@pytest.mark.parametrize("role", ROLES)
def test_axe_finds_nothing(role: str, language: str, dark: bool, visit: Start) -> None:
    if not AXE.exists():
        pytest.skip("axe-core is not here (python scripts/vendor_assets.py --tests)")
    source = AXE.read_text(encoding="utf-8")
    code, seat = ROLES[role]
    one = visit(code, seat, size=PHONE if dark else DESK, dark=dark, language=language)
    found: dict[str, Any] = {}
    for path in [path for its, path in each_kind_once() if its == role]:
        one.open(path)
        one.page.evaluate(source)
        result = one.page.evaluate(
            "async () => (await axe.run(document, {runOnly: ['wcag2a','wcag2aa','wcag21a','wcag21aa','wcag22aa']}))"
            ".violations.map(v => [v.id, v.nodes.slice(0, 3).map(n => n.html)])"
        )
        if result:
            found[path] = result
    assert found == {}


@pytest.mark.parametrize("role", ROLES)
def test_a_page_with_all_it_loads_is_light(role: str, base: str) -> None:
    """At most 60 kB compressed, sounds aside (they load when somebody presses play)."""
    client = httpx.Client(base_url=base, headers={"Accept-Language": "zh-CN", "Accept-Encoding": "gzip"})
    code, seat = ROLES[role]
    if code:
        client.post("/sign-in", data={"address": installation().at(code, seat)})
    heavy = {}
    for path in paths(role):
        page, weight = fetched(client, path)
        loaded = set(re.findall(r'(?:src|href)="(/static/[^"]+\.(?:js|css|svg|png|webp)[^"]*)"', page))
        weight += sum(fetched(client, one)[1] for one in loaded)
        if weight > MOST_BYTES:
            heavy[path] = weight
    assert heavy == {}


def fetched(client: httpx.Client, path: str) -> tuple[str, int]:
    """Content of an address, and how many bytes crossed the wire for it."""
    with client.stream("GET", path, follow_redirects=True) as answer:
        raw = b"".join(answer.iter_raw())
    zipped = answer.headers.get("content-encoding") == "gzip"
    return (gzip.decompress(raw) if zipped else raw).decode("utf-8", "replace"), len(raw)


@pytest.mark.parametrize("role", ["supplier", "far supplier", "financier", "core enterprise"])
def test_what_is_pressed_is_large_enough_on_a_phone(role: str, visit: Start) -> None:
    code, seat = ROLES[role]
    one = visit(code, seat, size=PHONE)
    small: list[Any] = []
    for path in paths(role):
        one.open(path)
        small += one.page.evaluate(
            """() => [...document.querySelectorAll('button, .button, select, textarea, nav a, '
                + '.tasks a, input:not([type=hidden])')]
            .map(e => e.closest('label.tick') || e)
            .map(e => [e.textContent.trim().slice(0, 20), e.getBoundingClientRect()])
            .filter(([, r]) => r.width > 0 && r.height < 43.5).map(([t, r]) => [t, Math.round(r.height)])"""
        )
    assert small == []


@pytest.mark.parametrize(
    ("code", "path"),
    [("audit", "/receivables/{receivable}"), ("audit", "/flow"), ("civic", "/entrusted/{account}"), (LOTUS, "/month")],
)
def test_pages_print_whole_tables_and_start_with_their_picture(code: str, path: str, visit: Start) -> None:
    demo = installation()
    one = visit(code, size=(717, 1047), language="zh-CN")  # A4 between the margins a browser leaves
    one.page.emulate_media(media="print")
    one.open(path.format(receivable=demo.receivable, account=demo.account))
    right = "[...document.querySelectorAll('.scroll table')].map(e => e.getBoundingClientRect().right)"
    assert all(edge <= 717 for edge in one.page.evaluate(right)) and one.sideways() <= 0
    assert one.page.evaluate("[...document.querySelectorAll('td')].every(e => getComputedStyle(e).display !== 'block')")
    picture = one.page.locator("main svg").first
    if picture.count():
        assert picture.is_visible() and picture.bounding_box()["y"] < 1047, "on the first sheet"
    assert len(one.page.pdf(format="A4")) > 10_000


def test_everything_is_reached_by_keyboard(visit: Start) -> None:
    one = visit(STONE)
    one.open("/")
    one.page.keyboard.press("Tab")
    assert one.page.evaluate("document.activeElement.className") == "skip"
    one.page.keyboard.press("Enter")
    reached = set()
    for _ in range(60):
        one.page.keyboard.press("Tab")
        reached.add(one.page.evaluate("document.activeElement.getAttribute('href') || document.activeElement.tagName"))
    assert f"/act/accept?note={installation().offered}" in reached
