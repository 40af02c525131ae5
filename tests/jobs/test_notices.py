"""Notices: each with its proof, each told once, nothing sent outside unless a channel is configured."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from socketserver import StreamRequestHandler, ThreadingTCPServer
from threading import Thread

import pytest
from sqlalchemy import Engine
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from scf.desk.told import Told
from scf.jobs.models import Notice
from scf.jobs.notices import Notices, channels_from, message_id, proof_of
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


class Post(StreamRequestHandler):
    """The least of an SMTP server (RFC 5321): takes one message, or is not ready as often as the server says."""

    def handle(self) -> None:
        self.say("220 post.test ready")
        for raw in self.rfile:
            verb = raw.decode().split(" ", 1)[0].strip().upper()
            if verb == "DATA":
                self.say("354 go on")
                lines = list(iter(self.rfile.readline, b".\r\n"))
                self.server.letters.append(b"".join(lines))  # type: ignore[attr-defined]
                self.say("250 taken")
            elif verb == "QUIT":
                self.say("221 bye")
                return
            elif verb == "MAIL" and self.server.busy:  # type: ignore[attr-defined]
                self.server.busy -= 1  # type: ignore[attr-defined]
                self.say("451 try again later")
            else:
                self.say("250 ok")

    def say(self, line: str) -> None:
        self.wfile.write(line.encode() + b"\r\n")


def test_mail_goes_through_a_real_smtp_server_once_and_links_to_its_proof(engine: Engine) -> None:
    clock = VirtualClock(5)
    with ThreadingTCPServer(("127.0.0.1", 0), Post) as server:
        server.letters, server.busy = [], 1  # type: ignore[attr-defined]
        Thread(target=server.serve_forever, daemon=True).start()
        settings = {
            "SCF_SMTP": f"127.0.0.1:{server.server_address[1]}",
            "SCF_MAIL_FROM": "scf@post.test",
            "SCF_MAIL_TO": "0xA=workshop@post.test",
            "SCF_ORIGIN": "https://scf.test/",
        }
        notices = Notices(engine, clock, channels_from(settings, clock))
        with transaction(engine) as session:
            notices.tell(session, "due:1:7", "0xA", "reminder", WORDS, evidence_id="ab")
            notices.tell(session, "due:1:7b", "0xB", "reminder", WORDS, evidence_id="ab")  # nobody's mail is known
        assert server.letters == []  # type: ignore[attr-defined]
        notices.deliver()
        assert server.letters == [], "the server was not ready"  # type: ignore[attr-defined]
        for _ in range(4):
            clock.advance(seconds=5)
            notices.deliver()
        [raw] = server.letters  # type: ignore[attr-defined]
        server.shutdown()
    letter = message_from_bytes(raw, policy=default)
    assert (letter["From"], letter["To"]) == ("scf@post.test", "workshop@post.test")
    assert letter["Message-ID"] == f"<{message_id('due:1:7')}@post.test>"
    text = letter.get_content()
    assert "已付款。" in text and "Paid." in text and "https://scf.test/proof/evidence/ab" in text


def test_mail_is_written_in_the_language_its_reader_asked_for(monkeypatch: pytest.MonkeyPatch, engine: Engine) -> None:
    letters: list[EmailMessage] = []

    class Server:
        def __init__(self, host: str, port: int, timeout: int) -> None: ...
        def __enter__(self) -> Server:
            return self

        def __exit__(self, *_: object) -> None: ...
        def send_message(self, letter: EmailMessage) -> None:
            letters.append(letter)

    monkeypatch.setattr("smtplib.SMTP", Server)
    settings = {
        "SCF_SMTP": "post:25",
        "SCF_MAIL_FROM": "scf@post.test",
        "SCF_MAIL_TO": "0xA=a@post.test=en,0xB=b@post.test=zh-CN",
    }
    notices = Notices(engine, VirtualClock(5), channels_from(settings, VirtualClock(5)))
    with transaction(engine) as session:
        notices.tell(session, "a", "0xA", "paid", WORDS, evidence_id="ab")
        notices.tell(session, "b", "0xB", "paid", WORDS, evidence_id="ab")
    notices.deliver()
    said = {str(one["To"]): (str(one["Subject"]), one.get_content()) for one in letters}
    assert said["a@post.test"][0] == "Paid." and "已付款。" not in said["a@post.test"][1]
    assert said["b@post.test"][0] == "已付款。" and "Paid." not in said["b@post.test"][1]


def test_thousands_are_told_at_once_each_once_and_all_or_none(engine: Engine) -> None:
    channel = Outside()
    notices = Notices(engine, VirtualClock(5), [channel])
    heard: list[int] = []
    notices.listeners.append(lambda session, told: heard.append(len(told)))
    told = [Told(f"share:{n}", f"0x{n}", "share", WORDS, transaction_hash="0x12") for n in range(3_000)]
    with transaction(engine) as session:
        assert notices.tell_all(session, told[:1_200]) == 1_200
    with pytest.raises(Problem), transaction(engine) as session:  # killed in the middle: nothing of it is there
        assert notices.tell_all(session, told) == 1_800
        notices.tell_all(session, [Told("bare", "0xA", "share", WORDS)])
    with transaction(engine) as session:
        assert notices.count(session) == 1_200
        assert notices.tell_all(session, [*told, told[-1]]) == 1_800
        assert notices.tell_all(session, told) == 0
        assert notices.count(session) == 3_000
    assert heard == [1_200, 1_800, 1_800]
    notices.deliver()
    assert len(channel.sent) == len(set(channel.sent)) == 1_000, "as many as one round takes"


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
