"""Before something of weight is signed, an older session proves again who it is: by a code, a link or a passkey."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import httpx
import pytest
from standardwebhooks.webhooks import Webhook
from tests.api.conftest import As
from tests.api.installation import LOTUS, PINE, RIVER, Installation

from scf.api import messenger, proving
from scf.store import evidence
from scf.store.evidence import Trust

PHONE = "+8613900001111"
SECRET = "whsec_" + "c2NmLXRlc3Qtc2VjcmV0LW9mLTMyLWJ5dGVzLW9rIQ=="


@dataclass
class Phone:
    """A gateway that takes every text message, and a clock that can be moved on."""

    sent: list[tuple[str, str]] = field(default_factory=list)
    later: float = 0

    def code(self) -> str:
        found = re.search(r"\d{6}", self.sent[-1][1])
        assert found
        return found.group(0)


@pytest.fixture
def phone(demo: Installation, monkeypatch: pytest.MonkeyPatch) -> Iterator[Phone]:
    """A real installation whose text messages arrive here; everybody's clock is `later` seconds ahead."""
    made, clock = Phone(), time.time
    monkeypatch.setattr(demo.app, "settings", replace(demo.app.settings, demo=False))
    monkeypatch.setenv("SCF_SMS_URL", "https://sms.example/send")
    monkeypatch.setenv("SCF_SMS_SECRET", SECRET)
    monkeypatch.setattr(messenger, "_text", lambda to, text, settings: made.sent.append((to, text)))
    monkeypatch.setattr(time, "time", lambda: clock() + made.later)
    yield made


def signed_in(demo: Installation, act_as: As, language: str = "en") -> Any:
    """A person who acts for two firms, signed in by a one-time link just now."""
    with demo.app.desk.session() as session:
        person = demo.app.people.add(session, "Two Firms", PHONE, language=language)
        for code in (LOTUS, RIVER):
            demo.app.people.seat(session, person, demo.at(code))
        secret = demo.app.people.make_link(session, person)
    client = act_as(language=language)
    assert client.post(f"/enter/{secret}").status_code == 200
    assert client.post("/switch", data={"address": demo.at(LOTUS)}).status_code == 200
    return client


def confirm_form(demo: Installation, client: Any, key: str) -> dict[str, Any]:
    """The confirmation of a refusal-free act (a pass), every statement ticked; a signature that is none."""
    with demo.app.desk.session() as session:
        paper = evidence.record(
            session, key.encode(), kind="invoice", source="x", sender="Lotus Pond", trust=Trust.T1, received_at=1
        ).evidence_id
    answers = {"note": demo.notes[LOTUS], "to": demo.at(PINE), "amount": "1.00", "currency": "CNY", "evidence": paper}
    page = client.post("/act/pass", data={**answers, "delivered_on": demo.story.day(4).isoformat()})
    sealed = re.search(r'name="sealed" value="([^"]+)"', page.text)
    assert sealed, page.text
    ticks = {f"clause_{place}": "yes" for place in range(page.text.count("data-clause="))}
    return {"sealed": sealed.group(1), "signature_0": "0x" + "11" * 65, **ticks}


WAYS = pytest.mark.parametrize(("language", "asked"), [("en", "Is it still you?"), ("zh-CN", "请确认是您本人")])


@WAYS
def test_an_older_session_signs_only_with_a_code_and_loses_nothing_it_had_ticked(
    demo: Installation, act_as: As, phone: Phone, language: str, asked: str
) -> None:
    client = signed_in(demo, act_as, language)
    form = confirm_form(demo, client, f"fresh {language}")
    assert asked not in client.post("/confirm", data=form).text  # fresh: refused for its signature alone
    phone.later = proving.FRESH_SECONDS + 1
    stale = client.post("/confirm", data=form)
    assert stale.status_code == 403 and asked in stale.text and not phone.sent
    sent = client.post("/confirm", data={**form, "prove": "send"})
    assert sent.status_code == 200 and phone.sent[-1][0] == PHONE and PHONE not in sent.text
    assert sent.text.count("checked") == sent.text.count("data-clause=") > 0
    assert phone.code() not in sent.text
    wrong = client.post("/confirm", data={**form, "code": f"{(int(phone.code()) + 1) % 10**6:06}"})
    assert wrong.status_code == 403 and asked in wrong.text
    right = client.post("/confirm", data={**form, "code": phone.code()})
    assert asked not in right.text and right.status_code >= 400  # goes on to the signature, which is none
    assert asked not in client.post("/confirm", data=form).text
    phone.later *= 2.5
    assert asked in client.post("/confirm", data=form).text


def test_a_code_works_once_in_its_own_session_and_stands_five_tries(
    demo: Installation, act_as: As, phone: Phone
) -> None:
    mine, other = signed_in(demo, act_as), signed_in(demo, act_as)
    phone.later = proving.FRESH_SECONDS + 1
    mine.post("/prove", data={"prove": "send", "next": "/"})
    code = phone.code()
    assert "No code waits" in other.post("/prove", data={"code": code, "next": "/"}).text
    assert mine.post("/prove", data={"code": code, "next": "/account"}).url.path == "/account"
    phone.later *= 2.5
    assert "No code waits" in mine.post("/prove", data={"code": code, "next": "/"}).text
    mine.post("/prove", data={"prove": "send", "next": "/"})
    for _ in range(5):
        bad = f"{(int(phone.code()) + 7) % 10**6:06}"
        assert "not the six digits" in mine.post("/prove", data={"code": bad, "next": "/"}).text
    assert "No code waits" in mine.post("/prove", data={"code": phone.code(), "next": "/"}).text


def test_signing_in_again_by_a_link_is_a_proof_and_changing_firms_is_none(
    demo: Installation, act_as: As, phone: Phone
) -> None:
    client = signed_in(demo, act_as)
    phone.later = proving.FRESH_SECONDS + 1
    client.post("/switch", data={"address": demo.at(RIVER)})
    refused = client.post("/developers", data={"name": "x"})
    assert refused.status_code == 403 and "/prove?next=" in refused.text and "scf_" not in refused.text
    client = signed_in(demo, act_as)
    client.post("/switch", data={"address": demo.at(RIVER)})
    assert client.post("/developers", data={"name": "x"}).status_code == 200


def test_a_program_in_a_session_proves_it_too_and_a_token_signs_without(
    demo: Installation, act_as: As, phone: Phone
) -> None:
    client = signed_in(demo, act_as)
    token = client.post("/api/v1/tokens", json={"name": "till"}).json()["token"]
    phone.later = proving.FRESH_SECONDS + 1
    body = {"message": {}, "signatures": [], "context": {}}
    stale = client.post("/api/v1/acts/pass", json=body, headers={"Idempotency-Key": "p1"})
    assert (stale.status_code, stale.json()["code"], stale.json()["money_moved"]) == (403, "proof_needed", "no")
    assert client.post("/api/v1/tokens", json={"name": "x"}).json()["code"] == "proof_needed"
    assert client.post("/api/v1/session/code").json() == {"sent_to": "+86…11"}
    assert client.post("/api/v1/session/proof", json={"code": "none"}).json()["code"] == "code_wrong"
    assert client.post("/api/v1/session/proof", json={"code": phone.code()}).json()["good_for_seconds"] == 300
    again = client.post("/api/v1/acts/pass", json=body, headers={"Idempotency-Key": "p1"})
    assert again.json()["code"] != "proof_needed"
    phone.later *= 2.5
    program = act_as()
    headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": "p2"}
    assert program.post("/api/v1/acts/pass", json=body, headers=headers).json()["code"] != "proof_needed"
    assert program.post("/api/v1/session/code", headers=headers).json()["code"] == "proof_needs_session"


def test_where_no_code_can_be_sent_the_page_says_what_helps(
    demo: Installation, act_as: As, phone: Phone, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = signed_in(demo, act_as)
    form = confirm_form(demo, client, "no way")
    phone.later = proving.FRESH_SECONDS + 1
    monkeypatch.delenv("SCF_SMS_URL")
    page = client.post("/confirm", data=form).text
    assert "Ask your operator for a one-time link" in page and 'name="prove"' not in page
    refused = client.post("/confirm", data={**form, "prove": "send"})
    assert refused.status_code == 409 and "cannot send a code" in refused.text and phone.sent == []


def test_a_demonstration_asks_nobody_twice(demo: Installation, act_as: As, monkeypatch: pytest.MonkeyPatch) -> None:
    client, clock = act_as(LOTUS), time.time
    monkeypatch.setattr(time, "time", lambda: clock() + 3600)
    assert client.post("/developers", data={"name": "x"}).status_code == 200


def test_a_text_message_is_handed_to_the_configured_gateway_signed(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[httpx.Request] = []

    def post(url: str, *, content: bytes, headers: dict[str, str], timeout: float) -> httpx.Response:
        seen.append(httpx.Request("POST", url, content=content, headers=headers))
        return httpx.Response(202 if len(seen) == 1 else 500, request=seen[-1])

    monkeypatch.setattr(httpx, "post", post)
    settings = {"SCF_SMS_URL": "https://sms.example/send", "SCF_SMS_SECRET": SECRET}
    assert messenger.send(PHONE, "subject", "验证码 123456", {}) is False and seen == []
    assert messenger.send(PHONE, "subject", "验证码 123456", settings) is True
    Webhook(SECRET).verify(seen[0].content, dict(seen[0].headers))
    assert json.loads(seen[0].content) == {"to": PHONE, "text": "验证码 123456"}
    assert messenger.send(PHONE, "subject", "x", settings) is False
    assert messenger.send(PHONE, "subject", "x", {**settings, "SCF_SMS_SECRET": "no base64!"}) is False
