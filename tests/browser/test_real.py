"""An installation that holds nobody's keys, walked on a phone from the invitation to the signed request for money.

The other parties sign with keys of their own outside the pages; the small firm has nothing but its browser.
"""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account
from tests.api.installation import LOTUS, Installation, installation
from tests.api.test_refusals import trade
from tests.browser.conftest import AXE, PHONE, Visit

from scf.api import joining, messenger, proving
from scf.api.access import caller_at
from scf.api.shapes import Amount
from scf.demo.cast import FARHILL, HARBOUR, demo_signers, operator_signatures
from scf.identity.models import SignedIn
from scf.kernel.identifiers import make_uscc
from scf.ledger.signing import sign_digest
from scf.receivables import queries
from scf.receivables.models import NoteState

pytestmark = pytest.mark.browser
WORDS = {"en": ("Join", "Is it still you?"), "zh-CN": ("加入", "请确认是您本人")}
_numbers = count(300)


@dataclass
class Real:
    """The installation, where its pages are, and the text messages that went out."""

    demo: Installation
    base: str
    texts: list[tuple[str, str]]

    def last_text(self, pattern: str) -> str:
        found = re.search(pattern, self.texts[-1][1])
        assert found, self.texts
        return found.group(1)

    def invite(self, minor: int) -> tuple[str, str]:
        """A wish of Lotus; returns its number and the link's path."""
        app = self.demo.app
        body = joining.InvitationBody(
            note=self.demo.notes[LOTUS],
            amount=Amount(minor=str(minor), currency="CNY"),
            evidence=trade(self.demo)["evidence"],
            delivered_on=self.demo.story.day(4),
        )
        with app.reading() as session:
            caller = caller_at(app, session, self.demo.at(LOTUS))
        row, secret = joining.invite(app, caller, body)
        return row.id, f"/join/{secret}"

    def enrol(self, invitation: str) -> str:
        """Two operators sign at their own desks; returns the application."""
        app = self.demo.app
        with app.reading() as session:
            number = str(app.invitations.get(session, invitation).application_id)
        prepared = app.onboarding.prepare(number)
        app.onboarding.enrol(number, prepared.message, operator_signatures(prepared.digest), caller="operators")
        joining.after_enrolment(app, number)
        return number

    def passes(self, invitation: str) -> str:
        """Lotus signs the pass it invited for; returns the offered note."""
        app = self.demo.app
        with app.reading() as session:
            row = app.invitations.get(session, invitation)
        prepared = app.invitations.prepare_pass(row)
        parts = [sign_digest(pair.private, prepared.digest) for pair in demo_signers(app, prepared.signers[0])]
        return str(
            app.receivables.submit("pass", prepared.message, parts, key=f"walk:{row.id}", caller="lotus")["note"]
        )


@pytest.fixture(scope="module")
def real() -> Iterator[Real]:
    """A server of an installation of its own, whose text messages arrive in a list."""
    import uvicorn

    from scf.web.server import create_server

    demo = installation.__wrapped__()
    for bank in (HARBOUR, FARHILL):
        demo.app.keys.store(f"quotes-{demo.at(bank).lower()}", demo_signers(demo.app, demo.at(bank))[0].private)
    demo.app.settings = replace(demo.app.settings, demo=False)
    patch, texts = pytest.MonkeyPatch(), []
    patch.setenv("SCF_SMS_URL", "https://sms.example/send")
    patch.setenv("SCF_SMS_SECRET", "whsec_c2NmLXRlc3Qtc2VjcmV0LW9mLTMyLWJ5dGVzLW9rIQ==")
    patch.setattr(messenger, "_text", lambda to, text, settings: texts.append((to, text)))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = uvicorn.Server(uvicorn.Config(create_server(demo.app, reading_speed=1e9), port=port, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 20
    while not server.started and time.monotonic() < deadline:
        time.sleep(0.05)
    yield Real(demo, f"http://localhost:{port}", texts)
    server.should_exit = True
    thread.join(10)
    patch.undo()
    demo.app.close()


def phone(browser: Any, real: Real, language: str, *, javascript: bool = True) -> Visit:
    """A phone on which nobody is signed in."""
    context = browser.new_context(
        viewport={"width": PHONE[0], "height": PHONE[1]},
        locale=language,
        has_touch=True,
        java_script_enabled=javascript,
    )
    one = Visit(context.new_page(), real.base, real.demo)
    one.page.on("console", lambda message: message.type == "error" and one.complaints.append(message.text))
    one.page.on("pageerror", lambda error: one.complaints.append(str(error)))
    one.page.on("request", lambda request: request.url.startswith(real.base) or one.foreign.append(request.url))
    return one


def fits(one: Visit) -> None:
    """No sideways scroll, and nothing axe finds."""
    assert one.sideways() <= 0, one.page.url
    if AXE.exists():
        one.page.evaluate(AXE.read_text(encoding="utf-8"))
        wrong = one.page.evaluate(
            "async () => (await axe.run(document, {runOnly: ['wcag2a','wcag2aa','wcag21a','wcag21aa','wcag22aa']}))"
            ".violations.map(v => [v.id, v.nodes.slice(0, 3).map(n => n.html)])"
        )
        assert wrong == [], one.page.url


def tick_all(one: Visit) -> None:
    for box in one.page.locator("form[action='/confirm'] input[type=checkbox]").all():
        box.check()


def sign(one: Visit) -> None:
    """Tick every statement and press the one filled button; the key of this browser signs."""
    tick_all(one)
    one.page.locator("form[action='/confirm'] button.main").click()


@pytest.mark.parametrize("language", ["zh-CN", "en"])
def test_a_firm_without_a_wallet_joins_on_a_phone_and_signs_for_itself(
    language: str, real: Real, browser: Any, tmp_path: Path
) -> None:
    number = f"138{next(_numbers):08}"
    invitation, path = real.invite(2_000_00)
    one = phone(browser, real, language)
    one.open(path)
    fits(one)
    shown = [field for field in one.page.locator("form.join input").all() if field.is_visible()]
    assert len(shown) == 3
    one.page.fill("#j-uscc", make_uscc(f"N211010{next(_numbers)}6026103"))
    one.page.fill("#j-name", "青石村经济合作社")
    one.page.fill("#j-contact", number)
    one.page.locator("form.join button.main").click()
    one.page.locator(".turn").wait_for()
    one.page.locator("[data-spare]").wait_for()  # the key is here, a copy can be saved
    fits(one)
    one.page.fill("#spare-words", "long enough words")
    with one.page.expect_download() as download:
        one.page.locator("[data-spare] button").click()
    copy = tmp_path / "key.json"
    download.value.save_as(copy)
    application = real.enrol(invitation)
    with real.demo.app.reading() as session:
        address = real.demo.app.onboarding.get(session, application).address
    private = Account.decrypt(copy.read_text(encoding="utf-8"), "long enough words")
    assert Account.from_key(private).address == address  # any wallet reads the copy

    # In again by a one-time link, and a passkey on this phone.
    one.open("/sign-in")
    one.page.fill("#contact", number)
    one.page.locator("form[action='/sign-in/link'] button").click()
    assert real.texts[-1][0] == f"+86{number}"
    client = one.page.context.new_cdp_session(one.page)
    client.send("WebAuthn.enable")
    options = {"protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True}
    options |= {"isUserVerified": True, "automaticPresenceSimulation": True}
    client.send("WebAuthn.addVirtualAuthenticator", {"options": options})
    one.page.goto(real.last_text(r"(http\S+/enter/\S+)"))
    one.page.locator("form button.main").click()
    assert one.page.locator(".who strong").inner_text() == "青石村经济合作社"
    one.open("/account")
    fits(one)
    one.page.locator("[data-passkey=make] button").click()
    one.page.locator("form[action='/account/passkeys/remove']").wait_for()

    # The offer comes, is read, and signed by the key of this browser.
    note, taps = real.passes(invitation), 0
    one.open("/")
    one.page.locator(f"a[href='/act/accept?note={note}']").first.click()
    one.page.locator("[data-line]:not([hidden])").wait_for()
    fits(one)
    sign(one)
    taps += 1
    one.page.wait_for_url("**/notes/**")
    assert held(real, note) == address

    # Later: the session is old, the passkey is asked for with the same press.
    one.page.locator(f"main a.button.main[href$='{note}']").click()
    taps += 1
    one.page.locator("#figures button.main").click()
    taps += 1
    one.page.wait_for_url("**/act/accept_quote**")
    grow_old(real, number)
    tick_all(one)
    one.page.locator("form[action='/confirm'] button.main").click()
    one.page.locator("[data-passkey=prove]").wait_for()  # refused, nothing lost, asked for
    assert WORDS[language][1] in one.page.locator(".prove").inner_text()
    assert not one.page.locator("form[action='/confirm'] input[type=checkbox]:not(:checked)").count()
    fits(one)
    one.page.locator(
        "form[action='/confirm'] button.main"
    ).click()  # the passkey, the reading and the signature over it
    taps += 1
    one.page.wait_for_url("**/notes/*done=accept_quote")
    assert taps <= 4
    with real.demo.app.reading() as session:
        sold = one.page.url.split("/notes/")[1].split("?")[0]
        assert queries.note(session, sold).state == NoteState.LOCKED
    assert [line for line in one.complaints if "403" not in line] == []
    assert one.foreign == []

    # Another phone has no key: the spare copy brings it.
    other = phone(browser, real, language)
    second, _ = real.invite(1_00)
    code = sign_in_by_text(other, real, number)
    assert code
    real_join(real, second, address)
    offered = real.passes(second)
    other.open(f"/act/accept?note={offered}")
    other.page.locator("[data-bring]").wait_for()
    fits(other)
    other.page.set_input_files("#key-file", copy)
    other.page.fill("#key-words", "not the words")
    other.page.locator("[data-bring] button").click()
    other.page.locator("[data-line]:not([hidden])").wait_for()
    other.page.fill("#key-words", "long enough words")
    other.page.locator("[data-bring] button").click()
    other.page.locator("[data-bring]").wait_for(state="hidden")
    sign(other)
    other.page.wait_for_url("**/notes/**")
    assert held(real, offered) == address
    assert other.complaints == [] and other.foreign == []


@pytest.mark.parametrize("language", ["zh-CN", "en"])
def test_without_javascript_a_wallet_signs_and_a_code_proves_who_it_is(language: str, real: Real, browser: Any) -> None:
    number, wallet = f"137{next(_numbers):08}", Account.create()
    invitation, path = real.invite(1_500_00)
    one = phone(browser, real, language, javascript=False)
    one.open(path)
    assert one.page.locator("form.join input:visible").count() == 4
    one.page.fill("#j-uscc", make_uscc(f"N211010{next(_numbers)}6026103"))
    one.page.fill("#j-name", "无脚本工坊")
    one.page.fill("#j-contact", number)
    one.page.fill("#j-address", wallet.address)
    one.page.locator("form.join button.main").click()
    real.enrol(invitation)
    sign_in_by_text(one, real, number)
    note = real.passes(invitation)
    one.open(f"/act/accept?note={note}")
    grow_old(real, number)
    tick_all(one)
    digest = one.page.locator("[data-own-key]").get_attribute("data-digest")
    signature = wallet.unsafe_sign_hash(bytes.fromhex(str(digest))).signature.hex()
    one.page.fill("#signature_0", signature)
    one.page.locator("form[action='/confirm'] button.main").click()
    assert WORDS[language][1] in one.page.locator(".prove").inner_text()
    one.page.locator(".prove button[name=prove]").click()
    one.page.fill("#prove-code", real.last_text(r"(\d{6})"))
    one.page.fill("#signature_0", signature)
    one.page.locator("form[action='/confirm'] button.main").click()
    one.page.wait_for_url("**/notes/*")
    assert held(real, note) == wallet.address


def held(real: Real, note: str) -> str:
    with real.demo.app.reading() as session:
        row = queries.note(session, note)
        assert row.state == NoteState.HELD
        return row.holder


def grow_old(real: Real, number: str) -> None:
    """The sessions of a person began long ago, and nothing was proved since."""
    app = real.demo.app
    with app.desk.session() as session:
        person = app.people.by_contact(session, number)
        assert person
        for row in session.query(SignedIn).filter(SignedIn.person_id == person.id):
            row.made_at -= proving.FRESH_SECONDS + 1
            app.people.proved(session, row.id, method="link", at=row.made_at)


def sign_in_by_text(one: Visit, real: Real, number: str) -> bool:
    one.open("/sign-in")
    one.page.fill("#contact", number)
    one.page.locator("form[action='/sign-in/link'] button").click()
    one.page.goto(real.last_text(r"(http\S+/enter/\S+)"))
    one.page.locator("form button.main").click()
    return one.page.locator(".who strong").count() == 1


def real_join(real: Real, invitation: str, address: str) -> None:
    """The firm, a member by now, takes another invitation to its account."""
    app = real.demo.app
    with app.desk.session() as session:
        app.invitations.take(session, app.invitations.get(session, invitation), address, None)
