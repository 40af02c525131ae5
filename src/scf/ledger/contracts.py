"""Handles of the deployed contracts, made from the artifacts' ABI; nothing else in the house knows a selector."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from scf.kernel.problems import MoneyMoved, Problem
from scf.kernel.sentences import catalogue, sentence, status
from scf.ledger.artifacts import Artifact, artifact, artifacts
from scf.ledger.protocol import Ledger, Reverted
from scf.ledger.signing import canonical, checksum
from scf.ledger.types import Call, Log

CONTRACTS = ("Members", "Receivables", "EntrustedAccounts", "EvidenceLog")
"""The contracts of one installation, in order of deployment."""

_ERROR_STRING = bytes.fromhex("08c379a0")
_PANIC = bytes.fromhex("4e487b71")


@dataclass(frozen=True, slots=True)
class Event:
    """A decoded log: arguments by name, addresses as checksummed text, bytes as bytes."""

    contract: str
    name: str
    args: dict[str, Any]
    block_number: int
    block_hash: bytes
    transaction_hash: bytes
    log_index: int
    timestamp: int


@dataclass(frozen=True, slots=True)
class ContractError:
    """A decoded revert. `name` is empty when the contract gave no reason that can be read."""

    name: str
    args: dict[str, Any]

    @property
    def code(self) -> str:
        """Code of the sentence that explains it: `ledger_` + the error's name in snake case."""
        return "ledger_" + re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", self.name).lower()


class RefusedByContract(Problem):
    """The contract refused: code `ledger_refused`, the sentence and status are those of the contract's own error.

    Facts: `error` (Solidity name), `reason` (code of its sentence), `contract`, `function` and the error's arguments.
    """

    def __init__(
        self, error: ContractError, *, contract: str = "", function: str = "", money_moved: MoneyMoved = "no"
    ) -> None:
        facts = {name: f"0x{value.hex()}" if isinstance(value, bytes) else value for name, value in error.args.items()}
        facts.update(error=error.name, reason=error.code, contract=contract, function=function)
        super().__init__("ledger_refused", money_moved=money_moved, **facts)
        self.contract_error = error

    def sentence(self, language: str = "en") -> str:
        """The sentence of the contract's own error, where there is one."""
        known = self.contract_error.code in catalogue()
        return sentence(self.contract_error.code if known else self.code, language, **self.facts)

    @property
    def status(self) -> int:
        """HTTP status of the contract's own error."""
        known = self.contract_error.code in catalogue()
        return status(self.contract_error.code if known else self.code)


class Handle:
    """One deployed contract."""

    def __init__(self, compiled: Artifact, address: str) -> None:
        self.name = compiled.name
        self.address = checksum(canonical(address))
        self.artifact = compiled
        self._functions = compiled.functions

    def call(self, function: str, *args: Any, **kwargs: Any) -> Call:
        """A call of `function`; structs are mappings by field name (or sequences), addresses text or 20 bytes.

        Raises Problem `ledger_bad_arguments`.
        """
        codec = self._functions.get(function)
        if codec is None:
            raise Problem("ledger_bad_arguments", function=f"{self.name}.{function}", expected="—", detail="")
        return Call(self.address, codec.encode(args, kwargs), self.name, codec.name)

    def read(self, ledger: Ledger, function: str, *args: Any, at: int | None = None, **kwargs: Any) -> Any:
        """Result of a view: one value, a named tuple of several, or None; `at` names a block.

        Raises `RefusedByContract` when it reverts and Problem `ledger_contracts_missing` when nobody answers.
        """
        call = self.call(function, *args, **kwargs)
        try:
            answer = ledger.call(call, at=at)
        except Reverted as error:
            raise RefusedByContract(decode_error(error.data), contract=self.name, function=function) from error
        codec = self._functions[function]
        if not answer and codec.outputs.names:
            raise Problem("ledger_contracts_missing", contract=self.name, address=self.address)
        return codec.result(answer)


class Contracts:
    """The contracts of one installation.

    Args:
        chain_id: EIP-155 chain id, part of every signature's domain.
        addresses: address by contract name (`Members`, `Receivables`, `EntrustedAccounts`, `EvidenceLog`).
    """

    def __init__(self, chain_id: int, addresses: Mapping[str, str]) -> None:
        self.chain_id = chain_id
        self._handles = {name: Handle(artifact(name), addresses[name]) for name in CONTRACTS}
        self._by_address = {handle.address: handle for handle in self._handles.values()}
        self.members = self._handles["Members"]
        self.receivables = self._handles["Receivables"]
        self.entrusted = self._handles["EntrustedAccounts"]
        self.evidence = self._handles["EvidenceLog"]

    @property
    def addresses(self) -> dict[str, str]:
        """Address by contract name, as the constructor takes them."""
        return {name: handle.address for name, handle in self._handles.items()}

    def handle(self, name: str) -> Handle:
        """Handle by contract name."""
        return self._handles[name]

    def decode(self, log: Log) -> Event | None:
        """The event of a log, or None when the log is not one of these contracts' events."""
        handle = self._by_address.get(log.address)
        codec = handle.artifact.events.get(log.topics[0]) if handle and log.topics else None
        if handle is None or codec is None:
            return None
        return Event(
            handle.name,
            codec.name,
            codec.decode(log.topics, log.data),
            log.block_number,
            log.block_hash,
            log.transaction_hash,
            log.log_index,
            log.timestamp,
        )

    def error(self, data: bytes) -> ContractError:
        """The custom error of revert data, of whatever contract of the house."""
        return decode_error(data)

    def check(self, ledger: Ledger) -> None:
        """Whether these very contracts are on the ledger: code present and of this version.

        Raises Problem `ledger_wrong_chain`, `ledger_contracts_missing` or `ledger_contracts_other_version`.
        """
        from scf.ledger.deploy import check_code  # late: deploy builds on the handles

        check_code(ledger, self)


def account_signed(ledger: Ledger, account: str, digest: bytes, signature: bytes) -> bool:
    """Whether a contract account says that `signature` over `digest` is its own (ERC-1271)."""
    asked = Handle(artifact("QuorumAccount"), account).call("isValidSignature", digest, signature)
    try:
        answer = ledger.call(asked)
    except Reverted:
        return False
    return answer[:4] == asked.data[:4]  # the standard's answer is the selector of its own question


def decode_error(data: bytes) -> ContractError:
    """Custom error, `Error(string)` or `Panic(uint256)` of revert data; unknown data gives an empty name."""
    selector = data[:4]
    if selector == _ERROR_STRING:
        size = int.from_bytes(data[36:68], "big")
        return ContractError("Error", {"message": data[68 : 68 + size].decode(errors="replace")})
    if selector == _PANIC:
        return ContractError("Panic", {"panic": int.from_bytes(data[4:36], "big")})
    for compiled in artifacts().values():
        codec = compiled.errors.get(selector)
        if codec is not None:
            return ContractError(codec.name, codec.decode(data[4:]))
    return ContractError("", {"data": "0x" + data.hex()} if data else {})


def all_errors() -> dict[str, ContractError]:
    """Every custom error of the compiled contracts by signature, its arguments without values."""
    return {
        codec.signature: ContractError(codec.name, dict.fromkeys(codec.names))
        for compiled in artifacts().values()
        for codec in compiled.errors.values()
    }
