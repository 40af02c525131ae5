"""The relayer: brings signed intents to the ledger, each exactly once, journaled before anything is sent."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace

from scf.kernel.problems import Problem
from scf.ledger.contracts import RefusedByContract, decode_error
from scf.ledger.hashing import keccak
from scf.ledger.journal import Entry, Journal
from scf.ledger.protocol import Ledger, NotAccepted, Reverted
from scf.ledger.signing import address_of, canonical
from scf.ledger.transactions import decode_transaction, sign_transaction
from scf.ledger.types import Call, Receipt

CALL_GAS_LIMIT = 16_000_000
"""Gas limit of every transaction; below the cap of one transaction in newer forks (EIP-7825). Gas is free."""

Request = tuple[str, Call]


class Relayer:
    """One relaying account on one ledger.

    Args:
        ledger: where to send.
        key: 32-byte private key of the relaying account; it pays nothing and has no rights of its own.
        journal: memory of what was signed; the same journal for every relayer of an installation.
        max_fee: fee in wei a unit of gas, for networks where gas is not free.
    """

    def __init__(
        self, ledger: Ledger, key: bytes, journal: Journal, *, gas_limit: int = CALL_GAS_LIMIT, max_fee: int = 0
    ) -> None:
        self._ledger = ledger
        self._key = key
        self._journal = journal
        self._gas_limit = gas_limit
        self._max_fee = max_fee
        self._order = threading.Lock()
        self.address = address_of(key)

    @property
    def ledger(self) -> Ledger:
        """The ledger this relayer sends to."""
        return self._ledger

    def send(self, calls: Sequence[Request], *, check: bool = True) -> list[Receipt]:
        """Send calls under their references and return their receipts in the same order.

        A reference is sent once for ever: asked again, the same receipt is returned. With `check`, a single call is run
        first without sending; when the contract refuses, `RefusedByContract` (code `ledger_refused`) is raised and
        nothing is journaled or sent. Many calls at once are not run first: their receipts say which of them failed.

        Raises Problem `ledger_reference_reused` when a reference stands for another call, and what the ledger raises.
        """
        if not calls:
            return []
        chain_id = self._ledger.chain_id
        if len(calls) == 1 and check and self._journal.find(chain_id, calls[0][0]) is None:
            self.check(calls[0][1])
        entries = self._reserve(calls)
        for entry, (reference, call) in zip(entries, calls, strict=True):
            if call.data not in entry.raw:
                raise Problem("ledger_reference_reused", reference=reference)
        return self._deliver(entries)

    def check(self, call: Call) -> None:
        """Run a call without sending it. Raises `RefusedByContract`."""
        try:
            self._ledger.call(call, sender=self.address)
        except Reverted as error:
            raise RefusedByContract(decode_error(error.data), contract=call.contract, function=call.function) from error

    def knows(self, reference: str) -> bool:
        """Whether something was ever journaled under this reference."""
        return self._journal.find(self._ledger.chain_id, reference) is not None

    def resend(self, reference: str) -> Receipt | None:
        """Receipt of what was journaled under this reference, sent now if it was not; None when nothing was."""
        entry = self._journal.find(self._ledger.chain_id, reference)
        return None if entry is None else self._deliver([entry])[0]

    def recover(self) -> list[Receipt]:
        """Send again whatever was journaled and is not known to be mined, as after a crash; returns the receipts."""
        pending = self._journal.pending(self._ledger.chain_id, self.address)
        return self._deliver(pending) if pending else []

    def deploy(self, reference: str, code: bytes) -> Receipt:
        """Create a contract from creation code, once for ever under its reference."""
        return self.send([(reference, Call("", code, "", "constructor"))], check=False)[0]

    def _reserve(self, calls: Sequence[Request]) -> list[Entry]:
        by_reference: dict[str, Call] = {}
        for reference, call in calls:
            if by_reference.setdefault(reference, call).data != call.data:
                raise Problem("ledger_reference_reused", reference=reference)
        chain_id = self._ledger.chain_id

        def sign(reference: str, nonce: int) -> bytes:
            call = by_reference[reference]
            return sign_transaction(
                self._key,
                chain_id=chain_id,
                nonce=nonce,
                to=canonical(call.to) if call.to else b"",
                data=call.data,
                gas=self._gas_limit,
                max_fee=self._max_fee,
            )

        with self._order:
            first_free = self._ledger.nonce(self.address)
            references = [reference for reference, _ in calls]
            return self._journal.reserve(chain_id, self.address, references, first_free, sign)

    def _deliver(self, entries: Sequence[Entry]) -> list[Receipt]:
        """Send what is journaled. Whatever stops it now, it will be sent again: nobody may say that nothing moved."""
        try:
            return self._deliver_once(entries)
        except Problem as problem:
            if problem.money_moved == "no":
                problem.money_moved = "unknown"
            raise

    def _deliver_once(self, entries: Sequence[Entry]) -> list[Receipt]:
        raws = [entry.raw for entry in entries]
        try:
            receipts = self._ledger.submit(raws)
        except NotAccepted:
            receipts = self._deliver_with_predecessors(entries)
        fresh = [
            (entry.reference, receipt.block_number)
            for entry, receipt in zip(entries, receipts, strict=True)
            if entry.block_number is None
        ]
        if fresh:
            self._journal.mark(self._ledger.chain_id, fresh)
        return receipts

    def _deliver_with_predecessors(self, entries: Sequence[Entry]) -> list[Receipt]:
        """Some were not accepted, most likely because earlier ones never arrived: send all pending, in nonce order."""
        pending = self._journal.pending(self._ledger.chain_id, self.address)
        mine = {entry.transaction_hash for entry in pending}
        others = [entry for entry in entries if entry.transaction_hash not in mine]
        everything = pending + others
        by_reference = self._submit_renewing(everything)
        mined = [(entry.reference, by_reference[entry.reference].block_number) for entry in pending]
        self._journal.mark(self._ledger.chain_id, mined)
        return [by_reference[entry.reference] for entry in entries]

    def _submit_renewing(self, entries: Sequence[Entry]) -> dict[str, Receipt]:
        """Submit; what lost its nonce to another transaction of this account is signed anew, once."""
        try:
            receipts = self._ledger.submit([entry.raw for entry in entries])
        except NotAccepted as refused:
            found = {e.reference: r for e in entries if (r := refused.receipts.get(e.transaction_hash)) is not None}
            self._journal.mark(
                self._ledger.chain_id, [(reference, receipt.block_number) for reference, receipt in found.items()]
            )
            renewed = self._renew([entry for entry in entries if entry.reference not in found])
            if not renewed:
                raise
            again = self._ledger.submit([entry.raw for entry in renewed])
            return found | {entry.reference: receipt for entry, receipt in zip(renewed, again, strict=True)}
        return {entry.reference: receipt for entry, receipt in zip(entries, receipts, strict=True)}

    def _renew(self, entries: Sequence[Entry]) -> list[Entry]:
        """New nonces for entries that can never be mined: the chain is past their nonce and does not hold them.

        Returns all entries in nonce order, or nothing when none needed it: then the refusal has another reason.
        """
        chain_id, used = self._ledger.chain_id, self._ledger.nonce(self.address)
        stale = sorted((entry for entry in entries if entry.nonce < used), key=lambda entry: entry.nonce)
        if not stale or any(self._ledger.receipt(entry.transaction_hash) is not None for entry in stale):
            return []
        renewed = sorted((entry for entry in entries if entry.nonce >= used), key=lambda entry: entry.nonce)
        with self._order:
            for entry in stale:
                old = decode_transaction(entry.raw)
                nonce = self._journal.next_nonce(chain_id, self.address, used)
                raw = sign_transaction(
                    self._key,
                    chain_id=chain_id,
                    nonce=nonce,
                    to=old.to,
                    data=old.data,
                    gas=old.gas,
                    max_fee=self._max_fee,
                )
                renewed.append(replace(entry, nonce=nonce, raw=raw, transaction_hash=keccak(raw)))
                self._journal.replace(renewed[-1])
        return renewed
