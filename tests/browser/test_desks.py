"""Journeys of the desks: fifty receivables by two people, a price from a deal, a case taken and decided."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.api.installation import LOTUS, PINE, installation
from tests.browser.conftest import PHONE, Visit
from tests.web.desk_data import fill

from scf.demo.papers import invoice
from scf.parties.keys import demo_key
from scf.receivables import queries

pytestmark = pytest.mark.browser
Start = Callable[..., Visit]


def person(visit: Start, name: str, **look: object) -> Visit:
    """The browser of the core enterprise's maker or checker."""
    one = visit(**look)
    address = demo_key(f"core-{name}").address
    one.page.context.request.post(one.base + "/sign-in", form={"address": address})
    return one


def tick_clauses(one: Visit) -> None:
    for box in one.page.locator("input[name^=clause_]").all():
        box.check()


@pytest.mark.parametrize("javascript", [True, False], ids=["script", "no-script"])
def test_a_core_enterprise_accepts_fifty_receivables_from_a_file_with_two_people(
    javascript: bool, visit: Start, tmp_path: Path
) -> None:
    demo = installation()
    tag = "S" if javascript else "N"
    fill(demo, 51, tag=tag)
    maker = person(visit, "maker", javascript=javascript, language="zh-CN")
    maker.open("/to-accept")
    text = maker.page.context.request.get(maker.base + "/to-accept.csv").text().lstrip("\ufeff")
    rows = [row for row in csv.DictReader(io.StringIO(text)) if row["invoice"].startswith(f"INV-DESK{tag}")]
    assert len(rows) == 50
    out = io.StringIO()
    writer = csv.DictWriter(out, ["invoice", "amount"], extrasaction="ignore")
    writer.writeheader()
    writer.writerows(rows)
    path = tmp_path / "accept.csv"
    path.write_text(out.getvalue(), encoding="utf-8")
    maker.page.set_input_files("input[type=file]", path)
    maker.page.locator("form[enctype] button.main").click()
    assert "50" in maker.page.locator(".sentence").inner_text()
    tick_clauses(maker)
    maker.page.locator("form[action='/to-accept/propose'] button.main").click()
    maker.page.wait_for_url(f"{maker.base}/to-approve*")
    assert maker.page.locator("button[value=approve]").count() == 0

    with demo.app.reading() as session:
        before = len(queries.receivables_of(session, demo.at("core"), limit=1_000))
    checker = person(visit, "checker", javascript=javascript, language="en", size=PHONE)
    checker.open("/to-approve")
    assert checker.page.locator("input[name=pick]:checked").count() == 50
    tick_clauses(checker)
    checker.page.locator("button[value=approve]").click(timeout=60_000)
    checker.page.locator("p.good").first.wait_for(timeout=60_000)
    with demo.app.reading() as session:
        assert len(queries.receivables_of(session, demo.at("core"), limit=1_000)) == before + 50
    maker.quiet()
    checker.quiet()


def test_a_financier_looks_at_the_risk_and_quotes(visit: Start) -> None:
    demo = installation()
    with demo.app.desk.session() as session:
        invited = (demo.at("harbour"), demo.at("farhill"))
        ask = demo.app.financing.ask(session, demo.notes[LOTUS], 66_000_00, invited).id
    bank = visit("harbour", size=PHONE, language="zh-CN")
    bank.open("/deals")
    bank.page.click(f"a[href='/deals/{ask}']")
    assert bank.page.locator(".reason").count() >= 3
    bank.page.locator(".reason summary").first.click()
    bank.page.click(".hero a.button.main")
    bank.page.fill("input[name=rate_ppm]", "4.80")
    bank.page.select_option("select[name=paying_bank]", demo.at("civic"))
    bank.page.locator("main button.main").click()
    for box in bank.page.locator("form[action='/confirm'] input[type=checkbox]").all():
        box.check()
    bank.page.locator("form[action='/confirm'] button.main").click()
    bank.page.locator("p.good").wait_for()
    bank.open(f"/deals/{ask}")
    assert bank.page.locator("form[action$='/decline']").count() == 0
    bank.quiet()


def test_an_operator_takes_a_case_and_decides_it(visit: Start) -> None:
    demo = installation()
    paper = invoice("INV-TAKE-1", PINE, LOTUS, "PO-TAKE-1", "Parts", 400_00, demo.story.day(1), demo.story.day(55))
    demo.app.documents.import_file(paper.raw, paper.name, source="Pine", sender="Pine", trust=1)
    one = visit("operator", "operator-1", javascript=False)
    one.open("/exceptions")
    one.page.locator(".tasks a", has_text="PO-TAKE-1").first.click()
    one.page.locator("form[action$='/take'] button").click()
    one.page.locator("input[name=decision]").nth(1).check()
    one.page.fill("textarea[name=reason]", "Nobody ordered it.")
    one.page.locator("main form button.main").click()
    one.page.get_by_text("Nobody ordered it.").first.wait_for()
    one.quiet()
