"""Whole journeys of people, with and without JavaScript."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.api.installation import LOTUS, PINE, installation
from tests.browser.conftest import PHONE, Visit

from scf.demo.papers import invoice

pytestmark = pytest.mark.browser
Start = Callable[..., Visit]


def confirm(one: Visit) -> None:
    """Tick every clause and press the one filled button."""
    for box in one.page.locator("form[action='/confirm'] input[type=checkbox]").all():
        box.check()
    one.page.locator("form[action='/confirm'] button.main").click()
    one.page.locator("p.good").wait_for()


@pytest.mark.parametrize("javascript", [True, False], ids=["script", "no-script"])
@pytest.mark.parametrize("language", ["zh-CN", "en"])
def test_a_supplier_passes_on_and_a_far_supplier_gets_money_on_a_phone(
    javascript: bool, language: str, visit: Start
) -> None:
    demo = installation()
    giver = visit(PINE, size=PHONE, language=language, javascript=javascript)
    giver.open(f"/act/pass?note={demo.notes[PINE]}")
    giver.page.select_option("select[name=to]", demo.at("steel"))
    giver.page.fill("input[name=amount]", "2,000.00")
    giver.page.locator("input[name=evidence]").first.check()
    giver.page.fill("input[name=delivered_on]", demo.story.day(4).isoformat())
    giver.page.locator("main button.main").click()
    confirm(giver)
    giver.page.locator("p.good").wait_for()
    note = giver.page.url.split("/notes/")[1].split("?")[0]

    taps = 0
    far = visit("steel", size=PHONE, language=language, javascript=javascript)
    far.open("/")
    far.page.click(f"a[href='/act/accept?note={note}']")
    confirm(far)
    far.open("/")
    far.page.click("a.button.main")  # see a price
    taps += 1
    assert far.page.locator("#amount").input_value() == "2,000.00"
    shown = far.page.locator("#net .figure").inner_text()
    far.page.locator("#figures button.main").click()  # take the best
    taps += 1
    assert far.page.locator(".price .big dd").inner_text() == shown
    confirm(far)
    taps += 1
    far.page.locator("p.good").wait_for()
    assert re.match(r"CNY\s1,9\d\d\.\d\d", shown)
    assert taps <= 4
    far.quiet()
    giver.quiet()


@pytest.mark.parametrize("javascript", [True, False], ids=["script", "no-script"])
def test_prices_asked_by_hand_stay_sealed_until_they_are_opened(javascript: bool, visit: Start) -> None:
    demo = installation()
    lotus = visit(LOTUS, size=PHONE, javascript=javascript)
    amount = "61.00" if javascript else "62.00"  # below what any policy prices by itself
    lotus.open(f"/early?note={demo.notes[LOTUS]}&amount={amount}")
    lotus.page.locator("#figures button.main").click()
    lotus.page.wait_for_url("**/asks/*")
    ask = lotus.page.url.split("/asks/")[1].split("?")[0]
    _quote(visit, ask, javascript)
    lotus.page.reload()
    assert lotus.page.locator(".price .big").count() == 0
    lotus.page.locator("main button.main").click()  # open the prices
    shown = lotus.page.locator(".offer .price .big dd").inner_text()
    lotus.page.locator(".offer a.button.main").click()
    assert lotus.page.locator(".price .big dd").inner_text() == shown
    confirm(lotus)
    lotus.page.locator("p.good").wait_for()
    lotus.quiet()


def _quote(visit: Start, ask: str, javascript: bool) -> None:
    demo = installation()
    bank = visit("harbour", javascript=javascript)
    bank.open("/")
    bank.page.click(f".tasks a[href='/asks/{ask}']")
    bank.page.click("a.button.main")
    bank.page.fill("input[name=rate_ppm]", "5.50")
    bank.page.select_option("select[name=paying_bank]", demo.at("civic"))
    bank.page.locator("main button.main").click()
    confirm(bank)
    bank.page.locator("p.good").wait_for()
    bank.quiet()


@pytest.mark.parametrize("language", ["zh-CN", "en"])
def test_the_slider_the_field_and_the_days_show_one_price_and_no_stale_one_can_be_taken(
    language: str, visit: Start
) -> None:
    demo = installation()
    one = visit(LOTUS, size=PHONE, language=language)
    one.open(f"/early?note={demo.notes[LOTUS]}&amount=100,000")
    page = one.page
    slide = page.locator("input[type=range]")
    before = page.locator("#net .figure").inner_text()
    slide.focus()
    held: list[Any] = []
    page.route("**/early?**", lambda route: held.append(route))
    page.keyboard.press("ArrowRight")
    assert page.locator("#amount").input_value() == "100,001.00"
    assert page.locator("#figures button.main").is_disabled(), "an old figure cannot be taken"
    for _ in range(100):  # the question is under way, and its answer held back until now
        if held:
            break
        page.wait_for_timeout(50)
    while held:
        held.pop(0).continue_()
    page.unroute("**/early?**")
    page.locator("#figures:not([aria-busy]) button.main").wait_for()
    after = page.locator("#net .figure").inner_text()
    assert after != before
    assert page.locator(".offer.best .big dd").inner_text() == after
    page.locator("[data-share='50']").click()
    page.locator("#figures:not([aria-busy]) button.main").wait_for()
    half = page.locator("#amount").input_value()
    assert page.locator("#figures input[name=amount]").first.input_value().replace(",", "") == half.replace(",", "")
    page.locator(".days button:not([disabled])").last.click()
    page.locator("#figures:not([aria-busy]) button.main").wait_for()
    later = page.locator("#net .figure").inner_text()
    page.locator(".days button:not([disabled])").first.click()
    page.locator("#figures:not([aria-busy]) button.main").wait_for()
    earlier = page.locator("#net .figure").inner_text()
    assert float(later[4:].replace(",", "")) > float(earlier[4:].replace(",", ""))
    for button in page.locator(".days button, .shares button, .money button, input[type=range]").all():
        assert (button.bounding_box() or {"height": 0})["height"] >= 43.5
    one.quiet()


def test_a_recorded_voice_reads_the_statements_when_asked(visit: Start) -> None:
    one = visit("stone", language="zh-CN")
    one.open(f"/act/accept?note={installation().offered}")
    sounds = one.page.locator("audio")
    assert sounds.count() == 3
    assert one.page.evaluate("[...document.querySelectorAll('audio')].every(a => a.paused && !a.autoplay)")
    one.page.click("[data-listen]")
    _until(one, "document.querySelector('audio').currentTime > 0.2")
    one.page.evaluate("() => { const a = document.querySelector('audio'); a.currentTime = a.duration - 0.05; }")
    _until(one, "document.querySelector('input[name=heard_0]').value === 'yes'")
    one.quiet()


def _until(one: Visit, holds: str) -> None:
    """Wait for something on the page by asking again: the page's policy evaluates no text on its own."""
    for _ in range(75):
        if one.page.evaluate(holds):
            return
        one.page.wait_for_timeout(200)
    raise AssertionError(holds)


@pytest.mark.parametrize("language", ["zh-CN", "en"])
def test_the_month_is_downloaded_in_every_form(language: str, visit: Start, tmp_path: Path) -> None:
    one = visit(PINE, size=PHONE, language=language, javascript=False)
    one.open("/")
    one.page.click("a[href='/month']")
    for kind in ("csv", "pdf", "xml", "camt"):
        with one.page.expect_download() as waiting:
            one.page.locator(f".files a[href$='.{kind}']").click()
        waiting.value.save_as(tmp_path / kind)
        assert (tmp_path / kind).stat().st_size > 300
    one.quiet()


@pytest.mark.parametrize("language", ["zh-CN", "en"])
def test_amount_day_and_recourse_are_read_out_when_asked(language: str, visit: Start) -> None:
    demo = installation()
    one = visit(PINE, size=PHONE, language=language)
    one.open(f"/early?note={demo.notes[PINE]}")
    one.page.locator("#figures button.main").first.click()
    one.page.wait_for_url("**/act/accept_quote**")
    assert one.page.locator("input[name=heard_figures]").input_value() == "no"
    one.page.evaluate(
        """() => { HTMLMediaElement.prototype.play = function () {
            (window.said ||= []).push(this.src);
            setTimeout(() => this.dispatchEvent(new Event("ended")), 1);
            return Promise.resolve();
        }; }"""
    )
    one.page.locator("[data-figures]").click()
    one.page.locator("input[name=heard_figures][value=yes]").wait_for(state="attached")
    said = one.page.evaluate("window.said")
    assert len(said) > 15, said
    assert len(said) == len(one.page.locator("[data-figures]").get_attribute("data-figures").split())
    assert all(one.page.context.request.get(clip).ok for clip in set(said))
    one.quiet()


def test_the_button_counts_what_is_still_to_confirm(visit: Start) -> None:
    one = visit("stone")
    one.open(f"/act/accept?note={installation().offered}")
    line = one.page.locator(".missing")
    boxes = one.page.locator("form[action='/confirm'] input[type=checkbox]")
    boxes.nth(0).check()
    assert line.inner_text() == "Still to confirm: 2"
    boxes.nth(1).check()
    boxes.nth(2).check()
    assert line.inner_text() == "All confirmed"


def test_an_auditor_downloads_and_drops_a_bundle(visit: Start, tmp_path: Path) -> None:
    one = visit("audit")
    one.open("/verify")
    with one.page.expect_download() as waiting:
        one.page.click("a[href='/verify/bundle']")
    path = tmp_path / "bundle.zip"
    waiting.value.save_as(path)
    one.page.set_input_files("input[type=file]", path)
    one.page.locator("form[action='/verify'] button.main").click()
    assert one.page.locator("section.good h2").inner_text().startswith("Proved")
    one.quiet()


def test_a_document_comes_in_and_an_operator_decides_its_exception(visit: Start, tmp_path: Path) -> None:
    demo = installation()
    paper = invoice("INV-BROWSER-1", PINE, LOTUS, "PO-BROWSER", "Parts", 300_00, demo.story.day(1), demo.story.day(55))
    path = tmp_path / "invoice.xml"
    path.write_bytes(paper.raw)
    supplier = visit(PINE)
    supplier.open("/documents")
    supplier.page.locator("main a.button.main").click()
    supplier.page.set_input_files("input[type=file]", path)
    supplier.page.locator("main button.main").click()
    supplier.page.locator("form[action$='/apply'] button.main").click()
    supplier.page.locator("form[action$='/undo']").wait_for()
    operator = visit("operator", "operator-1")
    operator.open("/exceptions")
    operator.page.locator(".tasks a", has_text="PO-BROWSER").first.click()
    operator.page.locator("input[name=decision]").first.check()
    operator.page.locator("textarea[name=reason]").first.fill("The order came by mail.")
    operator.page.locator("main form button.main").last.click()
    operator.page.get_by_text("The order came by mail.").first.wait_for()
    operator.quiet()


def test_a_new_offer_appears_without_reloading(visit: Start) -> None:
    demo = installation()
    one = visit("farhill")
    one.open("/")
    one.page.wait_for_timeout(1_500)
    with demo.app.desk.session() as session:
        ask = demo.app.financing.ask(session, demo.notes[LOTUS], 77_000_00, (demo.at("farhill"), demo.at("harbour"))).id
    paper = invoice("INV-NEWS-1", PINE, LOTUS, "PO-NEWS", "Parts", 300_00, demo.story.day(1), demo.story.day(55))
    demo.app.documents.import_file(paper.raw, paper.name, source="Pine", sender="Pine", trust=1)
    one.page.locator(f"#tasks a[href='/asks/{ask}']").wait_for(timeout=15_000)
    one.quiet()
