"""An operator's desk: a case taken and decided with evidence, an entry by two, a held firm's own page, health, flow."""

from __future__ import annotations

import csv
import io
import re

import pytest
from tests.api.conftest import As
from tests.api.installation import CORE, LOTUS, PINE, Installation

from scf.demo.papers import invoice
from scf.kernel.identifiers import make_uscc
from scf.reconciliation import working
from scf.web import views_cases


def test_an_operator_takes_the_oldest_and_decides_it_with_reason_and_document(demo: Installation, act_as: As) -> None:
    paper = invoice("INV-CASE-1", PINE, LOTUS, "PO-CASE-1", "Parts", 700_00, demo.story.day(1), demo.story.day(50))
    demo.app.documents.import_file(paper.raw, paper.name, source="Pine", sender="Pine", trust=1)
    operator = act_as("operator", "operator-1")
    queue = operator.get("/exceptions").text
    assert "Oldest unresolved" in queue and "Take it" in queue
    number = re.search(r'href="/cases/(\d+)"[^>]*><strong>PO-CASE-1', queue)
    assert number, queue
    path = f"/cases/{number.group(1)}"
    taken = operator.post(f"/exceptions/{number.group(1)}/take")
    assert taken.url.path == path and "It is yours now." in taken.text and "Your turn" in taken.text
    empty = operator.post(f"/exceptions/{number.group(1)}", data={"decision": "accept", "reason": " "})
    assert empty.status_code == 422 and "No money moved" in empty.text and "<svg" in empty.text
    evidence = re.search(r'<option value="([0-9a-f]{64})"', empty.text)
    assert evidence
    form = {"decision": "accept", "reason": "Order came by mail.", "evidence": evidence.group(1)}
    decided = operator.post(f"/exceptions/{number.group(1)}", data=form)
    assert decided.url.path == path and "Order came by mail." in decided.text and evidence.group(1) in decided.text
    assert act_as("steel").get(path).status_code == 404
    assert act_as(LOTUS).post(f"/exceptions/{number.group(1)}/take").status_code == 403


def test_the_table_of_exceptions_has_all_of_them_however_many(
    demo: Installation, act_as: As, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("INV-MANY-1", "INV-MANY-2", "INV-MANY-3"):
        paper = invoice(name, PINE, LOTUS, f"PO-{name}", "Parts", 700_00, demo.story.day(1), demo.story.day(50))
        demo.app.documents.import_file(paper.raw, paper.name, source="Pine", sender="Pine", trust=1)
    monkeypatch.setattr(views_cases, "_PAGE", 2)
    operator = act_as("operator", "operator-1")
    rows = list(csv.DictReader(io.StringIO(operator.get("/exceptions.csv").text.lstrip("\ufeff"))))
    with demo.app.reading() as session:
        whole = working.exceptions(session, limit=1_000).rows
    assert [row["id"] for row in rows] == [str(row.id) for row in whole] and len(rows) > 2


def test_an_entry_is_a_hold_like_any_other_appealed_and_ended_on_the_same_page(demo: Installation, act_as: As) -> None:
    first, second, third = (act_as("operator", f"operator-{n}") for n in (1, 2, 3))
    for old in ("/lists", "/standing"):
        assert first.get(old).url.path == "/holds"
    page = first.get("/holds").text
    paper = re.search(r'name="evidence" required><option value="">—</option><option value="([0-9a-f]{64})"', page)
    assert paper
    entry = {
        "act": "propose",
        "organisation": "11",
        "reason": "Certificates without inspections.",
        "evidence": paper.group(1),
        "authority": "Market regulator, notice 7",
        "until": demo.story.day(100).isoformat(),
    }
    path = "/holds/entries"
    assert first.post(path, data={**entry, "authority": " "}).status_code == 422
    proposed = first.post(path, data=entry).text
    assert "A second operator has to agree" in proposed and 'value="agree"' not in proposed
    number = re.search(r'id="entry-(\d+)"', proposed)
    assert number
    assert act_as(CORE).post(path, data={"act": "agree", "entry": number.group(1)}).status_code == 403
    agreed = second.post(path, data={"act": "agree", "entry": number.group(1)})
    assert "signed by two operators" in agreed.text, agreed.text[-1500:]

    firm, hold = act_as("measure"), f"standing:{number.group(1)}"
    home = firm.get("/")
    assert home.status_code == 200 and "on hold" in home.text
    own = firm.get("/holds").text
    for said in (
        "Certificates without inspections.",
        "notice 7",
        "two operators",
        "Appeal",
        "Everything you hold stays",
    ):
        assert said in own
    assert f"/evidence/{paper.group(1)}" in own and firm.get(f"/evidence/{paper.group(1)}").status_code == 200
    raw = firm.get(f"/api/v1/evidence/{paper.group(1)}/raw")
    assert raw.status_code == 200 and raw.content, "whom a hold concerns reads what it rests on"
    assert act_as("steel").get(f"/evidence/{paper.group(1)}").status_code == 404
    assert "See a price" not in home.text and "What, why, and how to appeal" in home.text
    assert act_as(CORE).post("/holds", data={"act": "appeal", "hold": hold, "words": "x"}).status_code == 404
    appealed = firm.post("/holds", data={"act": "appeal", "hold": hold, "words": "We have them all."})
    assert "Your appeal is in" in appealed.text and "We have them all." in appealed.text
    assert act_as("audit").get("/members").status_code == 200, "one firm on hold hides nobody from an overseer"
    appeal = re.search(r'name="appeal" value="(APL[^"]+)"', third.get("/holds").text)
    assert appeal and "We have them all." in first.get("/holds").text
    third.post("/holds", data={"act": "uphold", "appeal": appeal.group(1), "words": "They were produced."})
    change = re.search(r'name="change" value="([^"]+)"', second.get("/holds").text)
    assert change
    decided = second.post("/holds", data={"act": "agree", "change": change.group(1)}).text
    lift = re.search(r'name="lift" value="(LFT[^"]+)"', decided)
    assert lift and "Two operators have to sign." in decided
    assert firm.post("/holds", data={"act": "sign", "lift": lift.group(1)}).status_code == 403
    first.post("/holds", data={"act": "sign", "lift": lift.group(1)})
    assert "on hold" in firm.get("/").text, "one operator alone ends nothing"
    third.post("/holds", data={"act": "sign", "lift": lift.group(1)})
    assert "Certificates without" not in firm.get("/holds").text and "on hold" not in firm.get("/").text
    assert "A hold has ended" in firm.get("/notices").text


def test_health_says_what_is_worst_and_flow_adds_up(demo: Installation, act_as: As) -> None:
    page = act_as("operator", "operator-1").get("/health").text
    assert "Blocks the books are behind" in page and f"<strong>{demo.app.desk.head().number}</strong>" in page
    assert act_as(LOTUS).get("/health").status_code == act_as("harbour").get("/flow").status_code == 403
    rows = list(csv.DictReader(io.StringIO(act_as("audit").get("/flow.csv").text.lstrip("\ufeff"))))
    mine = next(row for row in rows if "Northbridge" in row["core_enterprise"])
    assert float(mine["face"]) >= float(mine["outstanding"]) > 0 and float(mine["reached_tier_3"]) > 0
    assert "<svg" in act_as("audit", language="zh-CN").get("/flow").text


def test_a_guarantee_is_entered_by_one_operator_and_agreed_by_another(demo: Installation, act_as: As) -> None:
    first, second, bank = act_as("operator", "operator-1"), act_as("operator", "operator-2"), act_as("harbour")
    assert "No guarantor with a valid licence" in first.get("/guarantees").text
    paper = re.search(r'<option value="([0-9a-f]{64})"', first.get("/guarantors").text)
    assert paper
    last = demo.story.day(200).isoformat()
    guarantor = {"name": "Harbour Guarantee", "uscc": make_uscc("91310000MA1FL0000"), "licence": "L-1"}
    first.post("/guarantors", data={**guarantor, "licence_until": last, "evidence": paper.group(1)})
    form = {
        "act": "enter",
        "guarantor": "1",
        "obligor": demo.at(CORE),
        "financier": demo.at("harbour"),
        "limit": "100,000.00",
        "until": last,
        "evidence": paper.group(1),
    }
    refused = first.post("/guarantees", data={**form, "limit": "nothing"})
    assert refused.status_code == 422 and "No money moved" in refused.text and 'value="nothing"' in refused.text
    asked = first.post("/guarantees", data=form)
    assert asked.url.path == "/guarantees" and "a change you asked for waits" in asked.text, asked.text[-2000:]
    assert act_as("audit").post("/guarantees", data=form).status_code == 403
    page = second.get("/to-approve").text
    change = re.search(r'name="change" value="(CHG[^"]+)"', page)
    assert change and "Harbour Guarantee stands for what" in page
    second.post("/to-approve/change", data={"change": change.group(1), "decision": "approve"})
    shown = bank.get("/guarantees").text
    assert "CNY\u00a0100,000.00" in shown and "Enter a guarantee" not in shown
    assert "Harbour Guarantee" in bank.get("/book").text
    assert act_as("farhill").get("/guarantees").text.count("Harbour Guarantee") == 0
    assert act_as(LOTUS).get("/guarantees").status_code == 403
    rows = list(csv.DictReader(io.StringIO(second.get("/guarantees.csv").text.lstrip("\ufeff"))))
    assert [(row["limit"], row["until"]) for row in rows] == [("100000.00", last)]
