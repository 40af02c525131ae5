"""Developers: keys shown once, the last calls without secrets, webhooks signed, failing and delivered again."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from standardwebhooks.webhooks import Webhook as Verifier
from tests.api.conftest import As
from tests.api.installation import LOTUS, PINE, Installation
from tests.web.test_notices import tell

from scf.api.calls import KEPT
from scf.jobs.webhooks import hosts_from

URL = "http://127.0.0.1:9/hook"


class System:
    """A firm's own system: keeps what it was sent and answers as told."""

    def __init__(self) -> None:
        self.answers = 204
        self.got: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.got.append(request)
        return httpx.Response(self.answers, headers={"Location": "http://127.0.0.1:9/elsewhere"})


@pytest.fixture
def system(demo: Installation, monkeypatch: pytest.MonkeyPatch) -> System:
    made = System()
    monkeypatch.setattr(demo.app.webhooks, "_client", httpx.Client(transport=httpx.MockTransport(made)))
    return made


def add(client: Any, url: str = URL) -> tuple[str, str]:
    """Add a webhook; returns its id and its secret."""
    page = client.post("/developers/webhooks", data={"url": url}).text
    number, secret = re.search(r"/developers/webhooks/(W\w+)/end", page), re.search(r"whsec_[\w+/=]+", page)
    assert number and secret, page
    return number.group(1), secret.group(0)


def test_a_key_is_shown_once_and_its_calls_appear_without_secrets(demo: Installation, act_as: As) -> None:
    owner, program = act_as(PINE), act_as()
    page = owner.post("/developers", data={"name": "our ledger"}).text
    secret = re.search(r"scf_[\w-]{30,}", page)
    assert secret and secret.group(0) not in owner.get("/developers").text
    bearer = {"Authorization": f"Bearer {secret.group(0)}"}
    for _ in range(KEPT + 5):
        assert program.get("/api/v1/me?probe=zebra", headers=bearer).status_code == 200
    assert program.get("/api/v1/receivables/987654", headers=bearer).status_code == 404
    shown = owner.get("/developers").text
    assert shown.count("GET /api/v1/me") == KEPT - 1 and "GET /api/v1/receivables/987654" in shown
    assert "our ledger" in shown and "zebra" not in shown and secret.group(0) not in shown
    assert "/api/v1/me" not in act_as(LOTUS).get("/developers").text
    digest = re.search(r'name="digest" value="([0-9a-f]{64})"', shown)
    assert digest
    owner.post("/developers/revoke", data={"digest": digest.group(1)})
    assert program.get("/api/v1/me", headers=bearer).status_code == 401
    assert ">401<" in owner.get("/developers").text


def test_a_notice_goes_to_the_firms_own_system_signed(demo: Installation, act_as: As, system: System) -> None:
    pine = act_as(PINE)
    number, secret = add(pine)
    assert secret not in pine.get("/developers").text
    assert secret.removeprefix("whsec_").encode() not in (demo.app.settings.data / "scf.db").read_bytes()
    tell(demo, "hook-1", PINE, "Something for your own system.")
    tell(demo, "hook-2", LOTUS, "Nothing of yours.")
    assert demo.app.webhooks.deliver() == 1 and demo.app.webhooks.deliver() == 0
    (sent,) = system.got
    assert json.loads(sent.content)["data"]["en"] == "Something for your own system."
    headers = {**dict(sent.headers)}
    said = Verifier(secret).sign(headers["webhook-id"], _at(headers), sent.content.decode())
    assert said == headers["webhook-signature"]
    assert Verifier("whsec_" + "AAAA" * 8).sign(headers["webhook-id"], _at(headers), sent.content.decode()) != said
    pine.post(f"/developers/webhooks/{number}/end")
    tell(demo, "hook-3", PINE, "After the end.")
    assert demo.app.webhooks.deliver() == 0 and len(system.got) == 1


@pytest.mark.parametrize("answer", [500, 302])
def test_a_failing_webhook_is_seen_and_delivered_again_by_one_press(
    answer: int, demo: Installation, act_as: As, system: System
) -> None:
    pine = act_as(PINE)
    number, _ = add(pine)
    system.answers = answer
    pine.post(f"/developers/webhooks/{number}/test")
    page = pine.get("/developers").text
    assert "failing" in page and f"webhook_answer_{answer}" in page
    assert demo.app.webhooks.deliver() == 0 and len(system.got) == 1  # it waits; a redirect is not followed
    message = re.search(r'name="message" value="(\d+)"', page)
    assert message
    refused = act_as(LOTUS).post(f"/developers/webhooks/{number}/redeliver", data={"message": message.group(1)})
    assert refused.status_code == 404
    system.answers = 200
    pine.post(f"/developers/webhooks/{number}/redeliver", data={"message": message.group(1)})
    assert "failing" not in pine.get("/developers").text and len(system.got) == 2
    assert system.got[0].headers["webhook-id"] == system.got[1].headers["webhook-id"]
    pine.post(f"/developers/webhooks/{number}/end")


def test_everything_that_failed_goes_again_by_one_press(demo: Installation, act_as: As, system: System) -> None:
    pine = act_as(PINE)
    numbers = [add(pine, url)[0] for url in (URL, URL + "2")]
    system.answers = 500
    for number in numbers:
        pine.post(f"/developers/webhooks/{number}/test")
    page = pine.get("/developers").text
    assert "Redeliver all 2" in page and "did not take these messages" in page
    act_as(LOTUS).post("/developers/redeliver")
    assert len(system.got) == 2, "another firm's press sends nothing of ours"
    system.answers = 200
    assert "Redeliver all" not in pine.post("/developers/redeliver").text and len(system.got) == 4
    for number in numbers:
        pine.post(f"/developers/webhooks/{number}/end")


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("https://evil.example/x", 403),
        ("http://169.254.169.254/latest", 403),
        ("ftp://127.0.0.1/x", 422),
        ("http://user:pass@127.0.0.1/x", 422),
        ("nonsense", 422),
    ],
)
def test_only_named_hosts_are_called(url: str, code: int, act_as: As) -> None:
    page = act_as(PINE).post("/developers/webhooks", data={"url": url})
    assert page.status_code == code and "No money moved" in page.text


def test_a_real_installation_calls_nobody_until_hosts_are_named() -> None:
    assert hosts_from({}, demo=False) == []
    assert hosts_from({"SCF_WEBHOOK_HOSTS": "erp.example,10.0.0.7:8443"}, demo=True) == ["erp.example", "10.0.0.7:8443"]


def test_the_api_is_described_on_our_own_pages(act_as: As) -> None:
    page = act_as().get("/api/v1/docs")
    assert page.status_code == 200 and page.url.path == "/developers/api"
    assert "/acts/accept/prepare" in page.text and "Idempotency-Key" in page.text
    assert not re.search(r'(src|href)="https?://', page.text)


def _at(headers: dict[str, str]) -> Any:

    return datetime.fromtimestamp(int(headers["webhook-timestamp"]), UTC)
