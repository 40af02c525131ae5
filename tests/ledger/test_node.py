"""The embedded ledger as a node: ordinary tools read it, our own JSON-RPC engine works on it, anvil agrees with it."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import rlp
from tests.ledger.chains import KEYS
from tests.ledger.conftest import START
from tests.ledger.nodes import anvil
from tests.ledger.programme import Programme
from trie import HexaryTrie
from web3 import HTTPProvider, Web3
from web3.exceptions import ContractCustomError, Web3RPCError

from scf.kernel.clock import VirtualClock
from scf.ledger.artifacts import artifact
from scf.ledger.embedded.engine import EmbeddedLedger
from scf.ledger.hashing import keccak
from scf.ledger.journal import MemoryJournal
from scf.ledger.node import LedgerNode
from scf.ledger.provider import LedgerProvider
from scf.ledger.relayer import Relayer
from scf.ledger.replay import DevelopmentNodeTarget, export_chain, import_chain
from scf.ledger.rpc.engine import RpcLedger


@pytest.fixture(scope="module")
def programme() -> Programme:
    ledger = EmbeddedLedger(":memory:", VirtualClock(START), chain_id=20_260)
    programme = Programme.start(Relayer(ledger, KEYS[9], MemoryJournal()))
    note = programme.issue(100_000, "INV-1")
    programme.relayer.send([*programme.pass_calls(note, 5), ("fails", programme.pass_call(note, 99, "s1", 1))])
    return programme


@pytest.fixture(scope="module")
def url(programme: Programme) -> Iterator[str]:
    ledger: Any = programme.relayer.ledger
    with LedgerNode(ledger) as node:
        yield node.url


def test_web3_reads_it(programme: Programme, url: str):
    web3, contracts = Web3(HTTPProvider(url)), programme.contracts
    assert web3.is_connected()
    assert web3.eth.chain_id == 20_260
    head = web3.eth.get_block("latest", full_transactions=True)
    assert head["hash"] == programme.relayer.ledger.head().hash
    assert web3.eth.get_block(0)["number"] == 0
    receivables = web3.eth.contract(address=contracts.receivables.address, abi=list(artifact("Receivables").abi))
    assert receivables.functions.receivableCount().call() == 1
    passed = receivables.events.Passed().get_logs(from_block=0)
    assert len(passed) == 5
    assert len(
        receivables.events.Passed().get_logs(from_block=0, argument_filters={"to": programme.address("s1")})
    ) in (2, 3)
    transaction = web3.eth.get_transaction(passed[0]["transactionHash"])
    receipt = web3.eth.get_transaction_receipt(passed[0]["transactionHash"])
    assert receipt["logs"][0]["logIndex"] == passed[0]["logIndex"]
    assert transaction["from"] == programme.relayer.address
    proof = web3.eth.get_proof(contracts.receivables.address, [1])
    assert proof["storageHash"] == programme.relayer.ledger.proof(contracts.receivables.address).storage_root
    assert web3.eth.get_code(contracts.receivables.address) == programme.relayer.ledger.code(
        contracts.receivables.address
    )
    with pytest.raises(ContractCustomError):
        receivables.functions.settleMany(99, 7, [1]).call()
    assert (
        web3.eth.estimate_gas({"to": contracts.receivables.address, "data": receivables.encode_abi("receivableCount")})
        > 21_000
    )


def test_a_wallet_library_sends_through_it(programme: Programme, url: str):
    web3 = Web3(HTTPProvider(url))
    account = web3.eth.account.from_key(KEYS[4])
    call = programme.contracts.members.call("haltOverdue", 1)
    fields: Any = {
        "to": call.to,
        "data": call.data,
        "value": 0,
        "nonce": web3.eth.get_transaction_count(account.address),
    }
    fields.update(gas=500_000, maxFeePerGas=0, maxPriorityFeePerGas=0, chainId=20_260, type=2)
    sent = web3.eth.send_raw_transaction(account.sign_transaction(fields).raw_transaction)
    assert web3.eth.wait_for_transaction_receipt(sent)["status"] == 0  # not overdue: mined, refused by the contract
    with pytest.raises(Exception, match="nonce 0 where 1 is next"):
        web3.eth.send_raw_transaction(account.sign_transaction({**fields, "gas": 400_000}).raw_transaction)


def test_filters_tell_what_is_new(programme: Programme, url: str):
    web3 = Web3(HTTPProvider(url))
    where: Any = programme.contracts.receivables.address
    head = web3.eth.block_number
    blocks, logs = web3.eth.filter("latest"), web3.eth.filter({"address": where})
    past = web3.eth.filter({"address": where, "fromBlock": 0, "toBlock": head})
    assert (blocks.get_new_entries(), logs.get_new_entries()) == ([], [])
    assert past.get_new_entries() == past.get_all_entries() == web3.eth.get_logs({"address": where, "fromBlock": 0})
    programme.issue(70, "INV-FILTER")
    fresh = web3.eth.get_logs({"address": where, "fromBlock": head + 1})
    assert blocks.get_new_entries() == [web3.eth.get_block(at)["hash"] for at in (head + 1, head + 2)]
    assert logs.get_new_entries() == fresh
    assert (logs.get_new_entries(), blocks.get_new_entries(), past.get_new_entries()) == ([], [], [])
    assert web3.eth.uninstall_filter(logs.filter_id)
    assert not web3.eth.uninstall_filter(logs.filter_id)
    with pytest.raises(Web3RPCError, match="filter not found"):
        logs.get_new_entries()


def test_our_own_engine_works_on_it(programme: Programme, url: str):
    with RpcLedger([url], chain_id=20_260) as remote:
        here = programme.relayer.ledger
        assert remote.head() == here.head()
        for at in range(here.head().number + 1):
            assert remote.block(at) == here.block(at)
        last = here.head().number
        assert list(remote.logs(0, last)) == list(here.logs(0, last))
        assert remote.proof(programme.contracts.members.address, [1, 2]) == here.proof(
            programme.contracts.members.address, [1, 2]
        )
        relayer = Relayer(remote, KEYS[3], MemoryJournal())
        note = programme.issue(50, "INV-2", accept=False)
        assert relayer.send([("accept", programme.accept_call(note, "s0"))])[0].succeeded


def test_anvil_gives_the_same_answers_on_the_same_chain(url: str):
    out = io.StringIO()
    with RpcLedger([url]) as here:
        export_chain(here, out)
        genesis = here.header(0).timestamp
        with anvil(extra=["--timestamp", str(genesis)]) as (other, _), RpcLedger([other]) as there:
            import_chain(out.getvalue().splitlines(), DevelopmentNodeTarget(there))
            own_world = {"hash", "parentHash", "stateRoot", "mixHash", "size", "blockHash", "gasPrice", "miner"}
            for at in range(1, here.head().number + 1):
                mine = here.request("eth_getBlockByNumber", hex(at), True)
                theirs = there.request("eth_getBlockByNumber", hex(at), True)
                for name in set(mine) & set(theirs) - own_world - {"transactions", "extraData"}:
                    assert mine[name] == theirs[name], (at, name)
                for ours, item in zip(mine["transactions"], theirs["transactions"], strict=True):
                    for name in set(ours) & set(item) - own_world:
                        assert str(ours[name]).lower() == str(item[name]).lower(), (at, name)
                    a = here.request("eth_getTransactionReceipt", ours["hash"])
                    b = there.request("eth_getTransactionReceipt", ours["hash"])
                    for name in set(a) & set(b) - own_world - {"logs"}:
                        assert str(a[name]).lower() == str(b[name]).lower(), (at, name)
                    for log, same in zip(a["logs"], b["logs"], strict=True):
                        for name in set(log) & set(same) - own_world:
                            assert str(log[name]).lower() == str(same[name]).lower(), (at, name)


def test_anvil_answers_the_same_questions_alike(programme: Programme, url: str):
    """Calls, proofs, logs by topic and range, history and refusals, on the same chain; alone and as one batch."""
    out, receivables = io.StringIO(), programme.contracts.receivables
    where, members = receivables.address, programme.contracts.members.address
    ledger = programme.relayer.ledger
    head = ledger.head().number
    logs = list(ledger.logs(0, head, [where]))
    topics = ["0x" + topic.hex() for topic in logs[-1].topics]
    first = "0x" + logs[0].topics[0].hex()
    note = int(topics[1], 16)
    call = {"to": where, "data": "0x" + receivables.call("noteOf", note).data.hex()}
    refused = {"to": where, "data": "0x" + programme.pass_call(note, 99, "s1", 1).data.hex()}
    every: dict[str, Any] = {"fromBlock": "0x0", "toBlock": "latest"}
    slots = ["0x" + bytes(31).hex() + f"{slot:02x}" for slot in range(3)]
    questions: list[tuple[str, list[Any]]] = [
        ("eth_getLogs", [{**every, "address": where}]),
        ("eth_getLogs", [{**every, "address": [where, members]}]),
        ("eth_getLogs", [{**every, "topics": [topics[0]]}]),
        ("eth_getLogs", [{**every, "topics": [[topics[0], first]]}]),
        ("eth_getLogs", [{**every, "topics": [None, topics[1]]}]),
        ("eth_getLogs", [{"fromBlock": hex(head - 2), "toBlock": hex(head - 1)}]),
        ("eth_getLogs", [{}]),
        ("eth_getProof", [where, slots, "latest"]),
        ("eth_getStorageAt", [where, slots[0], "latest"]),
        ("eth_getCode", [where, "latest"]),
        ("eth_getTransactionCount", [programme.relayer.address, hex(3)]),
        ("eth_call", [call, "latest"]),
        ("eth_call", [call, hex(head - 1)]),
        ("eth_call", [call, {"blockNumber": hex(head)}]),
        ("eth_call", [refused, "latest"]),
        ("eth_feeHistory", ["0x3", "latest", [10, 50]]),
        ("eth_getBlockByNumber", [hex(head + 9), False]),
        ("eth_getTransactionReceipt", ["0x" + "11" * 32]),
        ("eth_getTransactionByBlockNumberAndIndex", [hex(head), "0x0"]),
        ("eth_getBlockTransactionCountByNumber", [hex(head)]),
        ("eth_getUncleCountByBlockNumber", [hex(head)]),
        ("web3_sha3", ["0x68656c6c6f"]),
        ("eth_mystery", []),
        ("eth_getBalance", []),
    ]
    own = (
        "blockHash",
        "stateRoot",
        "accountProof",
        "blockTimestamp",
        "baseFeePerBlobGas",
        "blobGasUsedRatio",
        "message",
    )

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: plain(item) for key, item in value.items() if key not in own}
        if isinstance(value, list):
            return [plain(item) for item in value]
        return value.lower() if isinstance(value, str) else value

    def ask(at: str) -> list[Any]:
        body = [{"jsonrpc": "2.0", "id": n, "method": m, "params": p} for n, (m, p) in enumerate(questions)]
        batch = httpx.post(at, json=body, trust_env=False).json()
        alone = [httpx.post(at, json=one, trust_env=False).json() for one in body]
        assert sorted(batch, key=lambda answer: answer["id"]) == alone
        return [plain(answer.get("result", answer.get("error"))) for answer in alone]

    export_chain(ledger, out)
    extra = ["--timestamp", str(ledger.header(0).timestamp)]
    with anvil(extra=extra) as (other, _), RpcLedger([other]) as there:
        import_chain(out.getvalue().splitlines(), DevelopmentNodeTarget(there))
        for question, ours, theirs in zip(questions, ask(url), ask(other), strict=True):
            if question[0] == "eth_getTransactionByBlockNumberAndIndex":
                ours, theirs = ({key: one[key] for key in ("hash", "nonce", "input", "to")} for one in (ours, theirs))
            if question[0] == "eth_getProof":  # the proofs themselves are held against the state root elsewhere
                for one in (ours, theirs):
                    del one["storageHash"]
                    one["storageProof"] = [(int(e["key"], 16), int(e["value"], 16)) for e in one["storageProof"]]
            assert ours == theirs, question


def test_anvil_holds_the_same_storage_and_adds_empty_slots(programme: Programme):
    """anvil's `storageHash` and state root count slots that hold zero, which Ethereum takes out of the trie.

    So its own dump gives our storage root without them and its own `storageHash` with them, for every contract.
    """
    out, ledger = io.StringIO(), programme.relayer.ledger
    export_chain(ledger, out)
    with (
        anvil(extra=["--timestamp", str(ledger.header(0).timestamp)]) as (other, _),
        RpcLedger([other]) as there,
    ):
        import_chain(out.getvalue().splitlines(), DevelopmentNodeTarget(there))
        dump = json.loads(gzip.decompress(bytes.fromhex(there.request("anvil_dumpState")[2:])))
        empty = 0
        for address in programme.contracts.addresses.values():
            account = dump["accounts"][address.lower()]
            slots = {int(slot, 16): int(value, 16) for slot, value in account["storage"].items()}
            held = {slot: value for slot, value in slots.items() if value}
            ours, theirs = ledger.proof(address, tuple(held)), there.request("eth_getProof", address, [], "latest")
            assert {slot.slot: slot.value for slot in ours.slots} == held
            assert ours.storage_root == _root_of(held)
            assert theirs["storageHash"] == "0x" + _root_of(slots).hex()
            assert (hex(ours.nonce), "0x" + ours.code_hash.hex()) == (theirs["nonce"], theirs["codeHash"])
            empty += len(slots) - len(held)
        assert empty  # otherwise the roots would be equal, and the comparison above could be made simpler


def _root_of(slots: dict[int, int]) -> bytes:
    trie = HexaryTrie({})
    for slot, value in slots.items():
        trie.set(keccak(slot.to_bytes(32, "big")), rlp.encode(value))
    return trie.root_hash


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", -32700),
        (b"[]", -32600),
        (b"{}", -32600),
        (b'{"id":1,"method":"eth_mystery","params":[]}', -32601),
        (b'{"id":1,"method":"eth_getBalance","params":["nobody"]}', -32000),
        (b'{"id":1,"method":"eth_getBalance","params":[]}', -32602),
        (b'{"id":1,"method":"eth_getBalance","params":{"a":1}}', -32602),
        (b'{"id":1,"method":"eth_call","params":[{"to":"0x00"},"latest"]}', -32000),
        (
            b'{"id":1,"method":"eth_getTransactionCount","params":["0x0000000000000000000000000000000000000001","0xffffff"]}',
            -32000,
        ),
        (b'{"id":1,"method":"eth_sendRawTransaction","params":["0x02"]}', -32000),
    ],
)
def test_bad_requests_get_an_error_and_nothing_else(url: str, body: bytes, code: int):
    answer = httpx.post(url, content=body, headers={"content-type": "application/json"}, trust_env=False).json()
    assert answer["error"]["code"] == code


def test_other_hosts_and_huge_bodies_are_refused(url: str):
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "eth_chainId", "params": []})
    with httpx.Client(trust_env=False) as client:
        assert client.post(url, content=body, headers={"host": "evil.example"}).status_code == 403
        assert client.post(url, content=body).status_code == 200
        assert client.post(url, content=b" " * 5_000_001).status_code == 413


def test_history_is_read_at_its_block(programme: Programme, url: str):
    with RpcLedger([url]) as remote:
        assert remote.header(3).hash == programme.relayer.ledger.header(3).hash
        assert keccak(remote.header(3).rlp) == remote.header(3).hash
        assert remote.request("eth_getBlockByNumber", "0xffffff", False) is None


def test_web3_works_in_the_same_process(programme: Programme):
    ledger: Any = programme.relayer.ledger
    web3 = Web3(LedgerProvider(ledger))
    assert web3.is_connected()
    assert web3.eth.get_block("latest")["hash"] == ledger.head().hash
    receivables = web3.eth.contract(
        address=programme.contracts.receivables.address, abi=list(artifact("Receivables").abi)
    )
    assert receivables.functions.valueDecimals().call() == programme.contracts.receivables.read(ledger, "valueDecimals")
