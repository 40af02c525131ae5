"""A core enterprise's desk: fifty invoices accepted from a file by two people, what is due, how far it reached."""

from __future__ import annotations

import csv
import io
import re
import shutil
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.installation import Installation, enrolled_template

from scf.demo.cast import CORE, FAIRWAY, LOTUS, PINE, firm, seat_key
from scf.demo.papers import invoice, logistics_event, net_of
from scf.demo.papers import order as purchase
from scf.kernel.clock import today
from scf.kernel.dates import next_day
from scf.parties.keys import demo_key
from scf.receivables import queries
from scf.store.evidence import Trust
from scf.web.server import create_server

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from starlette.testclient import TestClient

Start = Callable[..., TestClient]


def deliver(at: Installation, number: str, gross_minor: int, seller: str = LOTUS, *, arrived: bool = True) -> str:
    """A supplier delivers and bills; its invoice waits for the core enterprise."""
    order, day = f"PO-{number}", today(at.clock)
    ours = purchase(order, CORE, seller, "Parts", net_of(gross_minor), 1, day)
    bill = invoice(number, seller, CORE, order, "Parts", gross_minor, day, next_day(day, 55))
    papers = [(ours, CORE, Trust.T2), (bill, seller, Trust.T1)]
    if arrived:
        event = logistics_event(order, "receiving", at.clock.now(), quantity=1, goods="parts", despatch=f"DN-{order}")
        papers.append((event, FAIRWAY, Trust.T3))
    for paper, code, trust in papers:
        name = firm(code).name
        at.app.documents.import_file(paper.raw, paper.name, source=name, sender=name, trust=trust)
    return number


@pytest.fixture(scope="module")
def at(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """An installation of its own, with 52 deliveries of two suppliers waiting."""
    folder = tmp_path_factory.mktemp("core")
    made = Installation(enrolled_template(folder / "made"))
    for place in range(50):
        deliver(made, f"INV-B{place:03d}", 11_300_00 + place * 113, LOTUS if place % 2 else PINE)
    deliver(made, "INV-NOT-HERE", 9_040_00, arrived=False)
    deliver(made, "INV-LONE", 7_910_00)
    yield made
    made.close()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def go(at: Installation) -> Start:
    server = create_server(at.app, reading_speed=1e9)

    def client(who: str, language: str = "en") -> TestClient:
        made = TestClient(server, headers={"Accept-Language": language})
        address = demo_key(f"core-{who}").address if who in ("maker", "checker") else at.who(who)
        assert made.post("/sign-in", data={"address": address}).status_code == 200
        return made

    return client


def sealed(html: str, name: str = "sealed") -> str:
    found = re.search(rf'name="{name}" value="([^"]+)"', html)
    assert found, html[-1500:]
    return found.group(1)


BOTH = {"clause_0": "yes", "clause_1": "yes"}


def batch(at: Installation, go: Start) -> tuple[str, str]:
    text = go("maker").get("/to-accept.csv").text.lstrip("\ufeff")
    rows = [row for row in csv.DictReader(io.StringIO(text)) if row["invoice"].startswith("INV-B")]
    out = io.StringIO()
    writer = csv.DictWriter(out, ["invoice", "amount", "supplier"], extrasaction="ignore")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue(), text


def upload(client: TestClient, text: str) -> Any:
    return client.post("/to-accept", files={"file": ("batch.csv", text.encode(), "text/csv")})


def test_what_waits_says_how_much_how_long_and_what_is_not_known(at: Installation, go: Start) -> None:
    page = go("maker").get("/to-accept").text
    assert "52 invoices wait" in page and "the law allows 30" in page
    assert "No delivery is on file" in page
    assert page.count('name="pick"') == 51
    assert "INV-NOT-HERE" not in go("maker").get("/to-accept.csv").text
    assert go(LOTUS).get("/to-accept").status_code == 403


def test_a_seat_that_may_not_accept_invoices_is_not_sent_there(at: Installation, go: Start) -> None:
    approver = TestClient(go("maker").app, headers={"Accept-Language": "en"})
    approver.post("/sign-in", data={"address": seat_key(CORE, "approver").address})
    home = approver.get("/").text
    assert "Still locked in entrusted accounts" in home and "/to-accept" not in home
    assert "/to-accept" in go("maker").get("/").text


def test_a_file_is_taken_whole_or_not_at_all(at: Installation, go: Start) -> None:
    text, _ = batch(at, go)
    for wrong, why in (
        (text.replace("11307.91", "11307.92", 1), "amount"),
        (text + "INV-NOT-HERE,9040.00,\n", "no delivery on file"),
        (text + "INV-UNKNOWN,1.00,\n", "not waiting"),
        (text + text.splitlines()[-1] + "\n", "twice"),
        ("a,b\n1,2\n", "column `invoice`"),
    ):
        answer = upload(go("maker"), wrong)
        assert answer.status_code == 422 and why in answer.text, answer.text[-3000:]
        assert "No money moved" in answer.text
    with at.app.reading() as session:
        assert not at.app.approvals.waiting(session, 1)


def test_two_people_accept_fifty_from_a_file(at: Installation, go: Start) -> None:
    maker, checker = go("maker"), go("checker")
    shown = upload(maker, batch(at, go)[0])
    assert "You propose 50 acceptances" in shown.text
    skipped = maker.post("/to-accept/propose", data={"sealed": sealed(shown.text), "clause_0": "yes"})
    assert skipped.status_code == 422 and "1 statement(s)" in skipped.text
    proposed = maker.post("/to-accept/propose", data={"sealed": sealed(shown.text), **BOTH})
    assert proposed.url.path == "/to-approve" and "50 acceptances wait for a second person" in proposed.text
    assert 'name="pick"' not in proposed.text, "the maker is offered nothing to approve"
    assert go("maker").get("/to-accept").text.count('name="pick"') == 1

    page = checker.get("/to-approve").text
    ids = re.findall(r'name="pick" value="(0x[0-9a-f]{64})" checked', page)
    assert len(ids) == 50 and "Lotus Pond" in page
    own = maker.post("/to-approve", data={"pick": ids, "shown": sealed(page, "shown"), "decision": "approve", **BOTH})
    assert own.status_code == 403 or "person" in own.text
    hasty = checker.post("/to-approve", data={"pick": ids, "shown": sealed(page, "shown"), "decision": "approve"})
    assert hasty.status_code == 422
    with at.app.reading() as session:
        assert queries.outstanding_of(session, at.who(CORE)) == 0, "nothing was owed by one person's signature"
    done = checker.post(
        "/to-approve", data={"pick": ids, "shown": sealed(page, "shown"), "decision": "approve", **BOTH}
    )
    assert done.status_code == 200 and "Signed by two people" in done.text, done.text[-2000:]
    with at.app.reading() as session:
        assert queries.outstanding_of(session, at.who(CORE)) == sum(11_300_00 + place * 113 for place in range(50))
        assert len(queries.receivables_of(session, at.who(CORE), limit=100)) == 50
        assert {row.creditor for row in queries.receivables_of(session, at.who(CORE), limit=100)} == {
            at.who(LOTUS),
            at.who(PINE),
        }


def test_a_checker_sends_one_back_with_a_reason_and_it_waits_again(at: Installation, go: Start) -> None:
    maker, checker = go("maker"), go("checker")
    page = maker.get("/to-accept").text
    pick = re.search(r'name="pick" value="(\d+)"', page)
    assert pick
    shown = maker.post("/to-accept", data={"pick": pick.group(1)})
    maker.post("/to-accept/propose", data={"sealed": sealed(shown.text), **BOTH})
    found = re.search(r'name="pick" value="(0x[0-9a-f]{64})"', checker.get("/to-approve").text)
    assert found
    silent = checker.post("/to-approve", data={"pick": found.group(1), "decision": "send_back"})
    assert silent.status_code == 422 and "Why it goes back" in silent.text
    back = checker.post("/to-approve", data={"pick": found.group(1), "decision": "send_back", "reason": "wrong plant"})
    assert "Sent back" in back.text
    assert maker.get("/to-accept").text.count('name="pick"') == 1


def test_the_firms_account_alone_signs_nothing(at: Installation, go: Start) -> None:
    page = go(CORE).get("/to-accept")
    assert "Two people sign for it" in page.text and "/sign-in?next=/to-accept" in page.text


def test_the_calendar_says_what_is_due_and_under_which_reference(at: Installation, go: Start) -> None:
    page = go("maker", "zh-CN").get("/payables").text
    assert "本周应付" in page and "<svg" in page and "DUE1" in page
    rows = list(csv.DictReader(io.StringIO(go("checker").get("/payables.csv").text.lstrip("\ufeff"))))
    assert (
        len(rows) == 50 and rows[0]["end_to_end_id"].startswith("DUE") and rows[0]["structured_reference"][:2] == "RF"
    )
    assert go(LOTUS).get("/payables").status_code == 403
