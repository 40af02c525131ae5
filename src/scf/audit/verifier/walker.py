"""Walks the chain transaction by transaction and lets the register grow from the events alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from . import entrusted_acts, entrusted_book, evidence_book, members_book, note_acts, note_book
from .abi_codec import Undecodable
from .acts import Act, Context, Steps, follow
from .authority import Authority
from .chain import Block, Receipt
from .interface import ACTS, EVENTS, decode_act, decode_event
from .register import Event, Register
from .transactions import Transaction, read_transaction

_APPLY: Mapping[str, Callable[[Register, Event], None]] = {
    "Members": members_book.apply,
    "Receivables": note_book.apply,
    "EntrustedAccounts": entrusted_book.apply,
    "EvidenceLog": evidence_book.apply,
}
_ACTS: Mapping[str, Mapping[str, Act]] = {
    "Members": members_book.ACTS,
    "Receivables": note_acts.ACTS,
    "EntrustedAccounts": entrusted_acts.ACTS,
    "EvidenceLog": evidence_book.ACTS,
}


class Walker:
    """Feeds blocks to the register."""

    def __init__(self, register: Register) -> None:
        self.register = register
        self.authority = Authority(register)
        self._names = {address: name for name, address in register.contracts.items()}
        self._created: set[str] = set()
        self.transactions = 0

    def walk(self, block: Block) -> None:
        """Take in one block. Raises Malformed for a transaction that cannot be read."""
        for position, raw in enumerate(block.transactions):
            record = f"block {block.header.number} tx {position}"
            transaction = read_transaction(raw)
            self.transactions += 1
            receipt = block.receipts[position] if position < len(block.receipts) else None
            self._envelope(transaction, receipt, record)
            if receipt is not None and receipt.succeeded:
                events = self._events(block, position, receipt)
                self._act(transaction, events, block.header.timestamp, record)

    def finish(self) -> None:
        """Every contract of the scope came to be on this chain."""
        check = self.register.report.check("contracts")
        for name in self.register.contracts:
            check.count()
            if name not in self._created:
                check.unprovable("not_created", name, "a creation on this chain", "none")

    def _envelope(self, transaction: Transaction, receipt: Receipt | None, record: str) -> None:
        check = self.register.report.check("transactions")
        check.count()
        if transaction.sender is None:
            check.fail("sender", record, "a valid signature", transaction.hash)
            return
        if transaction.chain_id != self.register.chain_id:
            check.fail("chain_id", record, self.register.chain_id, transaction.chain_id)
        nonce = self.register.nonces.get(transaction.sender, 0)
        if transaction.nonce != nonce:
            check.fail("nonce_gap", f"{record} sender 0x{transaction.sender.hex()}", nonce, transaction.nonce)
        self.register.nonces[transaction.sender] = transaction.nonce + 1
        if receipt is not None and receipt.kind != transaction.kind:
            check.fail("receipt_kind", record, transaction.kind, receipt.kind)

    def _events(self, block: Block, position: int, receipt: Receipt) -> list[Event]:
        found = []
        for index, log in enumerate(receipt.logs):
            contract = self._names.get(log.address)
            if contract is None:
                continue
            self.register.events += 1
            record = f"block {block.header.number} tx {position} log {index}"
            kind = EVENTS.get((contract, log.topics[0])) if log.topics else None
            if kind is None:
                self.register.report.check("interface").unprovable(
                    "unknown_event", record, "a pinned event", log.topics[:1]
                )
                continue
            try:
                args = decode_event(kind, log.topics, log.data)
            except Undecodable as fault:
                self.register.report.check("interface").fail("event_encoding", record, kind.name, fault.reason)
                continue
            found.append(Event(contract, kind.name, args, block.header.number, block.header.timestamp, position, index))
        return found

    def _apply(self, event: Event) -> None:
        try:
            _APPLY[event.contract](self.register, event)
        except (KeyError, IndexError) as error:
            self.register.report.check("acts").fail("event_unfounded", event.record, "a known record", str(error)[:80])

    def _act(self, transaction: Transaction, events: list[Event], timestamp: int, record: str) -> None:
        register = self.register
        if not transaction.to:
            self._creation(transaction, events, timestamp, record)
            return
        contract = self._names.get(transaction.to)
        kind = ACTS.get((contract, transaction.data[:4])) if contract else None
        if contract is None or kind is None:
            for event in events:  # through a contract that is not ours, or a function that is not pinned
                register.report.check("acts").unprovable("act_unseen", event.record)
                self._apply(event)
            return
        name = f"{record} {contract}.{kind.name}"
        try:
            args = decode_act(kind, transaction.data)
        except Undecodable as fault:
            register.report.check("acts").fail("act_encoding", name, kind.name, fault.reason)
            return
        context = Context(register, self.authority, contract, args, transaction.sender, timestamp, name)
        follow(_ACTS[contract][kind.name](context), contract, events, self._apply, register, name)

    def _creation(self, transaction: Transaction, events: list[Event], timestamp: int, record: str) -> None:
        register, address = self.register, transaction.created
        self.authority.note_creation(transaction)
        contract = self._names.get(address)
        if contract is None:
            if events:
                follow(_nothing(), "", events, self._apply, register, record)
            return
        self._created.add(contract)
        check = register.report.check("contracts")
        check.count()
        args = {"creation": transaction.data}
        context = Context(
            register, self.authority, contract, args, transaction.sender, timestamp, f"{record} {contract}"
        )
        steps = _nothing()
        if contract == "Members":
            steps = members_book.creation(context)
        elif transaction.data[-32:] != register.contracts["Members"].rjust(32, b"\0"):
            check.fail("other_registry", f"{record} {contract}", register.contracts["Members"], transaction.data[-20:])
        follow(steps, contract, events, self._apply, register, f"{record} {contract}")


def _nothing() -> Steps:
    yield from ()
