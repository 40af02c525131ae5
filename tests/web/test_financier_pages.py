"""A financier's desk: risk with its rows, a reasoned no, the book against a limit that two people set."""

from __future__ import annotations

import csv
import io
import re

from sqlmodel import select
from tests.api.conftest import As
from tests.api.installation import LOTUS, PINE, Installation

from scf.financing.declining import Declined
from scf.installation import OPERATOR_NAMES
from scf.jobs.models import Notice
from scf.ledger.signing import sign_digest
from scf.parties.keys import demo_key
from scf.receivables.models import Note
from scf.risk import service as risk


def new_ask(demo: Installation, minor: int) -> str:
    with demo.app.desk.session() as session:
        invited = (demo.at("harbour"), demo.at("farhill"))
        return demo.app.financing.ask(session, demo.notes[PINE], minor, invited).id


def test_a_deal_shows_its_verdict_with_three_reasons_and_its_goods(demo: Installation, act_as: As) -> None:
    ask = new_ask(demo, 1_111_00)
    listed = act_as("harbour").get("/deals").text
    assert f'href="/deals/{ask}"' in listed and "not known" in listed
    page = act_as("harbour").get(f"/deals/{ask}").text
    reasons = page.split("The three strongest reasons")[1].split("All signals")[0]
    assert reasons.count('class="card reason"') == 3
    assert "Rule version 1" in reasons and "<svg" in page and "Quote a firm price" in page
    assert "三项最主要的理由" in act_as("harbour", language="zh-CN").get(f"/deals/{ask}").text
    with demo.app.reading() as session:
        verdict = risk.assess(session, demo.notes[PINE], clock=demo.app.clock)
    assert verdict.answer == "unknown", "a young seller is not known, which is no pass"
    assert {one.signal: one.answer for one in verdict.findings}["early_invoice"] == "clear"


def test_a_deal_is_nobody_elses(demo: Installation, act_as: As) -> None:
    ask = new_ask(demo, 1_112_00)
    assert act_as("steel").get(f"/deals/{ask}").status_code == 403
    assert act_as("steel").get("/deals").status_code == act_as(LOTUS).get("/book").status_code == 403
    assert act_as("harbour").get("/deals/ASK0000").status_code == 404


def test_a_no_needs_a_reason_and_the_holder_reads_it(demo: Installation, act_as: As) -> None:
    ask = new_ask(demo, 1_113_00)
    harbour = act_as("harbour")
    assert harbour.post(f"/deals/{ask}/decline", data={"reason": " "}).status_code == 422
    done = harbour.post(f"/deals/{ask}/decline", data={"reason": "The goods are not our line."})
    assert "Declined" in done.text and f"/deals/{ask}" not in done.text
    harbour.post(f"/deals/{ask}/decline", data={"reason": "Another word."})
    with demo.app.reading() as session:
        kept = session.exec(select(Declined).where(Declined.ask_id == ask)).all()
        told = session.exec(select(Notice).where(Notice.key == f"declined:{ask}:{demo.at('harbour')}")).one()
    assert [one.reason for one in kept] == ["The goods are not our line."]
    assert told.recipient == demo.at(PINE) and "not our line" in told.en
    assert f"/deals/{ask}" in act_as("farhill").get("/deals").text, "another's no is not ours"


def test_the_book_adds_up_and_its_limit_needs_a_second_person(demo: Installation, act_as: As) -> None:
    harbour, officer = act_as("harbour"), act_as("harbour", "credit-officer")
    page = harbour.get("/book").text
    with demo.app.reading() as session:
        held = sum(note.amount_minor for note in session.exec(select(Note).where(Note.holder == demo.at("harbour"))))
    assert f"CNY {held / 100:,.2f}" in page and "HHI 10000" in page
    rows = list(csv.DictReader(io.StringIO(harbour.get("/book.csv").text.lstrip("\ufeff"))))
    assert sum(round(float(row["amount"]) * 100) for row in rows) == held
    assert {row["industry"] for row in rows} == {"C"}

    asked = harbour.post("/book/limit", data={"limit": "5,000,000"})
    assert asked.url.path == "/to-approve" and "nobody checks what they made" in asked.text
    change = re.search(r'name="change" value="([^"]+)"', officer.get("/to-approve").text)
    assert change
    own = harbour.post("/to-approve/change", data={"change": change.group(1), "decision": "approve"})
    assert own.status_code >= 400
    assert "No limit is set" in harbour.get("/book").text
    silent = officer.post("/to-approve/change", data={"change": change.group(1), "decision": "send_back"})
    assert silent.status_code >= 400
    agreed = officer.post("/to-approve/change", data={"change": change.group(1), "decision": "approve"})
    assert "It holds from now on" in agreed.text
    waits = harbour.get("/book").text
    assert "No limit is set" in waits and "Two operators have to sign." in waits
    with demo.app.desk.session() as session:
        (act,) = demo.app.limits.all(session, waiting=True)
        number, digest = act.id, demo.app.limits.typed(session, act).digest
    for name in OPERATOR_NAMES[:2]:
        demo.app.limits.sign(number, demo_key(name).address, sign_digest(demo_key(name).private, digest))
    assert "CNY\u00a05,000,000.00" in harbour.get("/book").text


def test_deals_are_told_apart_by_our_own_policy(demo: Installation, act_as: As) -> None:
    harbour = demo.at("harbour")
    with demo.app.desk.session() as session:
        (terms,) = [terms for row, terms in demo.app.policies.in_force(session, "CNY") if row.financier == harbour]
        note = demo.notes[LOTUS]
        small = demo.app.financing.ask(session, note, terms.min_minor, (harbour, demo.at("farhill"))).id
        tiny = demo.app.financing.ask(session, note, max(1, terms.min_minor - 1), (harbour, demo.at("farhill"))).id
    page = act_as("harbour").get("/deals").text
    fits, beyond = page.split("Asked of us, outside our policy", 1)
    assert f"/deals/{small}" in fits and f"/deals/{tiny}" in beyond and "smaller than our policy takes" in beyond
    table = act_as("harbour").get("/deals.csv").text.lstrip("\ufeff")
    rows = {row["request"]: row for row in csv.DictReader(io.StringIO(table))}
    assert (rows[small]["fits_policy"], rows[tiny]["fits_policy"]) == ("yes", "no")
    with demo.app.reading() as session:
        figures = demo.app.quotes.figures(session, note, terms.min_minor)
    (figure,) = [one for one in figures if one.financier == harbour]
    assert figure.price is not None
    assert rows[small]["indicative_apr_percent"] == f"{figure.price.apr_ppm / 10_000:.4f}", "our policy's own price"


def test_the_questions_of_an_issue_say_at_the_start_who_signs_and_what_is_free(act_as: As) -> None:
    page = act_as("core").get("/act/issue").text
    assert "Two people of the firm sign this" in page and 'href="/to-accept"' in page
    assert '<button class="main">Go on' not in page, "nobody is led to a signature that is refused"
    assert "CNY\u00a020,000,000.00" in page
