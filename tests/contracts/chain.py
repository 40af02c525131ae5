"""Two EVMs behind one small door: revm for volume, eth-tester (py-evm) for receipts as a node gives them."""

from __future__ import annotations

import ast
import contextlib
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Protocol

import eth_abi
from eth_hash.auto import keccak
from eth_utils import to_checksum_address

try:
    import pyrevm
except ImportError:  # no wheel for this Python: eth-tester does the same, slower
    pyrevm = None

ROOT = Path(__file__).resolve().parents[2]
ARTIFACTS = Path(os.environ.get("SCF_ARTIFACTS", ROOT / "src" / "scf" / "ledger" / "artifacts"))
START = 1_800_000_000  # a whole hour
FUNDER = "0x" + "f0" * 20


class Refused(Exception):
    """A contract's custom error: name and arguments."""

    def __init__(self, name: str, *args: Any) -> None:
        super().__init__(name, *args)
        self.name = name
        self.facts = args


@dataclass(frozen=True)
class Event:
    """A decoded log."""

    contract: str
    name: str
    args: dict[str, Any]


@dataclass(frozen=True)
class Outcome:
    """What a successful call gave back."""

    output: bytes
    logs: list[tuple[str, tuple[bytes, ...], bytes]]
    gas: int


class Reverted(Exception):
    def __init__(self, data: bytes) -> None:
        super().__init__(data.hex())
        self.data = data


class Chain(Protocol):
    chain_id: int
    now: int

    def deploy(self, code: bytes) -> str: ...
    def send(self, sender: str, to: str, data: bytes) -> Outcome: ...
    def view(self, sender: str, to: str, data: bytes) -> bytes: ...
    def warp(self, timestamp: int) -> None: ...
    def slot(self, address: str, index: int) -> int: ...
    def scratch(self) -> contextlib.AbstractContextManager[None]: ...


class Revm:
    """pyrevm: some 10,000 calls a second; gas is not a receipt's, because slots stay warm between calls."""

    chain_id = 1

    def __init__(self) -> None:
        self.evm = pyrevm.EVM(spec_id="SHANGHAI")
        self.evm.set_balance(FUNDER, 10**30)
        self.number = 1
        self.warp(START)

    def warp(self, timestamp: int) -> None:
        self.now = timestamp
        self.number += 1
        self.evm.set_block_env(pyrevm.BlockEnv(number=self.number, timestamp=timestamp))

    def deploy(self, code: bytes) -> str:
        return to_checksum_address(self.evm.deploy(FUNDER, code))

    def send(self, sender: str, to: str, data: bytes) -> Outcome:
        output = self._call(sender, to, data, False)
        result = self.evm.result
        logs = [(log.address, tuple(bytes.fromhex(t[2:]) for t in log.topics), log.data[1]) for log in result.logs]
        return Outcome(output, logs, result.gas_used)

    def view(self, sender: str, to: str, data: bytes) -> bytes:
        return self._call(sender, to, data, True)

    def _call(self, sender: str, to: str, data: bytes, is_static: bool) -> bytes:
        try:
            return bytes(self.evm.message_call(sender, to, data, gas=29_000_000, is_static=is_static))
        except RuntimeError as problem:
            found = re.search(r"output: 0x([0-9a-f]*)", str(problem))
            if found is None:
                raise
            raise Reverted(bytes.fromhex(found[1])) from None

    def slot(self, address: str, index: int) -> int:
        return int(self.evm.storage(address, index))

    @contextlib.contextmanager
    def scratch(self) -> Iterator[None]:
        """Whatever happens inside is undone."""
        before, number = self.evm.snapshot(), self.number
        now = self.now
        try:
            yield
        finally:
            self.evm.revert(before)
            self.number = number
            self.warp(now)


class Receipts:
    """eth-tester: real transactions, blocks and receipts."""

    def __init__(self) -> None:
        from eth_tester import EthereumTester, PyEVMBackend

        self.tester = EthereumTester(
            PyEVMBackend(
                genesis_parameters=PyEVMBackend.generate_genesis_params(
                    {"timestamp": START - 3600, "gas_limit": 60_000_000}
                )
            )
        )
        self.funder = self.tester.get_accounts()[0]
        self.chain_id = self.tester.backend.chain.chain_id if hasattr(self.tester.backend, "chain") else 131277322940537
        self.known: set[str] = {FUNDER}
        self.now = START
        self.warp(START)

    def adopt(self, key: bytes) -> None:
        """Let the holder of this private key send transactions itself."""
        from eth_keys import keys

        address = keys.PrivateKey(key).public_key.to_checksum_address()
        if address in self.known:
            return
        self.tester.add_account("0x" + key.hex())
        self.tester.send_transaction({"from": self.funder, "to": address, "value": 10**20, "gas": 21_000})
        self.known.add(address)

    def warp(self, timestamp: int) -> None:
        self.now = timestamp
        if self.tester.get_block_by_number("pending")["timestamp"] < timestamp:
            self.tester.time_travel(timestamp)

    def _transact(self, sender: str, to: str | None, data: bytes) -> dict[str, Any]:
        sender = sender if sender in self.known and sender != FUNDER else self.funder
        request = {"from": sender, "data": "0x" + data.hex(), "gas": 20_000_000}
        if to is not None:
            request["to"] = to
        return self.tester.get_transaction_receipt(self.tester.send_transaction(request))

    def deploy(self, code: bytes) -> str:
        return str(self._transact(self.funder, None, code)["contract_address"])

    def send(self, sender: str, to: str, data: bytes) -> Outcome:
        from eth_tester.exceptions import TransactionFailed

        sender = sender if sender in self.known and sender != FUNDER else self.funder
        try:
            output = self.tester.call({"from": sender, "to": to, "data": "0x" + data.hex(), "gas": 20_000_000})
        except TransactionFailed as problem:
            raise Reverted(_revert_data(problem)) from None
        receipt = self._transact(sender, to, data)
        assert receipt["status"] == 1
        logs = [
            (log["address"], tuple(bytes.fromhex(t[2:]) for t in log["topics"]), bytes.fromhex(log["data"][2:]))
            for log in receipt["logs"]
        ]
        return Outcome(bytes.fromhex(output[2:]), logs, receipt["gas_used"])

    def view(self, sender: str, to: str, data: bytes) -> bytes:
        from eth_tester.exceptions import TransactionFailed

        sender = sender if sender in self.known and sender != FUNDER else self.funder
        try:
            return bytes.fromhex(self.tester.call({"from": sender, "to": to, "data": "0x" + data.hex()})[2:])
        except TransactionFailed as problem:
            raise Reverted(_revert_data(problem)) from None

    def slot(self, address: str, index: int) -> int:
        return int(self.tester.get_storage_at(address, hex(index)), 16)

    @contextlib.contextmanager
    def scratch(self) -> Iterator[None]:
        before, now = self.tester.take_snapshot(), self.now
        try:
            yield
        finally:
            self.tester.revert_to_snapshot(before)
            self.now = now


def _revert_data(problem: Exception) -> bytes:
    for value in (*problem.args, getattr(problem, "data", None)):
        if isinstance(value, bytes):
            return value
        if isinstance(value, str) and re.fullmatch(r"0x[0-9a-f]*", value):
            return bytes.fromhex(value[2:])
        if isinstance(value, str) and value.startswith(("b'", 'b"')):  # eth-tester says the bytes as Python writes them
            return bytes(ast.literal_eval(value))
    return b""


def new_chain() -> Chain:
    """The fast one where there is one."""
    return Receipts() if pyrevm is None else Revm()


def canonical(item: dict[str, Any]) -> str:
    """The ABI type of a parameter, tuples spelt out."""
    kind = str(item["type"])
    if kind.startswith("tuple"):
        return "(" + ",".join(canonical(c) for c in item["components"]) + ")" + kind[5:]
    return kind


@dataclass(frozen=True)
class Function:
    """One function of an ABI."""

    name: str
    selector: bytes
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    mutability: str
    item: dict[str, Any]


@cache
def artifact(contract: str) -> dict[str, Any]:
    """A compiled contract as committed."""
    return dict(json.loads((ARTIFACTS / f"{contract}.json").read_text()))


def abi_of(contract: str) -> list[dict[str, Any]]:
    return list(artifact(contract)["abi"])


@cache
def functions_of(contract: str) -> dict[str, Function]:
    found = {}
    for item in abi_of(contract):
        if item["type"] == "function":
            inputs = tuple(canonical(i) for i in item["inputs"])
            selector = keccak(f"{item['name']}({','.join(inputs)})".encode())[:4]
            outputs = tuple(canonical(o) for o in item["outputs"])
            found[item["name"]] = Function(item["name"], selector, inputs, outputs, item["stateMutability"], item)
    return found


@cache
def errors() -> dict[bytes, tuple[str, tuple[str, ...]]]:
    found = {
        keccak(b"Panic(uint256)")[:4]: ("Panic", ("uint256",)),
        keccak(b"Error(string)")[:4]: ("Error", ("string",)),
    }
    for contract in ("Members", "Receivables", "EntrustedAccounts", "EvidenceLog", "QuorumAccount"):
        for item in abi_of(contract):
            if item["type"] == "error":
                kinds = tuple(canonical(i) for i in item["inputs"])
                found[keccak(f"{item['name']}({','.join(kinds)})".encode())[:4]] = (item["name"], kinds)
    return found


def refusal(data: bytes) -> Refused:
    """The error in revert data."""
    if data[:4] not in errors():
        return Refused("Empty" if not data else "Unknown", data)
    name, kinds = errors()[data[:4]]
    return Refused(name, *eth_abi.decode(kinds, data[4:]))


@cache
def _events() -> dict[bytes, tuple[str, str, list[dict[str, Any]]]]:
    found = {}
    for contract in ("Members", "Receivables", "EntrustedAccounts", "EvidenceLog"):
        for item in abi_of(contract):
            if item["type"] == "event":
                kinds = ",".join(canonical(i) for i in item["inputs"])
                found[keccak(f"{item['name']}({kinds})".encode())] = (contract, item["name"], item["inputs"])
    return found


def decode_log(topics: tuple[bytes, ...], data: bytes) -> Event:
    """One log by its event's definition."""
    contract, name, inputs = _events()[topics[0]]
    indexed = [i for i in inputs if i["indexed"]]
    plain = [i for i in inputs if not i["indexed"]]
    values = dict(zip((i["name"] for i in plain), eth_abi.decode([canonical(i) for i in plain], data), strict=True))
    for item, topic in zip(indexed, topics[1:], strict=True):
        values[item["name"]] = eth_abi.decode([item["type"]], topic)[0]
    return Event(contract, name, {i["name"]: values[i["name"]] for i in inputs})
