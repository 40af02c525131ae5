"""What the other journeys leave out, without JavaScript: vouch, a refusal, hold and appeal, verify, keys, language."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.api.installation import CORE, LOTUS, PINE, installation
from tests.browser.conftest import PHONE, Visit
from tests.browser.test_journeys import confirm

from scf.entrusted import queries
from scf.entrusted.models import Stage

pytestmark = pytest.mark.browser
Start = Callable[..., Visit]


def open_stage() -> Stage:
    """A stage of the story's account that still has money to release."""
    demo = installation()
    with demo.app.reading() as session:
        return next(
            one
            for one in queries.stages(session, demo.account)
            if one.released_minor + one.refunded_minor + one.disputed_minor < one.amount_minor
        )


def test_an_attestor_vouches_and_an_approver_is_refused_in_words(visit: Start) -> None:
    demo, stage = installation(), open_stage()
    way = f"?account={demo.account}&stage={stage.stage}"
    attestor = visit("fairway", size=PHONE, javascript=False)
    attestor.open(f"/entrusted/{demo.account}")
    attestor.page.locator(f"a[href='/act/attest{way}']").first.click()
    attestor.page.locator("[name=evidence]").first.wait_for()
    papers = attestor.page.locator("select[name=evidence]")
    if papers.count():
        papers.select_option(index=1)
    else:
        attestor.page.locator("input[name=evidence]").first.check()
    attestor.page.fill("input[name=up_to]", "100.00")
    attestor.page.locator("main button.main").click()
    confirm(attestor)
    approver = visit(CORE, "approver", language="zh-CN", javascript=False)
    approver.open(f"/entrusted/{demo.account}")
    approver.page.locator(f"a[href='/act/approve{way}']").first.click()
    approver.page.fill("input[name=up_to]", "100.00")
    approver.page.fill("[name=decision]", "证据齐全。")
    approver.page.locator("main button.main").click()
    refusal = approver.page.locator(".refusal").first.inner_text()
    assert "资金未变动" in refusal and "PO-PC-0042" in refusal, "an order without its papers is not released"
    assert approver.page.locator("[name=decision]").input_value() == "证据齐全。"
    attestor.quiet()
    assert [line for line in approver.complaints if "422" not in line] == []


def test_a_payee_holds_a_part_and_appeals_the_hold(visit: Start) -> None:
    demo, stage = installation(), open_stage()
    one = visit(PINE, size=PHONE, javascript=False)
    one.open(f"/entrusted/{demo.account}")
    one.page.locator(f"a[href='/act/dispute?account={demo.account}&stage={stage.stage}']").first.click()
    one.page.fill("input[name=amount]", "1.00")
    one.page.fill("[name=reason]", "Two crates are missing.")
    one.page.locator("main button.main").click()
    confirm(one)
    one.open("/holds")
    card = one.page.locator("section.card", has_text="Two crates are missing.")
    for said in ("CNY\u00a01.00", "payer and beneficiary together", "Until"):
        assert said in card.inner_text()
    card.locator("summary").click()
    card.locator("textarea[name=words]").fill("They came on Monday.")
    card.locator("button[value=appeal]").click()
    one.page.get_by_text("They came on Monday.").first.wait_for()
    assert one.sideways() <= 0
    one.quiet()


def test_an_auditor_verifies_a_bundle(visit: Start, tmp_path: Path) -> None:
    one = visit("audit", size=PHONE, language="zh-CN", javascript=False)
    one.open("/verify")
    with one.page.expect_download() as waiting:
        one.page.click("a[href='/verify/bundle']")
    waiting.value.save_as(tmp_path / "bundle.zip")
    one.page.set_input_files("input[type=file]", tmp_path / "bundle.zip")
    one.page.locator("form[action='/verify'] button.main").click()
    one.page.locator("section.good h2").wait_for()
    assert one.sideways() <= 0
    one.quiet()


def test_signing_in_keys_notices_and_language(visit: Start) -> None:
    one = visit(size=PHONE, javascript=False)
    one.open("/sign-in")
    mine = one.page.locator(f"form:has(input[value='{installation().at(LOTUS)}'])")
    mine.locator("button").click()
    assert "Lotus" in one.page.locator(".who strong").inner_text()
    one.open("/developers")
    one.page.fill("input[name=name]", "plain")
    one.page.locator("form[action='/developers'] button").click()
    assert one.page.locator(".good code").inner_text()
    one.open("/notices")
    if one.page.locator("form[action='/notices/read'] button").count():
        one.page.locator("form[action='/notices/read'] button").first.click()
    one.page.get_by_text("中文").first.click()
    assert one.page.locator("html").get_attribute("lang") == "zh-CN"
    one.page.locator("details.who summary").click()
    one.page.locator("form[action='/sign-out'] button").click()
    one.open("/notices")
    assert "/sign-in" in one.page.url
    one.quiet()
