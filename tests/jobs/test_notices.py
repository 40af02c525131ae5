"""Notices: each with its proof, each told once, nothing sent outside unless a channel is configured."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest
from sqlalchemy import Engine
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from scf.jobs.models import Notice
from scf.jobs.notices import Notices, channels_from, proof_of
from scf.kernel.clock import VirtualClock
from scf.kernel.problems import Problem
from scf.store.engine import open_engine
from scf.store.session import create_schema, transaction

SECRET = "whsec_" + base64.b64encode(b"shared by both sides, 32 bytes..").decode()
WORDS = {"en": "Paid.", "zh-CN": "已付款。"}


class Outside:
    """A channel that fails as often as it is told to."""

    name = "test"

    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        self.sent: list[str] = []

    def send(self, notice: Notice) -> None:
        if self.failures:
            self.failures -= 1
            raise OSError("unreachable")
        self.sent.append(notice.key)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    made = open_engine(f"sqlite:///{tmp_path / 'notices.db'}")
    create_schema(made)
    yield made
    made.dispose()


def test_a_notice_is_told_once_and_links_to_its_proof(engine: Engine) -> None:
    notices = Notices(engine, VirtualClock(5))
    with transaction(engine) as session:
        assert notices.tell(session, "k", "0xA", "paid", WORDS, transaction_hash="0x12")
        assert not notices.tell(session, "k", "0xA", "paid", WORDS, transaction_hash="0x12")
        (mine,) = notices.of(session, "0xA", unread=True)
        assert proof_of(mine) == "/proof/transaction/0x12"
        with pytest.raises(Problem):
            notices.read(session, "k", "0xB")  # somebody else's
        notices.read(session, "k", "0xA")
        assert not notices.of(session, "0xA", unread=True)
        with pytest.raises(Problem):
            notices.tell(session, "bare", "0xA", "paid", WORDS)


def test_nothing_leaves_unless_configured(engine: Engine) -> None:
    clock = VirtualClock(5)
    assert channels_from({}, clock) == []
    settings = {"SCF_WEBHOOK_URL": "http://hook", "SCF_WEBHOOK_SECRET": SECRET, "SCF_SMTP": "mail:25"}
    assert [one.name for one in channels_from(settings, clock)] == ["webhook"]
    assert SECRET not in repr(channels_from(settings, clock))
    with pytest.raises(Problem) as caught:
        channels_from({"SCF_WEBHOOK_URL": "http://hook"}, clock)
    assert caught.value.code == "webhook_secret_missing"
    notices = Notices(engine, clock)
    with transaction(engine) as session:
        notices.tell(session, "k", "0xA", "paid", WORDS, evidence_id="ab")
    assert notices.deliver() == 0


def test_a_channel_that_fails_is_tried_again_later_and_gets_each_notice_once(engine: Engine) -> None:
    outside, clock = Outside(failures=2), VirtualClock(5)
    notices = Notices(engine, clock, [outside])
    with transaction(engine) as session:
        notices.tell(session, "k", "0xA", "paid", WORDS, evidence_id="ab")
    assert [notices.deliver(), notices.deliver()] == [0, 0], "not at once"
    clock.advance(seconds=2)
    assert [notices.deliver(), notices.deliver()] == [0, 0], "the second time it waits longer"
    clock.advance(seconds=3)
    assert outside.failures == 0 and notices.deliver() == 0
    clock.advance(seconds=2)
    assert [notices.deliver(), notices.deliver()] == [1, 0]
    assert outside.sent == ["k"]


def test_a_webhook_is_signed_so_that_its_receiver_can_check_it(engine: Engine) -> None:
    got: list[tuple[dict[str, str], bytes]] = []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append((dict(self.headers), self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(500 if len(got) == 1 else 204)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    clock = VirtualClock(int(time.time()))
    with HTTPServer(("127.0.0.1", 0), Receiver) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        settings = {"SCF_WEBHOOK_URL": f"http://127.0.0.1:{server.server_port}/", "SCF_WEBHOOK_SECRET": SECRET}
        notices = Notices(engine, clock, channels_from(settings, clock))
        with transaction(engine) as session:
            notices.tell(session, "due:1:7", "0xA", "reminder", WORDS, evidence_id="ab")
        assert notices.deliver() == 0
        clock.advance(seconds=2)
        assert notices.deliver() == 1
        server.shutdown()
    (first, _), (headers, body) = got
    said = Webhook(SECRET).verify(body, headers)
    assert (said["key"], said["proof"]) == ("due:1:7", "/proof/evidence/ab")
    assert {name: headers[name] for name in headers if name.lower() == "webhook-id"} == {
        name: first[name] for name in first if name.lower() == "webhook-id"
    }, "a repeat carries the same id"
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(body.replace(b"due:1:7", b"due:1:8"), headers)
