"""The JSON-RPC engine against a real node: same answers as the embedded engine, and bad nodes survived."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from tests.ledger.chains import KEYS, Tally
from tests.ledger.nodes import anvil, free_port

from scf.kernel.clock import VirtualClock
from scf.kernel.problems import Problem
from scf.ledger.artifacts import Artifact
from scf.ledger.embedded.engine import EmbeddedLedger
from scf.ledger.hashing import keccak
from scf.ledger.journal import MemoryJournal
from scf.ledger.open import open_ledger
from scf.ledger.protocol import NotAccepted, Reverted
from scf.ledger.relayer import Relayer
from scf.ledger.rpc.engine import RpcLedger
from scf.ledger.rpc.nodes import Nodes
from scf.ledger.rpc.transport import ProviderTransport, RpcError, TransportError
from scf.ledger.signing import address_of


@pytest.fixture(scope="module")
def node() -> Iterator[str]:
    with anvil() as (url, _):
        yield url


@pytest.fixture
def remote(node: str) -> Iterator[RpcLedger]:
    with RpcLedger([node], chain_id=20_260) as opened:
        yield opened


@pytest.fixture(scope="module")
def remote_tally(node: str, tally_artifact: Artifact) -> Iterator[Tally]:
    with RpcLedger([node]) as opened:
        yield Tally.deploy(opened, tally_artifact, KEYS[0])


def test_it_answers_like_the_embedded_engine(
    ledger: EmbeddedLedger, tally: Tally, remote_tally: Tally, clock: VirtualClock
):
    here, there = tally.send([1, 5000, 3]), remote_tally.send([1, 5000, 3])
    for mine, theirs in zip(here, there, strict=True):
        assert (mine.succeeded, mine.gas_used, mine.revert_data) == (
            theirs.succeeded,
            theirs.gas_used,
            theirs.revert_data,
        )
        assert [(log.topics, log.data) for log in mine.logs] == [(log.topics, log.data) for log in theirs.logs]
    assert tally.total == remote_tally.total
    other = remote_tally.ledger
    first = min(receipt.block_number for receipt in there)
    logs = list(other.logs(first, other.head().number, [remote_tally.handle.address]))
    assert [log.transaction_hash for log in logs] == [there[0].transaction_hash, there[2].transaction_hash]
    assert logs[0].timestamp == other.header(first).timestamp
    block = other.block(first)
    assert keccak(block.header.rlp) == block.header.hash
    proof = other.proof(remote_tally.handle.address, [1])
    assert proof.slots[0].value == remote_tally.total
    assert keccak(other.code(remote_tally.handle.address)) == proof.code_hash
    with pytest.raises(Reverted):
        other.call(remote_tally.handle.call("add", 5000, bytes(32)))
    assert other.receipt(there[0].transaction_hash) == there[0]
    assert other.receipt(bytes(32)) is None
    with pytest.raises(Problem, match="no block 999999"):
        other.header(999_999)


def test_the_same_transaction_again_is_a_success_and_a_stale_nonce_a_reason(remote_tally: Tally):
    raws = remote_tally.add([1])
    first = remote_tally.ledger.submit(raws)
    assert remote_tally.ledger.submit(raws) == first
    stale = remote_tally.raw("add", 9, bytes(32), nonce=0)
    with pytest.raises(NotAccepted) as caught:
        remote_tally.ledger.submit([stale, *remote_tally.add([2])])
    assert list(caught.value.reasons) == [keccak(stale)]
    assert len(caught.value.receipts) == 1


@pytest.mark.parametrize("resend_s", [2.0, 0.0])
def test_a_thousand_acts_of_two_relayers(node: str, remote_tally: Tally, resend_s: float):
    """Also when everything unmined is offered again at every look."""
    remote = RpcLedger([node], resend_s=resend_s)
    journal = MemoryJournal()
    before = remote_tally.total
    failures: list[BaseException] = []

    def work(key: bytes) -> None:
        try:
            relayer = Relayer(remote, key, journal)
            calls = [(f"{key.hex()}:{resend_s}:{n}", remote_tally.handle.call("add", 1, bytes(32))) for n in range(500)]
            assert all(receipt.succeeded for receipt in relayer.send(calls))
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(key,)) for key in KEYS[7:9]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert remote_tally.total == before + 1_000


def test_a_wrong_chain_and_a_missing_node_are_said_clearly(node: str):
    with pytest.raises(Problem) as caught:
        open_ledger(f"rpc:{node}", VirtualClock(0), chain_id=1)
    assert caught.value.code == "ledger_wrong_chain"
    with pytest.raises(Problem) as caught:
        RpcLedger([f"http://127.0.0.1:{free_port()}"], patience_s=0.3)
    assert caught.value.code == "ledger_unreachable"


def test_a_node_that_dies_is_followed_by_the_next_and_work_goes_on_after_a_restart(tally_artifact: Artifact):
    port = free_port()
    with anvil() as (first, process), RpcLedger([first, f"http://127.0.0.1:{port}"], patience_s=10) as ledger:
        tally = Tally.deploy(ledger, tally_artifact, KEYS[0])
        assert tally.total == 0
        process.kill()
        process.wait()
        with anvil(port=port, extra=["--timestamp", "1"]) as (_, _):
            # another chain with the same number: its genesis differs, so it must not be believed
            ledger._nodes._patience_s = 1.0
            with pytest.raises(Problem) as caught:
                ledger.head()
            assert caught.value.code == "ledger_unreachable"
            assert "another chain" in caught.value.sentence()


def test_a_node_that_is_silent_for_a_while_is_waited_for(tally_artifact: Artifact):
    """Silent after the transactions arrived: they are found once it speaks again."""
    with anvil(extra=["--no-mining"]) as (url, process), RpcLedger([url], patience_s=0.3, mining_s=60) as ledger:
        ledger.request("evm_setAutomine", True)
        tally = Tally.deploy(ledger, tally_artifact, KEYS[0])
        ledger.request("evm_setAutomine", False)
        transport: Any = ledger._nodes.nodes[0].transport
        transport._client.timeout = 0.5
        ask, heard = transport.ask, threading.Event()

        def asking(requests: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
            answers = ask(requests)
            if requests[0][0] == "eth_sendRawTransaction" and not heard.is_set():
                process.send_signal(signal.SIGSTOP)
                heard.set()
                threading.Timer(3.0, lambda: process.send_signal(signal.SIGCONT)).start()
            return answers

        transport.ask = asking
        assert tally.send([1, 2])[1].succeeded
        assert heard.is_set()
        assert tally.total == 3


class _Nonsense(BaseHTTPRequestHandler):
    """A node that answers, but not what was asked."""

    answers: Sequence[bytes] = ()
    count = 0

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        body = self.answers[type(self).count % len(self.answers)]
        type(self).count += 1
        self.send_response(200 if body else 502)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


def test_nonsense_is_passed_over(node: str):
    _Nonsense.answers = (b"<html>", b"", b"[]", b'{"jsonrpc":"2.0","id":7,"result":1}', b'[{"id":null,"error":{}}]')
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Nonsense)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        with RpcLedger([f"http://127.0.0.1:{server.server_port}", node]) as ledger:
            assert ledger.chain_id == 20_260
            assert ledger.head().number >= 0
            works = [entry["works"] for entry in ledger.status()]
            assert works == [False, True]
    finally:
        server.shutdown()
        server.server_close()


class _Scripted:
    """A transport that does as a test tells it."""

    def __init__(self, name: str, answer: Callable[[str], Any]) -> None:
        self.name = name
        self.answer = answer
        self.asked: list[str] = []

    def ask(self, requests: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
        self.asked += [method for method, _ in requests]
        return [self.answer(method) for method, _ in requests]

    def close(self) -> None:
        pass


def test_a_node_that_failed_is_left_alone_for_a_while():
    def fails(method: str) -> Any:
        raise TransportError("down")

    down, up = _Scripted("down", fails), _Scripted("up", lambda method: "0x1")
    nodes = Nodes([down, up], lambda transport: None)
    for _ in range(5):
        assert nodes.ask("eth_blockNumber") == "0x1"
    assert len(down.asked) == 1
    nodes._preferred = 0
    assert nodes.ask("eth_blockNumber") == "0x1"
    assert len(down.asked) == 1


def test_an_error_of_the_node_is_not_a_failure_of_the_node():
    node = _Scripted("node", lambda method: RpcError(3, "execution reverted", "0x1234"))
    nodes = Nodes([node], lambda transport: None)
    with pytest.raises(RpcError):
        nodes.ask("eth_call")
    assert nodes.status()[0]["works"]


def test_a_provider_of_web3_serves_as_node(tally_artifact: Artifact):
    provider = pytest.importorskip("web3.providers.eth_tester").EthereumTesterProvider()
    with RpcLedger([ProviderTransport(provider)]) as ledger:
        backend = provider.ethereum_tester.backend
        key = backend.account_keys[0].to_bytes()
        relayer = Relayer(ledger, key, MemoryJournal(), max_fee=10**10, gas_limit=3_000_000)
        receipt = relayer.deploy("deploy:tally", tally_artifact.bytecode)
        assert receipt.contract_address
        from scf.ledger.contracts import Handle

        handle = Handle(tally_artifact, receipt.contract_address)
        receipts = [relayer.send([(f"act:{n}", handle.call("add", n, bytes(32)))])[0] for n in (1, 2)]
        assert all(r.succeeded for r in receipts)
        assert handle.read(ledger, "total") == 3
        assert ledger.nonce(address_of(key)) == 3


def test_typed_requests_are_json(node: str):
    with RpcLedger([node]) as ledger:
        assert json.dumps(ledger.status())
