"""Notices: each with its proof, each told once, nothing sent outside unless a channel is configured."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from scf.jobs.models import Notice
from scf.jobs.notices import Notices, channels_from, proof_of
from scf.kernel.clock import VirtualClock
from scf.kernel.problems import Problem
from scf.store.engine import open_engine
from scf.store.session import create_schema, transaction

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
    assert channels_from({}) == []
    assert [one.name for one in channels_from({"SCF_WEBHOOK_URL": "http://hook", "SCF_SMTP": "mail:25"})] == ["webhook"]
    notices = Notices(engine, VirtualClock(5))
    with transaction(engine) as session:
        notices.tell(session, "k", "0xA", "paid", WORDS, evidence_id="ab")
    assert notices.deliver() == 0


def test_a_channel_that_fails_is_tried_again_and_gets_each_notice_once(engine: Engine) -> None:
    outside = Outside(failures=2)
    notices = Notices(engine, VirtualClock(5), [outside])
    with transaction(engine) as session:
        notices.tell(session, "k", "0xA", "paid", WORDS, evidence_id="ab")
    assert [notices.deliver() for _ in range(5)] == [0, 0, 1, 0, 0]
    assert outside.sent == ["k"]
