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
_NO_EFFECT_GAS = 21_000
_LOOKED_UP = 100
"""How many of the newest mined acts a recovery looks up again."""
_CHEAP = ("underpriced", "fee too low", "less than block base fee", "max fee per gas", "gas price")

Request = tuple[str, Call]


class Relayer:
    """One relaying account on one ledger.

    Args:
        ledger: where to send.
        key: 32-byte private key of the relaying account; it pays nothing and has no rights of its own.
        journal: memory of what was signed; the same journal for every relayer of an installation.
        max_fee: fee in wei a unit of gas, where gas is not free; None takes what the ledger's setting says.
        fee_cap: the highest fee this relayer may come to offer when a network does not mine what it sent.
    """

    def __init__(
        self,
        ledger: Ledger,
        key: bytes,
        journal: Journal,
        *,
        gas_limit: int = CALL_GAS_LIMIT,
        max_fee: int | None = None,
        fee_cap: int | None = None,
    ) -> None:
        self._ledger = ledger
        self._key = key
        self._journal = journal
        self._gas_limit = gas_limit
        usual, most = getattr(ledger, "fees", (0, 0))
        self._max_fee = usual if max_fee is None else max_fee
        self._fee_cap = max(self._max_fee, most if fee_cap is None else fee_cap)
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
        """Send again whatever was journaled and is not mined, as after a crash; returns the receipts.

        The newest acts known to be mined are looked up too: a reorganisation may have dropped them.
        """
        chain_id = self._ledger.chain_id
        recent = self._journal.recent(chain_id, self.address, _LOOKED_UP)
        there = self._mined_versions(recent)
        dropped = [entry for entry in reversed(recent) if entry.reference not in there]
        pending = dropped + self._journal.pending(chain_id, self.address)
        return self._deliver(pending) if pending else []

    def cancel(self, reference: str) -> Receipt | None:
        """Take an act that no node mines out of the way: a transaction without effect takes its nonce.

        Returns the act's receipt when it was mined after all, else None: nothing of it happened, and it is signed anew
        when it is asked for again. Raises `NotAccepted` where the network would only replace it for a higher fee than
        this relayer may offer.
        """
        entry = self._journal.find(self._ledger.chain_id, reference)
        if entry is None:
            return None
        raw = sign_transaction(
            self._key,
            chain_id=entry.chain_id,
            nonce=entry.nonce,
            to=canonical(self.address),
            data=b"",
            gas=_NO_EFFECT_GAS,
            max_fee=self._raised(entry) or self._fee_cap,
            tip=self._raised(entry) or self._fee_cap,
        )
        try:
            self._ledger.submit([raw])
        except NotAccepted:
            if self._ledger.nonce(self.address) <= entry.nonce:
                raise
        found = self._mined_versions([entry])
        if reference in found:
            self._journal.mark(entry.chain_id, [(reference, found[reference].block_number)])
        return found.get(reference)

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
                tip=self._max_fee // 2,
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
        except Problem as problem:
            if problem.code != "ledger_not_mined_yet" or not self._may_help(entries):
                raise
            receipts = self._deliver_with_predecessors(entries)
        fresh = [
            (entry.reference, receipt.block_number)
            for entry, receipt in zip(entries, receipts, strict=True)
            if entry.block_number != receipt.block_number
        ]
        if fresh:
            self._journal.mark(self._ledger.chain_id, fresh)
        return receipts

    def _may_help(self, entries: Sequence[Entry]) -> bool:
        """Whether what is not mined waits for an earlier one that never arrived, or for a higher fee."""
        mine = {entry.transaction_hash for entry in entries}
        pending = self._journal.pending(self._ledger.chain_id, self.address)
        return any(entry.transaction_hash not in mine for entry in pending) or any(map(self._raised, entries))

    def _deliver_with_predecessors(self, entries: Sequence[Entry]) -> list[Receipt]:
        """Some were not accepted, most likely because earlier ones never arrived: send all pending, in nonce order."""
        pending = self._journal.pending(self._ledger.chain_id, self.address)
        mine = {entry.transaction_hash for entry in pending}
        others = [entry for entry in entries if entry.transaction_hash not in mine]
        by_reference = self._submit_until_mined(pending + others)
        mined = [(entry.reference, by_reference[entry.reference].block_number) for entry in pending]
        self._journal.mark(self._ledger.chain_id, mined)
        return [by_reference[entry.reference] for entry in entries]

    def _submit_until_mined(self, entries: Sequence[Entry]) -> dict[str, Receipt]:
        """Submit; what lost its nonce to another transaction of this account is signed anew, once.

        What a network finds too cheap, or does not mine, is offered again at a higher fee, as far as the cap goes.
        """
        found: dict[str, Receipt] = {}
        rest, renewed = list(entries), False
        while True:
            problem: Problem
            try:
                receipts = self._ledger.submit([entry.raw for entry in rest])
                return found | {entry.reference: receipt for entry, receipt in zip(rest, receipts, strict=True)}
            except NotAccepted as refused:
                problem, cheap = (
                    refused,
                    any(part in str(r).lower() for r in refused.reasons.values() for part in _CHEAP),
                )
            except Problem as waiting:
                if waiting.code != "ledger_not_mined_yet":
                    raise
                problem, cheap = waiting, True
            fresh = self._mined_versions(rest)
            self._journal.mark(self._ledger.chain_id, [(ref, receipt.block_number) for ref, receipt in fresh.items()])
            found |= fresh
            rest = [entry for entry in rest if entry.reference not in found]
            if not rest:
                return found
            if cheap:
                again = self._dearer(rest)
            else:
                again, renewed = ([] if renewed else self._renew(rest)), True
            if not again:
                raise problem
            rest = again

    def _mined_versions(self, entries: Sequence[Entry]) -> dict[str, Receipt]:
        """Receipts by reference, whichever of the transactions signed under a reference was mined."""
        earlier = self._journal.versions(self._ledger.chain_id, [entry.reference for entry in entries])
        references = {entry.transaction_hash: entry.reference for entry in entries}
        references |= {key: reference for reference, keys in earlier.items() for key in keys}
        return {references[key]: receipt for key, receipt in self._ledger.receipts(list(references)).items()}

    def _raised(self, entry: Entry) -> int:
        """A fee by which a node replaces this transaction, within the cap; 0 when there is none."""
        fee = decode_transaction(entry.raw).max_fee_per_gas
        raised = min(self._fee_cap, max(2 * fee, self._fee_cap // 8, 1))
        return raised if 10 * raised >= 11 * fee and raised > fee else 0

    def _dearer(self, entries: Sequence[Entry]) -> list[Entry]:
        """The same acts with the same nonces at a higher fee; nothing when none may be raised."""
        changed = False
        dearer = []
        with self._order:
            for entry in entries:
                fee = self._raised(entry)
                changed = changed or bool(fee)
                dearer.append(self._signed_again(entry, entry.nonce, fee) if fee else entry)
        return dearer if changed else []

    def _signed_again(self, entry: Entry, nonce: int, fee: int) -> Entry:
        old = decode_transaction(entry.raw)
        raw = sign_transaction(
            self._key,
            chain_id=entry.chain_id,
            nonce=nonce,
            to=old.to,
            data=old.data,
            gas=old.gas,
            max_fee=fee,
            tip=max(fee // 2, old.max_priority_fee_per_gas * 11 // 10 + 1) if fee else 0,
        )
        fresh = replace(entry, nonce=nonce, raw=raw, transaction_hash=keccak(raw))
        self._journal.replace(fresh)
        return fresh

    def _renew(self, entries: Sequence[Entry]) -> list[Entry]:
        """New nonces for entries that can never be mined: the chain is past their nonce and does not hold them.

        Returns all entries in nonce order, or nothing when none needed it: then the refusal has another reason.
        """
        chain_id, used = self._ledger.chain_id, self._ledger.nonce(self.address)
        stale = sorted((entry for entry in entries if entry.nonce < used), key=lambda entry: entry.nonce)
        if not stale:
            return []
        renewed = sorted((entry for entry in entries if entry.nonce >= used), key=lambda entry: entry.nonce)
        with self._order:
            for entry in stale:
                nonce = self._journal.next_nonce(chain_id, self.address, used)
                renewed.append(self._signed_again(entry, nonce, self._max_fee))
        return renewed
