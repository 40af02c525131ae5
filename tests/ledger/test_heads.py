"""News of blocks by subscription, nodes behind WebSockets, and nodes that stop following the chain."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest
from tests.ledger.chains import KEYS, Tally
from tests.ledger.nodes import anvil, free_port

from scf.kernel.clock import SystemClock
from scf.kernel.problems import Problem
from scf.ledger.artifacts import Artifact
from scf.ledger.open import open_ledger
from scf.ledger.rpc.engine import RpcLedger


@pytest.fixture
def url() -> Iterator[str]:
    with anvil() as (found, _):
        yield found


def _socket(url: str) -> str:
    return url.replace("http://", "ws://")


def _soon(happens: Callable[[], object], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not happens():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_node_behind_a_websocket_answers_like_one_behind_http(url: str, tally_artifact: Artifact):
    with open_ledger("rpc:" + _socket(url), SystemClock()) as there, RpcLedger([url]) as http:
        assert isinstance(there, RpcLedger)
        tally = Tally.deploy(there, tally_artifact, KEYS[0])
        assert all(receipt.succeeded for receipt in tally.send(list(range(250))))
        last = http.head().number
        assert there.head() == http.head()
        assert there.block(last) == http.block(last)
        assert list(there.logs(0, last)) == list(http.logs(0, last))


def test_who_waits_is_woken_by_the_block(url: str, tally_artifact: Artifact):
    """With a pause of half a minute between two looks, a receipt is there at once: the node told of the block."""
    with RpcLedger([_socket(url)], poll_s=30.0) as ledger:
        tally = Tally.deploy(ledger, tally_artifact, KEYS[0])
        _soon(lambda: ledger._heads.listening)
        ledger.request("evm_setAutomine", False)
        started = time.monotonic()
        assert tally.send([1])[0].succeeded
        assert time.monotonic() - started < 10


def test_the_subscription_and_the_connection_come_back_after_the_node_did(tally_artifact: Artifact):
    port = free_port()
    places = [f"ws://127.0.0.1:{port}"]
    with anvil(port=port, extra=["--timestamp", "1790000000"]) as (_, process):
        ledger = RpcLedger(places, poll_s=0.05, patience_s=10)
        assert Tally.deploy(ledger, tally_artifact, KEYS[0]).send([1])[0].succeeded
        _soon(lambda: ledger._heads.listening)
        process.kill()
        process.wait()
        _soon(lambda: not ledger._heads.listening)
        assert ledger.status()[0]["works"] is False
    with ledger, anvil(port=port, extra=["--timestamp", "1790000000"]):
        ledger._seen = -1  # this node has forgotten everything but its genesis
        assert Tally.deploy(ledger, tally_artifact, KEYS[1]).send([2])[0].succeeded
        _soon(lambda: ledger._heads.listening, 20)
        assert ledger.status()[0]["works"] is True


def test_a_websocket_nobody_answers_is_said(url: str):
    with pytest.raises(Problem) as caught:
        RpcLedger([f"ws://127.0.0.1:{free_port()}"], patience_s=0.3)
    assert caught.value.code == "ledger_unreachable"
    with RpcLedger([f"ws://127.0.0.1:{free_port()}", url]) as ledger:
        assert ledger.head().number == 0
        assert [entry["works"] for entry in ledger.status()] == [False, True]


def test_a_node_that_stopped_following_is_passed_over(tally_artifact: Artifact):
    """The preferred node takes transactions and never mines them; the other one does. Reads come from that one."""
    same = ["--timestamp", "1790000000"]
    with (
        anvil(extra=same) as (follows, _),
        anvil(extra=[*same, "--no-mining"]) as (stopped, _),
        RpcLedger([stopped, follows], resend_s=0.3, mining_s=20) as ledger,
    ):
        ledger._development = False  # do not ask it to mine
        tally = Tally.deploy(ledger, tally_artifact, KEYS[0])
        assert all(receipt.succeeded for receipt in tally.send([1, 2, 3]))
        ledger._nodes._preferred = 0
        assert tally.total == 6
        assert ledger.head().number > 0
        assert ledger.status()[0]["head"] == 0
