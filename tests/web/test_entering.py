"""Getting in without a password: one-time links, sessions, several firms, and how often one may knock."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from typing import Any

import pytest
from sqlmodel import select
from tests.api.conftest import As
from tests.api.installation import LOTUS, PINE, RIVER, Installation
from tests.web.test_join import ANSWERS, invite, row_of

from scf.api.limits import Doorkeeper
from scf.identity.contacts import masked, parse_contact
from scf.identity.models import SignedIn
from scf.kernel.identifiers import make_uscc
from scf.kernel.problems import Problem
from scf.ledger.signing import sign_digest
from scf.parties.keys import demo_key


@pytest.fixture
def person(demo: Installation) -> str:
    """A person who acts for two firms; returns the contact."""
    with demo.app.desk.session() as session:
        one = demo.app.people.add(session, "Two Firms", "two@firms.example")
        for code in (PINE, RIVER):
            demo.app.people.seat(session, one, demo.at(code))
    return one.contact


@pytest.fixture
def real(demo: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same installation, as one that holds nobody's keys."""
    monkeypatch.setattr(demo.app, "settings", replace(demo.app.settings, demo=False))


def link_of(demo: Installation, contact: str) -> str:
    with demo.app.desk.session() as session:
        found = demo.app.people.by_contact(session, contact)
        assert found
        return demo.app.people.make_link(session, found)


def test_a_link_lets_in_once_and_looking_at_it_uses_nothing_up(demo: Installation, act_as: As, person: str) -> None:
    secret = link_of(demo, person)
    assert secret.encode() not in (demo.app.settings.data / "scf.db").read_bytes()
    browser = act_as()
    for _ in range(2):
        assert "Two Firms" in browser.get(f"/enter/{secret}").text
    assert browser.get("/").url.path == "/sign-in"
    entered = browser.post(f"/enter/{secret}")
    assert entered.url.path == "/" and "Pine Creek" in entered.text
    again = act_as().post(f"/enter/{secret}")
    assert again.status_code == 410 and "each works once" in again.text
    assert act_as().get("/enter/none").status_code == 404


def test_a_link_is_too_old_after_a_quarter_of_an_hour_and_a_newer_one_ends_it(
    demo: Installation, act_as: As, person: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = link_of(demo, person), link_of(demo, person)
    assert act_as().post(f"/enter/{first}").status_code == 410
    now = demo.clock.now()
    monkeypatch.setattr(demo.app.people, "_clock", type("Later", (), {"now": staticmethod(lambda: now + 901)}))
    assert act_as().post(f"/enter/{second}").status_code == 410


def test_a_person_changes_firms_and_never_to_anothers(demo: Installation, act_as: As, person: str) -> None:
    browser = act_as()
    browser.post(f"/enter/{link_of(demo, person)}")
    page = browser.get("/").text
    assert "Pine Creek" in page and "River Bend" in page  # both in the menu
    moved = browser.post("/switch", data={"address": demo.at(RIVER)})
    assert re.search(r"<summary><strong>[^<]*River Bend", moved.text)
    refused = browser.post("/switch", data={"address": demo.at(LOTUS)})
    assert refused.status_code == 403 and "You do not act for this firm" in refused.text
    assert act_as(PINE).post("/switch", data={"address": demo.at(RIVER)}).status_code == 403  # a demo seat is no person


def test_signing_out_everywhere_ends_the_other_devices_too(demo: Installation, act_as: As, person: str) -> None:
    phone, desk = act_as(), act_as()
    for browser in (phone, desk):
        browser.post(f"/enter/{link_of(demo, person)}")
        assert browser.get("/account").status_code == 200
    stolen = dict(phone.cookies)
    desk.post("/sign-out-everywhere")
    assert phone.get("/").url.path == "/sign-in"
    thief = act_as()
    thief.cookies.update(stolen)
    assert thief.get("/api/v1/me").status_code == 401


def test_losing_a_seat_ends_the_session_there(demo: Installation, act_as: As, person: str) -> None:
    browser = act_as()
    browser.post(f"/enter/{link_of(demo, person)}")
    with demo.app.desk.session() as session:
        one = demo.app.people.by_contact(session, person)
        assert one
        demo.app.people.unseat(session, one, demo.at(PINE))
    assert browser.get("/api/v1/me").status_code == 401


def test_asking_for_a_link_tells_nobody_who_is_known(
    demo: Installation, act_as: As, person: str, real: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[tuple[str, str]] = []
    monkeypatch.setenv("SCF_SMTP", "mail.example:25")
    monkeypatch.setenv("SCF_MAIL_FROM", "scf@mail.example")
    monkeypatch.setattr("scf.api.messenger.send", lambda to, subject, text: sent.append((to, text)) or True)
    known = act_as().post("/sign-in/link", data={"contact": person}).text
    unknown = act_as().post("/sign-in/link", data={"contact": "nobody@x.example"}).text
    assert known.replace(person, "X") == unknown.replace("nobody@x.example", "X")
    ((to, text),) = sent
    secret = re.search(r"/enter/([\w-]+)", text)
    assert to == person and secret
    assert "Pine Creek" in act_as().post(f"/enter/{secret.group(1)}").text


def test_knocking_too_often_is_answered_with_when_to_come_back(
    demo: Installation, act_as: As, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = act_as()
    pages = client.app.state.pages  # type: ignore[attr-defined]
    monkeypatch.setattr(pages, "doorkeeper", Doorkeeper({"enter": "2/minute", "join": "1/minute", "link": "9/minute"}))
    for _ in range(2):
        assert client.post("/sign-in", data={"token": "scf_wrong"}).status_code == 401
    refused = client.post("/sign-in", data={"token": "scf_wrong"})
    assert refused.status_code == 429 and 1 <= int(refused.headers["Retry-After"]) <= 60
    assert "Too many attempts" in refused.text
    client.post("/join/x", data=ANSWERS)
    assert client.post("/join/x", data=ANSWERS).status_code == 429


def test_in_a_real_installation_a_firm_waits_visibly_and_two_operators_let_it_in(
    demo: Installation, act_as: As, real: None
) -> None:
    lotus, operator, phone = (act_as_real(act_as, demo, code, seat) for code, seat in SEATS)
    path = invite(demo, lotus, "21.00")
    key = demo_key("a wallet of their own")
    code = make_uscc("91440000MA1FL0777")
    answers = {"uscc": code, "name": "Careful Co", "contact": "careful@co.example"}
    assert "Give the ledger address" in phone.post(path, data=answers).text
    waiting = phone.post(path, data={**answers, "address": key.address})
    assert waiting.url.path == path and "Two operators have to enrol the firm" in waiting.text
    assert "usually 24 hours" in waiting.text and phone.get("/").url.path == "/sign-in"
    number = str(row_of(demo, path).application_id)
    assert act_as_real(act_as, demo, PINE, "account").get(f"/applications/{number}").status_code == 403
    page = operator.get(f"/applications/{number}").text
    assert code in page and "Lotus Pond" in page
    first, second, stranger = (demo_key(name).private for name in ("operator-1", "operator-2", "a wallet of their own"))
    sign = lambda page, private: {"signature": "0x" + sign_digest(private, digest_in(page)).hex()}  # noqa: E731
    send = f"/applications/{number}/enrol"
    refused = operator.post(send, data=sign(page, stranger))
    assert refused.status_code == 403 and "no operator" in refused.text
    half = operator.post(send, data=sign(page, first))
    assert "1 of 2 signatures are here" in half.text and "Two operators have to enrol" in phone.get(path).text
    assert operator.post(send, data=sign(page, first)).status_code == 409
    colleague = act_as_real(act_as, demo, "operator", "operator-2")
    # another firm waits half signed behind this one, and is not lost when this one goes through
    later = invite(demo, lotus, "21.50")
    phone.post(later, data={**answers, "uscc": make_uscc("91440000MA1FL0776"), "contact": "later@co.example",
                            "address": demo_key("another wallet").address})  # fmt: skip
    behind = str(row_of(demo, later).application_id)
    waits = operator.post(
        f"/applications/{behind}/enrol", data=sign(operator.get(f"/applications/{behind}").text, first)
    )
    assert "1 of 2" in waits.text
    of_both = [colleague.get(f"/applications/{one}").text for one in (number, behind)]
    early = colleague.post(f"/applications/{behind}/enrol", data=sign(of_both[1], second))
    assert early.status_code == 409 and f"Finish application {number} first" in early.text
    both = colleague.post(send, data=sign(of_both[0], second))
    assert both.status_code == 200 and "enrolled" in both.text, both.text
    then = colleague.post(f"/applications/{behind}/enrol", data=sign(of_both[1], second))
    assert then.status_code == 200 and "enrolled" in then.text, then.text
    assert "has to sign the pass" in phone.get(path).text
    assert "Sign the pass to your invited firm" in lotus.get("/").text
    shown = operator.post(f"/applications/{number}/link").text
    secret = re.search(r"/enter/([\w-]+)", shown)
    assert secret and "Careful Co" in phone.post(f"/enter/{secret.group(1)}").text


def test_a_refused_firm_reads_the_reason(demo: Installation, act_as: As, real: None) -> None:
    lotus, operator, phone = (act_as_real(act_as, demo, code, seat) for code, seat in SEATS)
    path = invite(demo, lotus, "22.00")
    answers = {"uscc": make_uscc("91440000MA1FL0778"), "name": "Shell Co", "contact": "s@co.example"}
    phone.post(path, data={**answers, "address": demo_key("shell").address})
    number = str(row_of(demo, path).application_id)
    assert operator.post(f"/applications/{number}/refuse", data={"reason": " "}).status_code == 422
    operator.post(f"/applications/{number}/refuse", data={"reason": "The licence was withdrawn."})
    page = phone.get(path).text
    assert "The licence was withdrawn." in page and "How to appeal" in page and "stays owed" in page


def digest_in(page: str) -> bytes:
    """What the page asks an operator to sign."""
    found = re.search(r'data-digest="([0-9a-f]{64})"', page)
    assert found, page
    return bytes.fromhex(found.group(1))


SEATS = ((LOTUS, "account"), ("operator", "operator-1"), ("", ""))


def act_as_real(act_as: As, demo: Installation, code: str, seat: str) -> Any:
    """A client with a session of its own, begun while identities can still be chosen."""
    settings = demo.app.settings
    demo.app.settings = replace(settings, demo=True)
    try:
        if not code:
            return act_as()
        client = act_as(code, seat)
        with demo.app.desk.session() as session:
            for row in session.exec(select(SignedIn).where(SignedIn.address == demo.at(code, seat))):
                demo.app.people.proved(session, row.id, method="token", at=int(time.time()))
        return client
    finally:
        demo.app.settings = settings


@pytest.mark.parametrize(
    ("typed", "kept"),
    [("138 0000 1234", "+8613800001234"), ("+44 20 7946 0000", "+442079460000"), ("A.B@X.example", "a.b@x.example")],
)
def test_contacts_are_kept_in_one_form(typed: str, kept: str) -> None:
    assert parse_contact(typed) == kept
    assert masked(kept) != kept and len(masked(kept)) < len(kept) + 1


@pytest.mark.parametrize(
    "typed", ["", "12345", "a@b", "a b@c.example", "x@y.example\nBcc: z@z.example", "<a@b.example>"]
)
def test_what_is_no_contact_is_refused(typed: str) -> None:
    with pytest.raises(Problem):
        parse_contact(typed)


def test_whoever_is_signed_in_can_change_to_another_identity(demo: Installation, act_as: As) -> None:
    page = act_as(PINE).get("/sign-in")
    assert page.status_code == 200 and "Lotus Pond" in page.text
