"""Every page in a real browser: no complaint, no other host, no sideways scroll, nothing axe objects to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tests.api.installation import CORE, LOTUS, PINE, STONE, installation
from tests.browser.conftest import AXE, DESK, PHONE, Visit

pytestmark = pytest.mark.browser
Start = Callable[..., Visit]

ROLES: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "core enterprise": (CORE, "account", ("/", "/receivables", "{receivable}", "/act/issue", "/documents")),
    "supplier": (
        LOTUS,
        "account",
        ("/", "{receivable}", "/early?note={lotus}", "/act/ask?note={lotus}", "/act/pass?note={lotus}", "{ask}"),
    ),
    "far supplier": (STONE, "account", ("/", "{offered}", "/act/accept?note={offered_id}", "{receivable}")),
    "financier": ("harbour", "account", ("/", "{ask}", "/act/quote?ask={ask_id}&currency=CNY", "{financed}")),
    "bank": ("civic", "account", ("/", "{account}", "/entrusted")),
    "attestor": ("fairway", "account", ("/", "{account}", "/act/attest?account={account_id}&stage=0")),
    "approver": (CORE, "approver", ("/", "{account}", "/act/approve?account={account_id}&stage=0")),
    "auditor": ("audit", "account", ("/", "/verify", "{receivable}", "/members", "/developers")),
    "operator": ("operator", "operator-1", ("/", "/exceptions", "/orders/PO-2026-0117", "/members")),
    "nobody": ("", "", ("/sign-in",)),
}


def paths(role: str) -> list[str]:
    """Addresses of a role's pages."""
    demo = installation()
    names = {
        "receivable": f"/receivables/{demo.receivable}",
        "account": f"/entrusted/{demo.account}",
        "account_id": demo.account,
        "ask": f"/asks/{demo.ask}",
        "ask_id": demo.ask,
        "offered": f"/notes/{demo.offered}",
        "offered_id": demo.offered,
        "financed": f"/notes/{demo.financed}",
        "lotus": demo.notes[LOTUS],
        "pine": demo.notes[PINE],
    }
    return [path.format(**names) for path in ROLES[role][2]]


@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
@pytest.mark.parametrize("language", ["zh-CN", "en"])
@pytest.mark.parametrize("role", ROLES)
def test_pages_are_quiet_and_fit(role: str, language: str, size: tuple[int, int], visit: Start) -> None:
    code, seat, _ = ROLES[role]
    one = visit(code, seat, size=size, language=language)
    for path in paths(role):
        assert one.open(path).status == 200, path
        assert one.sideways() <= 0, path
        assert one.page.locator("html").get_attribute("lang") == language
        assert one.page.locator(".demo").is_visible()
    one.quiet()


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("role", ROLES)
def test_axe_finds_nothing(role: str, dark: bool, visit: Start) -> None:
    if not AXE.exists():
        pytest.skip("axe-core is not here (python scripts/vendor_assets.py --tests)")
    source = AXE.read_text(encoding="utf-8")
    code, seat, _ = ROLES[role]
    one = visit(code, seat, size=PHONE if dark else DESK, dark=dark, language="zh-CN" if dark else "en")
    found: dict[str, Any] = {}
    for path in paths(role):
        one.open(path)
        one.page.evaluate(source)
        result = one.page.evaluate(
            "async () => (await axe.run(document, {runOnly: ['wcag2a','wcag2aa','wcag21a','wcag21aa','wcag22aa']}))"
            ".violations.map(v => [v.id, v.nodes.slice(0, 3).map(n => n.html)])"
        )
        if result:
            found[path] = result
    assert found == {}


@pytest.mark.parametrize("role", ["supplier", "far supplier", "financier", "core enterprise"])
def test_what_is_pressed_is_large_enough_on_a_phone(role: str, visit: Start) -> None:
    code, seat, _ = ROLES[role]
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


def test_pages_print(visit: Start) -> None:
    one = visit("audit")
    one.open(f"/receivables/{installation().receivable}")
    assert len(one.page.pdf()) > 10_000


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
