"""The desk: hands out what a party is to sign, relays the signed act exactly once, and brings the books up to date.

The order of steps is the promise: the command is stored, the transaction is stored, the transaction is sent, the events
are booked, the reply is stored. Killed between any two of them, the same request goes on where it stopped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from threading import RLock
from typing import Any

from sqlalchemy import Engine
from sqlmodel import Session

from scf.kernel.clock import Clock
from scf.kernel.problems import MoneyMoved, Problem
from scf.ledger.contracts import Contracts, Event, account_signed
from scf.ledger.intents import digest, recover, sort_signatures, typed_data
from scf.ledger.protocol import Ledger
from scf.ledger.relayer import Relayer
from scf.ledger.signing import recover_digest
from scf.ledger.types import Call, Header, Receipt
from scf.store import commands
from scf.store.projection import Followed, Projection
from scf.store.session import transaction

PeopleCheck = Callable[[str, str, int, str, tuple[str, str, Mapping[str, Any]], Sequence[bytes]], None]
"""Refuses an act of an account (act, account, amount, currency, typed data, signature parts) only one person signed."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """An act ready to be signed: typed data (EIP-712), its digest, its message, who must sign, a sentence a language.

    `signers` are member addresses; the signature must come from each one's current key.
    """

    act: str
    contract: str
    primary_type: str
    message: dict[str, Any]
    signers: tuple[str, ...]
    summary: dict[str, str]
    typed_data: dict[str, Any] = field(repr=False)
    digest: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Done:
    """A relayed act: where it stands on the ledger and what it caused there."""

    reference: str
    transaction_hash: str
    block_number: int
    timestamp: int
    gas_used: int
    events: tuple[Event, ...]

    def event(self, name: str) -> Event:
        """The first event called `name`. Raises KeyError when the act caused none."""
        for event in self.events:
            if event.name == name:
                return event
        raise KeyError(name)


class Desk:
    """What every domain room works with: database, ledger, contracts, relayer and clock of one installation."""

    def __init__(
        self,
        *,
        engine: Engine,
        ledger: Ledger,
        contracts: Contracts,
        relayer: Relayer,
        projection: Projection[Event],
        clock: Clock,
    ) -> None:
        self.engine = engine
        self.ledger = ledger
        self.contracts = contracts
        self.clock = clock
        self.require_people: PeopleCheck = _one_is_enough
        self._relayer = relayer
        self._projection = projection
        self._following = RLock()

    def deploy(self, reference: str, code: bytes) -> str:
        """Create a contract on the ledger, once for this reference; returns its address.

        Raises Problem `act_failed_on_ledger` when there is none afterwards.
        """
        receipt = self._relayer.deploy(reference, code)
        if receipt.contract_address is None:
            raise Problem("act_failed_on_ledger", act="deploy", reference=reference)
        return receipt.contract_address

    def session(self) -> AbstractContextManager[Session]:
        """A session of one transaction, committed at its end."""
        return transaction(self.engine)

    def prepare(
        self,
        act: str,
        contract: str,
        primary_type: str,
        message: Mapping[str, Any],
        *,
        signers: Sequence[str],
        summary: Mapping[str, str],
    ) -> Prepared:
        """Typed data of one act for its signers."""
        plain = dict(message)
        return Prepared(
            act=act,
            contract=contract,
            primary_type=primary_type,
            message=plain,
            signers=tuple(signers),
            summary=dict(summary),
            typed_data=typed_data(self.contracts, contract, primary_type, plain),
            digest=digest(self.contracts, contract, primary_type, plain),
        )

    def join_signatures(
        self, contract: str, primary_type: str, message: Mapping[str, Any], parts: Sequence[bytes]
    ) -> bytes:
        """One signature as it is; several (maker and checker of one account) joined in their signers' order."""
        if len(parts) == 1:
            return bytes(parts[0])
        return b"".join(sort_signatures(digest(self.contracts, contract, primary_type, message), parts))

    def signer_of(self, contract: str, primary_type: str, message: Mapping[str, Any], signature: bytes) -> str:
        """The address whose key made `signature` over this act."""
        return recover(self.contracts, contract, primary_type, message, signature)

    def require_signature(
        self, contract: str, primary_type: str, message: Mapping[str, Any], key: str, signature: bytes
    ) -> None:
        """Check that `key`, a person's key or a contract account (ERC-1271), signed this act.

        Raises Problem `signature_not_of_signer`.
        """
        signed = digest(self.contracts, contract, primary_type, message)
        try:
            if recover_digest(signed, signature) == key:
                return
        except Problem:
            pass  # several signatures joined, for a contract account to judge
        if not account_signed(self.ledger, key, signed, signature):
            raise Problem("signature_not_of_signer", act=primary_type, who=key)

    def relay(self, acts: Sequence[tuple[str, Call]], *, check: bool = True) -> list[Done]:
        """Send calls, each under its own reference and at most once ever, then book what they caused.

        With `check`, a single call is tried first and a refusal costs nothing. Raises Problem with the reason; in a
        batch the calls before and after a refused one stand, and the problem names the first one refused and says "yes"
        to whether money moved.
        """
        receipts = self._relayer.send(acts, check=check)
        self.follow()
        done = [self._done(reference, receipt) for (reference, _), receipt in zip(acts, receipts, strict=True)]
        for (reference, call), receipt in zip(acts, receipts, strict=True):
            if not receipt.succeeded:
                if len(acts) == 1:
                    self._relayer.check(call)  # says why
                others: MoneyMoved = "yes" if any(other.succeeded for other in receipts) else "no"
                raise Problem("act_failed_on_ledger", money_moved=others, act=call.function, reference=reference)
        return done

    def once(
        self,
        key: str,
        caller: str,
        act: str,
        body: Mapping[str, Any],
        build: Callable[[], Call],
        reply: Callable[[Done], Mapping[str, Any]],
        *,
        reserve: Callable[[Session], None] | None = None,
    ) -> Mapping[str, Any]:
        """One command, one effect, one answer.

        `build` judges the request and gives the call, and the ledger is asked before anything is written: a refused
        request leaves nothing behind, and its key may be used again. `reserve` writes what is held for the act, in the
        transaction that takes the request on; it may still refuse. Once the transaction is stored `build` is not
        asked again, because by then its effect may already be there. Same key and body: the stored reply. Raises
        Problem `idempotency_conflict` for another body under the same key.
        """
        request = {"act": act, **body}
        answered = commands.recall(self.engine, key, caller, request)
        if answered is not None:
            return answered.reply
        done = self.sent(commands.command_reference(key, caller), build)
        if done is None:
            done = self._carry_out(key, caller, request, build, reserve)
        return commands.finish(self.engine, key, caller, reply(done))

    def _carry_out(
        self,
        key: str,
        caller: str,
        request: Mapping[str, Any],
        build: Callable[[], Call],
        reserve: Callable[[Session], None] | None,
    ) -> Done:
        reference = commands.command_reference(key, caller)

        def take_on(session: Session) -> Mapping[str, Any]:
            if reserve is not None:
                reserve(session)
            return {}

        try:
            call = build()
            self._relayer.check(call)
            commands.begin(self.engine, key, caller, request, prepare=take_on, at=self.clock.now())
            return self.relay([(reference, call)])[0]
        except Problem:
            # The same request may have come twice at once, and the effect of the other is what refuses this one.
            commands.recall(self.engine, key, caller, request)
            done = self.sent(reference, build)
            if done is None:
                raise
            return done

    def sent(self, reference: str, build: Callable[[], Call] | None = None) -> Done | None:
        """What became of an act stored under `reference` before, sent now if it was not; None if never stored.

        Raises Problem when the ledger refused it: with the reason, where `build` can give the call again.
        """
        receipt = self._relayer.resend(reference)
        if receipt is None:
            return None
        self.follow()
        if not receipt.succeeded:
            if build is not None:
                self._relayer.check(build())
            raise Problem("act_failed_on_ledger", act="-", reference=reference)
        return self._done(reference, receipt)

    def follow(self) -> Followed:
        """Book all ledger events not booked yet; acts that a reorganisation of the ledger dropped are sent again."""
        with self._following:
            followed = self._projection.catch_up(self.engine, self)
            if followed.withdrawn and self._relayer.recover():
                followed += self._projection.catch_up(self.engine, self)
            return followed

    def recover(self) -> int:
        """After a start: send what was stored and not mined, and book what was mined and not booked."""
        resent = self._relayer.recover()
        self.follow()
        return len(resent)

    def head(self) -> Header:
        """The newest block of the ledger."""
        return self.ledger.head()

    def header(self, number: int) -> Header:
        """One block header of the ledger."""
        return self.ledger.header(number)

    def events(self, first: int, last: int) -> Iterator[Event]:
        """Decoded events of blocks `first` to `last`, in order."""
        addresses = set(self.contracts.addresses.values())
        for log in self.ledger.logs(first, last, addresses):
            event = self.contracts.decode(log)
            if event is not None:
                yield event

    def _done(self, reference: str, receipt: Receipt) -> Done:
        events = [self.contracts.decode(log) for log in receipt.logs]
        return Done(
            reference=reference,
            transaction_hash="0x" + receipt.transaction_hash.hex(),
            block_number=receipt.block_number,
            timestamp=receipt.timestamp,
            gas_used=receipt.gas_used,
            events=tuple(event for event in events if event is not None),
        )


def _one_is_enough(*_: object) -> None:
    """Nobody asked for two people here."""
