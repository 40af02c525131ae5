"""The whole way of a claim in an installation made by `scf ledger init`, everybody at a browser of their own.

No key of anybody is known to the server or to this file, except the operators' files that `ledger init` made and their
passphrase. What a person would have to leave the pages for would fail here.
"""

from __future__ import annotations

import os
import re
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.browser.people import Person, person
from typer.testing import CliRunner

from scf.api import proving
from scf.app import App, Settings, open_app
from scf.cli import app as command_line
from scf.demo.cast import CORE, FAIRWAY, LOTUS, PINE, RIVER, STONE, firm
from scf.demo.papers import invoice, logistics_event, net_of, order
from scf.kernel.clock import VirtualClock, today
from scf.kernel.identifiers import make_uscc
from scf.receivables import queries

pytestmark = pytest.mark.browser
WORDS = "correct horse battery staple"
OPERATORS = ("operator-1", "operator-2")


@dataclass
class Place:
    """An installation, its address, and everybody who came in so far."""

    app: App
    clock: VirtualClock
    base: str
    folder: Path
    browser: Any
    people: dict[str, Person] = field(default_factory=dict)

    def newcomer(self, name: str, **look: Any) -> Person:
        self.people[name] = person(self.browser, self.base, **look)
        return self.people[name]

    def operators_sign(self, application: str) -> None:
        """First one operator, then, at another browser, the second."""
        for name in OPERATORS:
            one = self.people[name]
            one.open("/")
            one.press(f"#tasks a[href='/applications/{application}']")
            one.page.locator("[data-bring]:not([hidden]), [data-line]:not([hidden])").first.wait_for()
            one.bring_key(self.app.settings.data / "keys" / f"{name}.json", WORDS)
            one.here()
            one.press("form[action$='/enrol'] button.main")
            one.page.wait_for_url("**/applications/*done=*enrolled")

    def links(self, application: str) -> list[str]:
        """One-time links as the operator hands them over, one for each person of the firm."""
        one = self.people[OPERATORS[0]]
        found = []
        one.open(f"/applications/{application}")
        for place in range(one.page.locator("form[action$='/link'] button").count()):
            one.open(f"/applications/{application}")
            one.page.locator("form[action$='/link'] button").nth(place).click()
            found.append(one.page.locator("#link").input_value())
        return found

    def enter_firm(self, code: str, roles: list[str], people: list[str], **more: str) -> str:
        """An operator enters a firm and its people; two sign; the people come in by their links."""
        one, row = self.people[OPERATORS[0]], firm(code)
        keys = [self.newcomer(who).make_key() for who in people]
        one.open("/applications")
        one.press("a[href='/enrol']")
        one.page.fill("#name", row.name)
        one.page.fill("#uscc", make_uscc(row.uscc17))
        for role in roles:
            one.page.check(f"input[name=role][value={role}]")
        for place, (who, key) in enumerate(zip(people, keys, strict=True), start=1):
            one.page.fill(f"#person-{place}", who)
            one.page.fill(f"#contact-{place}", f"{who}@firms.example")
            one.page.fill(f"#key-{place}", key)
        if "limit" in more:
            one.page.fill("#limit", more["limit"])
            one.page.select_option("#bank", label=more["bank"])
        one.press("form[action='/enrol'] button.main")
        one.page.locator("p.good").first.wait_for()
        application = one.page.url.split("/applications/")[1].split("?")[0]
        self.operators_sign(application)
        for who, link in zip(people, self.links(application), strict=True):
            self.people[who].enter(link)
        return keys[0]


@pytest.fixture
def place(browser: Any, tmp_path: Path) -> Iterator[Place]:
    """A server of a new installation; two operators' seats were made at the command line, before it ran."""
    import uvicorn

    from scf.web.server import create_server

    folder = tmp_path
    data, patch = folder / "data", pytest.MonkeyPatch()
    patch.setenv("SCF_PASSPHRASE", WORDS)
    patch.setenv("SCF_DATA", str(data))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    base = f"http://localhost:{port}"
    patch.setenv("SCF_ORIGIN", base)

    def run(*words: str) -> str:
        done = CliRunner().invoke(command_line, list(words))
        assert done.exit_code == 0, done.output
        return str(done.output)

    patch.setattr(proving, "FRESH_SECONDS", 86_400)  # proving again is walked in test_real.py
    run("ledger", "init")
    keys = dict(
        line.split()[:2] for line in run("keys", "list").splitlines() if line.startswith(("operator", "relayer"))
    )
    for name in OPERATORS:
        run("people", "firm", f"Operator {name[-1]}", "--key", keys[name], "--role", "operator")
        run("people", "add", name, f"{name}@scf.example", "--seat", keys[name])
    clock = VirtualClock(int(time.time()))
    app = open_app(Settings.from_environment(data), clock)
    server = uvicorn.Server(uvicorn.Config(create_server(app, reading_speed=1e9), port=port, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 20
    while not server.started and time.monotonic() < deadline:
        time.sleep(0.05)
    made = Place(app, clock, base, folder, browser)
    for name in OPERATORS:
        link = re.search(r"http\S+/enter/\S+", run("people", "link", f"{name}@scf.example"))  # while the server runs
        assert link
        made.newcomer(name, language="en").enter(link.group(0))
    yield made
    for one in made.people.values():
        one.page.context.close()
    server.should_exit = True
    thread.join(10)
    app.close()
    patch.undo()


def cast(place: Place) -> None:
    """Firms nobody invites: two operators enrol them, their people make keys in their own browsers."""
    place.enter_firm("civic", ["bank"], ["bank-desk"])
    place.enter_firm(CORE, ["obligor"], ["maker", "checker"], limit="10,000,000.00", bank=firm("civic").name)
    place.enter_firm(LOTUS, ["supplier"], ["lotus"])
    place.enter_firm(FAIRWAY, ["attestor"], ["carrier"])


def may_check(place: Place) -> None:
    """The maker proposes what the checker may check; the checker agrees."""
    maker, checker = place.people["maker"], place.people["checker"]
    maker.open("/people")
    maker.page.fill("#limit", "5,000,000.00")
    maker.press("form[action='/people'] button.main")
    maker.page.wait_for_url("**/people?done=*")
    checker.open("/")
    checker.press("#tasks a[href='/to-approve']")
    checker.press("button[value=approve]")
    checker.page.wait_for_url("**/to-approve?done=*")


def issue(place: Place, tag: str, gross: int) -> None:
    """Order, goods and invoice come in; two people of the core enterprise confirm that it is owed."""
    maker, checker, day = place.people["maker"], place.people["checker"], today(place.clock)
    number = f"PO-WALK-{tag}"
    maker.upload(order(number, CORE, LOTUS, "Parts", net_of(gross), 1, day - timedelta(days=5)), place.folder)
    at = place.clock.now() - 86_400
    goods = logistics_event(number, "receiving", at, quantity=1, goods="parts", despatch=f"DN-{tag}")
    place.people["carrier"].upload(goods, place.folder)
    paper = invoice(
        f"INV-WALK-{tag}", LOTUS, CORE, number, "Parts", gross, day - timedelta(days=1), day + timedelta(days=55)
    )
    place.people["lotus"].upload(paper, place.folder)
    maker.open("/")
    maker.press("#tasks a[href='/to-accept']")
    maker.page.locator("input[name=pick]").first.check()
    maker.press("form:not([enctype]) .actions button")
    maker.tick_all()
    maker.press("form[action='/to-accept/propose'] button.main")
    maker.here()
    maker.press("form[action='/to-accept/propose'] button.main")
    maker.page.wait_for_url("**/to-approve?done=*")
    checker.open("/")
    checker.press("#tasks a[href='/to-approve']")
    checker.tick_all()
    checker.press("button[value=approve]")
    checker.here()
    checker.press("form[action='/to-approve'] button.main")
    checker.page.wait_for_url("**/to-approve?done=*")


def accept(one: Person) -> str:
    """Read, tick and accept what is offered, from the first page on; returns the note."""
    one.open("/")
    one.press("a[href^='/act/accept?note=']")
    one.here()
    one.tick_all()
    one.press("form[action='/confirm'] button.main")
    one.page.wait_for_url("**/notes/*done=accept")
    return str(one.page.url.split("/notes/")[1].split("?")[0])


def invite(place: Place, giver: str, code: str, note: str, amount: str) -> str:
    """A holder brings its supplier's invoice in and invites it with a part of a note; returns the link."""
    one, day = place.people[giver], today(place.clock)
    due = day + timedelta(days=55)
    seller, buyer = (code, {"lotus": LOTUS, "pine": PINE, "river": RIVER}[giver])
    minor = int(amount.replace(",", "").replace(".", ""))
    papers = [
        invoice(f"INV-{code}", seller, buyer, f"PO-{code}", "Parts", minor, day - timedelta(days=1), due),
        logistics_event(
            f"PO-{code}", "receiving", place.clock.now() - 86_400, quantity=1, goods="parts", despatch=f"DN-{code}"
        ),
    ]
    place.people["carrier"].upload(papers[1], place.folder)
    for paper in papers:  # the carrier's own file, as it handed it over, clears the trade for whoever gets the note
        one.upload(paper, place.folder)
    one.open("/invitations")
    one.press("main a.button.main")
    one.press(f"main a[href='/invite?note={note}']")
    one.page.fill("#amount", amount)
    for box in one.page.locator("input[name=evidence]").all()[:2]:
        box.check()
    one.page.fill("#delivered_on", (day - timedelta(days=2)).isoformat())
    one.press("main button.main")
    one.page.locator("figure.qr svg").wait_for()
    return str(one.page.locator("#link").input_value())


def join(place: Place, who: str, code: str, link: str, contact: str, **look: Any) -> Person:
    """The invited firm joins on its phone with three answers and waits for the operators, who enrol it."""
    one = place.newcomer(who, phone=True, **look)
    one.open(link)
    assert len([field for field in one.page.locator("form.join input").all() if field.is_visible()]) == 3
    one.page.fill("#j-uscc", make_uscc(firm(code).uscc17))
    one.page.fill("#j-name", firm(code).name)
    one.page.fill("#j-contact", contact)
    one.press("form.join button.main")
    one.page.locator("[data-spare]").wait_for()
    operator = place.people[OPERATORS[0]]
    operator.open("/applications")
    application = operator.page.locator("ul.tasks a[href^='/applications/']", has_text=firm(code).name).first
    place.operators_sign(str(application.get_attribute("href")).split("/")[-1])
    return one


def sign_pass(place: Place, giver: str) -> None:
    """The holder signs the pass it invited for: one task on its first page."""
    one = place.people[giver]
    one.open("/")
    one.press("#tasks a[href^='/invitations/']")
    one.press("form[action$='/pass'] button")
    one.here()
    one.tick_all()
    one.press("form[action='/confirm'] button.main")
    one.page.wait_for_url("**/notes/*done=pass")


def handed_over(place: Place, code: str) -> str:
    """The sign-in link an operator hands to a firm that is enrolled."""
    operator = place.people[OPERATORS[0]]
    operator.open("/applications")
    operator.page.locator("ul.tasks a[href^='/applications/']", has_text=firm(code).name).first.click()
    return place.links(operator.page.url.split("/applications/")[1].split("?")[0])[0]


def down(place: Place, giver: str, who: str, code: str, note: str, amount: str, **look: Any) -> str:
    """One tier further: invitation, three answers, two operators, one pass, acceptance; returns the new note."""
    link = invite(place, giver, code, note, amount)
    one = join(place, who, code, link, f"138000{len(place.people):05}", **look)
    sign_pass(place, giver)
    one.enter(handed_over(place, code))
    return accept(one)


def quote(place: Place, code: str, ask: str, rate: str) -> None:
    """A financier finds the request among its tasks and signs a price."""
    one = place.people[code]
    one.open("/")
    one.press(f"#tasks a[href='/asks/{ask}']")
    one.press("a.button.main")
    one.page.fill("input[name=rate_ppm]", rate)
    one.page.select_option("select[name=paying_bank]", label=firm("civic").name)
    one.press("main button.main")
    one.here()
    one.tick_all()
    one.press("form[action='/confirm'] button.main")
    one.page.wait_for_url("**/asks/*done=quote")


def money(place: Place, who: str) -> str:
    """The workshop asks for money, takes the better of two prices and signs; returns what it is promised."""
    one = place.people[who]
    one.presses = 0
    one.press("main a.button.main")
    one.press("#figures button.main")
    one.page.wait_for_url("**/asks/*")
    assert one.presses <= 4, "money is asked for in four presses after joining at most"
    ask = one.page.url.split("/asks/")[1].split("?")[0]
    for code, rate in (("harbour", "5.50"), ("farhill", "5.20")):
        quote(place, code, ask, rate)
    one.open("/")
    one.press(f"#tasks a[href='/asks/{ask}']")
    one.press("main button.main")
    shown = str(one.page.locator(".offer .price .big dd").first.inner_text())
    one.press(".offer a.button.main")
    assert one.page.locator(".price .big dd").first.inner_text() == shown
    one.tick_all()
    one.press("form[action='/confirm'] button.main")  # the reading, and the signature that covers it
    one.page.wait_for_url("**/notes/*done=accept_quote")
    return shown


def paid_out(place: Place) -> None:
    """The financier registers, its bank pays and attests; nobody copies a number by hand but the bank's own."""
    financier, bank = place.people["farhill"], place.people["bank-desk"]
    financier.open("/")
    financier.press("#tasks a[href^='/act/register']")
    financier.press("main button.main")
    financier.page.wait_for_url("**/notes/*done=register")
    bank.open("/")
    bank.press("#tasks a[href^='/act/complete_financing']")
    assert bank.page.locator("input[name=registration]").input_value()
    bank.page.fill("input[name=bank_reference]", "CIVIC-1/1")
    bank.press("main button.main")
    bank.here()
    bank.tick_all()
    bank.press("form[action='/confirm'] button.main")
    bank.page.wait_for_url("**/notes/*done=complete_financing")


def due(place: Place, amount: str) -> None:
    """The day comes: the bank attests what the core enterprise paid, and every holder has its part."""
    place.clock.advance(days=55)
    bank = place.people["bank-desk"]
    bank.open("/")
    bank.press("#tasks a[href^='/act/payment']")
    bank.page.fill("input[name=principal]", amount)
    bank.page.fill("input[name=bank_reference]", "CIVIC-2/1")
    bank.press("main button.main")
    bank.here()
    bank.tick_all()
    bank.press("form[action='/confirm'] button.main")
    bank.page.wait_for_url("**/receivables/*done=payment")


@pytest.mark.timeout(900)
def test_a_new_installation_enrols_its_firms_and_two_people_owe_their_first_debt(place: Place) -> None:
    cast(place)
    may_check(place)
    issue(place, "1", 1_000_000_00)
    assert accept(place.people["lotus"])
    for one in place.people.values():
        one.quiet()


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_from_an_empty_installation_to_money_and_maturity(place: Place) -> None:
    assert "SCF_SMTP" not in os.environ
    cast(place)
    for code in ("harbour", "farhill"):
        place.enter_firm(code, ["financier"], [code])
    may_check(place)
    issue(place, "1", 1_000_000_00)
    first = accept(place.people["lotus"])
    second = down(place, "lotus", "pine", PINE, first, "400,000.00", language="en")
    third = down(place, "pine", "river", RIVER, second, "120,000.00")
    down(place, "river", "stone", STONE, third, "36,000.00")
    promised = money(place, "stone")
    paid_out(place)
    due(place, "1,000,000.00")
    with place.app.reading() as session:
        row = queries.receivable(session, 1)
        notes = queries.notes_of_receivable(session, 1)
        assert row.outstanding_minor == 0
        assert sum(note.settled_minor for note in notes) == 1_000_000_00
        assert not any(note.amount_minor for note in notes)
    workshop = place.people["stone"]
    workshop.open("/month?month=" + today(place.clock).strftime("%Y-%m"))
    assert re.match(r"CNY\s35,\d{3}\.\d\d", promised), promised
    for one in place.people.values():
        one.quiet()
