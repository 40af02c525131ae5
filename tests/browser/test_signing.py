"""Acts of the desks that are new to a browser: the wallet signs, files come down, filled pages please axe."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import httpx
import pytest
from sqlmodel import select
from tests.api.installation import CORE, PINE, installation
from tests.browser.conftest import AXE, DESK, PHONE, Visit
from tests.web.desk_data import fill

from scf.api.access import issue_token
from scf.kernel.identifiers import make_uscc
from scf.ledger.signing import sign_digest
from scf.ledger.statements import digest_of
from scf.parties.keys import demo_key
from scf.standards import pain
from scf.store.evidence import Evidence

pytestmark = pytest.mark.browser
Start = Callable[..., Visit]
WALLET = """window.ethereum = { request: ({ method, params }) =>
  method === "eth_requestAccounts" ? Promise.resolve(["0x1"]) : window.signInTest(params[1]) };"""


@pytest.fixture
def keyless() -> Iterator[None]:
    """An installation that keeps nobody's key."""
    app = installation().app
    kept = app.settings
    app.settings = replace(kept, demo=False)
    yield
    app.settings = kept


def as_person(visit: Start, name: str, *, wallet: bool, **look: Any) -> Visit:
    """A browser of somebody whose key the server never sees, with a wallet or without."""
    one = visit(**look)
    app, key = installation().app, demo_key(name)
    token = issue_token(app, key.address, "browser")
    one.page.context.set_extra_http_headers({"Authorization": f"Bearer {token}"})
    if wallet:
        one.page.expose_function(
            "signInTest", lambda text: "0x" + sign_digest(key.private, digest_of(json.loads(text))).hex()
        )
        one.page.add_init_script(WALLET)
    return one


def pleases_axe(one: Visit) -> None:
    if not AXE.exists():
        pytest.skip("axe-core is not here (python scripts/vendor_assets.py --tests)")
    one.page.evaluate(AXE.read_text(encoding="utf-8"))
    found = one.page.evaluate(
        "async () => (await axe.run(document, {runOnly: ['wcag2a','wcag2aa','wcag21a','wcag21aa','wcag22aa']}))"
        ".violations.map(v => [v.id, v.nodes.slice(0, 3).map(n => n.html)])"
    )
    assert found == []
    assert one.sideways() <= 0


@pytest.mark.parametrize(("size", "language"), [(PHONE, "zh-CN"), (DESK, "en")], ids=["phone-zh", "desk-en"])
def test_a_batch_is_signed_by_the_wallet_of_the_browser(
    size: tuple[int, int], language: str, visit: Start, keyless: None
) -> None:
    expect = pytest.importorskip("playwright.sync_api").expect
    demo = installation()
    fill(demo, 3, tag=language[-2:], more_minor=7_77 if language == "en" else 9_99)
    maker = as_person(visit, "core-maker", wallet=True, size=size, language=language)
    maker.open("/to-accept")
    boxes = maker.page.locator("input[name=pick]")
    assert boxes.count() >= 2
    for box in boxes.all():
        box.check()
    maker.page.locator("form:not([enctype]) .actions button").first.click()
    assert maker.page.locator("audio").count() == 2
    for box in maker.page.locator("input[name^=clause_]").all():
        box.check()
    maker.page.locator("form[action='/to-accept/propose'] button.main").click()
    pleases_axe(maker)
    with maker.page.expect_download() as coming:
        maker.page.locator("button[data-download]").click()
    documents = json.loads(coming.value.path().read_text(encoding="utf-8"))["documents"]
    assert documents[-1]["primaryType"] == "Reading"
    assert maker.page.locator("button[data-download]").is_enabled(), "the page stays usable after the download"
    maker.page.locator("[data-wallet] button").click()
    expect(maker.page.locator("textarea[name=signatures]")).to_have_value(re.compile("^0x"), timeout=20_000)
    assert len(maker.page.input_value("textarea[name=signatures]").split()) == len(documents)
    maker.page.locator("form[action='/to-accept/propose'] button.main").click()
    maker.page.wait_for_url(f"{maker.base}/to-approve*")
    maker.quiet()


def test_without_scripts_the_file_is_taken_and_the_signatures_are_pasted(visit: Start, keyless: None) -> None:
    demo = installation()
    fill(demo, 3, tag="P", more_minor=5_55)
    maker = as_person(visit, "core-maker", wallet=False, javascript=False)
    maker.open("/to-accept")
    maker.page.locator("input[name=pick]").first.check()
    maker.page.locator("form:not([enctype]) .actions button").first.click()
    for box in maker.page.locator("input[name^=clause_]").all():
        box.check()
    maker.page.locator("form[action='/to-accept/propose'] button.main").click()
    assert maker.page.locator("[data-wallet]").is_hidden()
    with maker.page.expect_download() as coming:
        maker.page.locator("button[data-download]").click()
    documents = json.loads(coming.value.path().read_text(encoding="utf-8"))["documents"]
    key = demo_key("core-maker").private
    maker.page.fill("textarea", "\n".join("0x" + sign_digest(key, digest_of(one)).hex() for one in documents))
    maker.page.locator("form[action='/to-accept/propose'] button.main").click()
    maker.page.wait_for_url(f"{maker.base}/to-approve*")
    maker.quiet()


@pytest.mark.parametrize("javascript", [True, False], ids=["script", "no-script"])
def test_a_treasurer_takes_a_payment_order_down(javascript: bool, visit: Start) -> None:
    one = visit(CORE, size=PHONE, language="zh-CN", javascript=javascript)
    one.open("/payables")
    one.page.fill("input[name=until]", installation().story.day(300).isoformat())
    with one.page.expect_download() as coming:
        one.page.locator("form[action='/payables.xml'] button.main").click()
    order = pain.read_001(coming.value.path().read_bytes())
    assert all(re.fullmatch(r"DUE\d+(-\d+)?", item.end_to_end_id) for item in order.instructions)
    assert one.page.locator("form[action='/payables.xml'] button.main").is_enabled()
    one.quiet()


def test_a_guarantee_is_entered_by_two_operators(visit: Start) -> None:
    demo = installation()
    first = visit("operator", "operator-1", javascript=False)
    with demo.app.reading() as session:
        paper = session.exec(select(Evidence.evidence_id)).first()
    with demo.app.desk.session() as session:
        demo.app.lists.register_guarantor(
            session,
            name="Harbour Guarantee",
            uscc=make_uscc("91310000MA1FL0001"),
            licence="L-7",
            licence_until=demo.story.day(300).isoformat(),
            evidence_id=str(paper),
            by=demo.at("operator", "operator-1"),
        )
    first.open("/guarantees")
    first.page.select_option("select[name=guarantor]", index=1)
    first.page.select_option("select[name=obligor]", demo.at(CORE))
    first.page.select_option("select[name=financier]", demo.at("harbour"))
    first.page.fill("input[name=limit]", "250,000.00")
    first.page.locator("input[name=until]").last.fill(demo.story.day(200).isoformat())
    first.page.select_option("select[name=evidence]", index=1)
    first.page.locator("button[value=enter]").click()
    assert "250,000.00" in first.page.locator(".hero").inner_text()
    second = visit("operator", "operator-2", size=PHONE, language="zh-CN")
    second.open("/guarantees")
    second.page.locator(".hero .turn a").click()
    second.page.locator("button[value=approve]").first.click()
    second.open("/guarantees")
    assert "CNY\u00a0250,000.00" in second.page.locator(".hero .figure").inner_text()
    pleases_axe(second)
    first.quiet()
    second.quiet()


@pytest.mark.parametrize(("size", "language", "dark"), [(PHONE, "zh-CN", True), (DESK, "en", False)])
def test_filled_pages_please_axe(
    size: tuple[int, int], language: str, dark: bool, visit: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    demo = installation()
    client = httpx.Client(transport=httpx.MockTransport(lambda request: httpx.Response(500)))
    monkeypatch.setattr(demo.app.webhooks, "_client", client)
    one = visit(PINE, size=size, language=language, dark=dark)
    one.open("/developers")
    one.page.fill("input[name=name]", "ledger")
    one.page.locator("form[action='/developers'] button").click()
    key = one.page.locator(".good code").inner_text()
    httpx.get(one.base + "/api/v1/me", headers={"Authorization": f"Bearer {key}"})
    one.page.fill("input[name=url]", "http://127.0.0.1:9/hook")
    one.page.locator("form[action='/developers/webhooks'] button").click()
    pleases_axe(one)
    one.page.locator("form[action$='/test'] button").first.click()
    one.page.locator("form[action='/developers/redeliver'] button").wait_for()
    assert one.page.locator("tbody tr").count() >= 1
    pleases_axe(one)
    auditor = visit("audit", size=size, language=language, dark=dark)
    auditor.open("/confirmations")
    auditor.page.locator("form[action='/confirmations'] button.main").click()
    assert auditor.page.locator("section.card").count() >= 3
    pleases_axe(auditor)
    one.open("/confirmations")
    assert one.page.locator("form[action^='/confirmations/']").count() >= 1
    pleases_axe(one)
    one.quiet()
    auditor.quiet()


@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
def test_the_rest_of_the_menu_opens_by_keyboard_and_closes_by_escape(size: tuple[int, int], visit: Start) -> None:
    one = visit(CORE, size=size)
    one.open("/")
    summary = one.page.locator(".more summary")
    summary.focus()
    one.page.keyboard.press("Enter")
    assert one.page.locator(".more .menu a").first.is_visible()
    pleases_axe(one)
    one.page.keyboard.press("Tab")
    one.page.keyboard.press("Escape")
    assert one.page.locator(".more .menu a").first.is_hidden()
    assert one.page.evaluate("document.activeElement.tagName") == "SUMMARY"
    plain = visit(CORE, size=size, javascript=False)
    plain.open("/")
    plain.page.locator(".more summary").click()
    plain.page.locator(".more .menu a[href='/chain']").click()
    plain.page.wait_for_url("**/chain")
    one.quiet()
