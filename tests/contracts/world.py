"""One installation with its people, and every act signed by whom it must be signed, or by whom a test says."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import eth_abi
from eth_hash.auto import keccak
from eth_utils import to_checksum_address
from tests.contracts import signing
from tests.contracts.chain import (
    FUNDER,
    START,
    Chain,
    Event,
    Outcome,
    Refused,
    Reverted,
    abi_of,
    artifact,
    canonical,
    decode_log,
    functions_of,
    new_chain,
    refusal,
)

HOUR, DAY = 3600, 86_400
OBLIGOR, SUPPLIER, FINANCIER, BANK, ATTESTOR, APPROVER, OPERATOR, AUDITOR, REGULATOR = (1 << i for i in range(9))
OFFERED, LOCKED, FROZEN, RECOURSE, FINANCED, MASS, MOVED, LEAF = (1 << i for i in range(8))
SUSPENDED, BLACKLISTED, HALTED = 1, 2, 4
NOBODY = "0x" + "00" * 20
ZERO = bytes(32)
NO_CUT = 2**64 - 1
OPERATORS = ("operator one", "operator two", "operator three")
LIMIT = 10**15


def member(name: str) -> str:
    """Identity of a made-up member; not the account of its key, so that the two cannot be mixed up unnoticed."""
    return to_checksum_address(keccak(f"identity of {name}".encode())[12:])


def tag(text: object) -> bytes:
    """32 bytes standing for a document, a reason, a reference."""
    return keccak(repr(text).encode())


def note_id(receivable: int, parent: int, index: int, evidence: bytes) -> int:
    """The id recomputed outside the contract."""
    raw = keccak(eth_abi.encode(["uint256", "uint256", "bytes32"], [parent, index, evidence]))
    return (receivable << 192) | (int.from_bytes(raw, "big") & (2**192 - 1))


@dataclass(frozen=True)
class Note:
    holder: str
    amount: int
    children: int
    tier: int
    flags: int


class World:
    """Contracts deployed and connected, people enrolled; `do` sends, `see` reads."""

    def __init__(self, chain: Chain | None = None, enrol: bool = True) -> None:
        self.chain = chain or new_chain()
        self.addresses: dict[str, str] = {}
        self.log: list[Event] = []
        self.gas = 0
        self.numbers = itertools.count(1)
        operators = [signing.address(n) for n in OPERATORS]
        self._deploy("Members", operators, 2)
        for name in ("Receivables", "EntrustedAccounts", "EvidenceLog"):
            self._deploy(name, self.addresses["Members"])
        self.quorum("Members", "connect", "Connect", (self.addresses["Receivables"],))
        self.quorum("Members", "connect", "Connect", (self.addresses["EntrustedAccounts"],))
        if enrol:
            self.enrol_cast()

    def enrol_cast(self) -> None:
        people: list[tuple[str, int, int]] = [
            ("bank", 40, BANK),
            ("other bank", 41, BANK),
            ("financier", 30, FINANCIER),
            ("other financier", 31, FINANCIER),
            ("core", 10, OBLIGOR),
            ("other core", 11, OBLIGOR),
            ("carrier", 50, ATTESTOR),
            ("warehouse", 51, ATTESTOR),
            ("carrier desk", 50, ATTESTOR),
            ("maker", 30, APPROVER),
            ("checker", 30, APPROVER),
            ("judge", 90, SUPPLIER),
        ]
        people += [(f"supplier {i}", 100 + i, SUPPLIER) for i in range(1, 7)]
        self.enrol_many(people)

    def enrol_many(self, people: Iterable[tuple[str, int, int]], limit: int = LIMIT, bank: str = "bank") -> None:
        rows = [
            (
                member(n),
                signing.address(n),
                house,
                roles,
                limit if roles & OBLIGOR else 0,
                member(bank) if roles & OBLIGOR else NOBODY,
                tag(n),
            )
            for n, house, roles in people
        ]
        self.quorum("Members", "enrolMany", "EnrolMany", (rows,))

    # ------------------------------------------------------------------ plumbing

    def _deploy(self, name: str, *args: Any, known_as: str | None = None) -> str:
        constructor = next((i for i in abi_of(name) if i["type"] == "constructor"), {"inputs": []})
        code = bytes.fromhex(artifact(name)["bytecode"][2:])
        code += eth_abi.encode([canonical(i) for i in constructor["inputs"]], args)
        address = self.chain.deploy(code)
        self.addresses[known_as or name] = address
        return address

    def do(self, contract: str, function: str, *args: Any, sender: str = FUNDER) -> Outcome:
        """Send; raises Refused with the contract's error."""
        f = functions_of(contract)[function]
        data = f.selector + eth_abi.encode(f.inputs, args)
        try:
            outcome = self.chain.send(sender, self.addresses[contract], data)
        except Reverted as problem:
            raise refusal(problem.data) from None
        self.gas = outcome.gas
        self.events = [decode_log(t, d) for _, t, d in outcome.logs]
        self.log += self.events
        return outcome

    def see(self, contract: str, function: str, *args: Any, sender: str = FUNDER) -> Any:
        """Read; one value plain, several as a tuple."""
        f = functions_of(contract)[function]
        try:
            output = self.chain.view(sender, self.addresses[contract], f.selector + eth_abi.encode(f.inputs, args))
        except Reverted as problem:
            raise refusal(problem.data) from None
        values = eth_abi.decode(f.outputs, output)
        return values[0] if len(values) == 1 else values

    def digest(self, contract: str, primary: str, values: tuple[Any, ...]) -> bytes:
        return signing.digest(contract, self.chain.chain_id, self.addresses[contract], primary, values)

    def sign(self, name: str, contract: str, primary: str, values: tuple[Any, ...]) -> bytes:
        return signing.sign(name, self.digest(contract, primary, values))

    def quorum(
        self,
        contract: str,
        function: str,
        primary: str,
        values: tuple[Any, ...],
        signers: Sequence[str] = OPERATORS[:2],
        nonce: int | None = None,
    ) -> Outcome:
        """An act of the operators."""
        used = self.see(contract, "quorumNonce") if nonce is None else nonce
        digest = self.digest(contract, primary, (*values, used))
        signatures = [signing.sign(n, digest) for n in sorted(signers, key=lambda n: signing.address(n).lower())]
        return self.do(contract, function, *values, signatures)

    def appoint(self, obligor: str, bank: str, consent: str | None = "bank") -> Outcome:
        """The operators name another paying bank; `consent` signs the same message, None gives no signature."""
        nonce = self.see("Members", "quorumNonce")
        values = (member(obligor), member(bank))
        digest = self.digest("Members", "SetPayingBank", (*values, nonce))
        signatures = [signing.sign(n, digest) for n in sorted(OPERATORS[:2], key=lambda n: signing.address(n).lower())]
        agreed = b"" if consent is None else signing.sign(consent, digest)
        return self.do("Members", "setPayingBank", *values, signatures, agreed)

    def warp(self, timestamp: int) -> None:
        self.chain.warp(timestamp)

    @property
    def now(self) -> int:
        return self.chain.now

    @property
    def soon(self) -> int:
        """A deadline for signatures."""
        return self.chain.now + DAY

    # ------------------------------------------------------------------ receivables

    def issue(
        self,
        obligor: str = "core",
        creditor: str = "supplier 1",
        face: int = 1_000_000_00,
        maturity: int | None = None,
        max_tier: int = 6,
        least: int = 1_00,
        fingerprint: bytes | None = None,
        document: bytes | None = None,
        currency: int = 156,
        offer_until: int | None = None,
        deadline: int | None = None,
        by: str | None = None,
    ) -> int:
        """Issue; gives the root note."""
        number = next(self.numbers)
        values = (
            member(obligor),
            member(creditor),
            face,
            currency,
            self.now // HOUR * HOUR + 90 * DAY if maturity is None else maturity,
            max_tier,
            least,
            tag(("invoice", number)) if fingerprint is None else fingerprint,
            tag(("document", number)) if document is None else document,
            self.now // HOUR * HOUR + 5 * DAY if offer_until is None else offer_until,
            self.soon if deadline is None else deadline,
        )
        self.issued = values
        signature = self.sign(by or obligor, "Receivables", "Issue", values)
        return self._number(self.do("Receivables", "issue", values, signature))

    @staticmethod
    def _number(outcome: Outcome) -> int:
        return int.from_bytes(outcome.output, "big")

    def accept(self, note: int, by: str, deadline: int | None = None) -> None:
        until = self.soon if deadline is None else deadline
        signature = self.sign(by, "Receivables", "Accept", (note, until))
        self.do("Receivables", "accept", note, until, signature)

    def accepted(self, creditor: str = "supplier 1", **terms: Any) -> int:
        """A live receivable; gives its root note."""
        root = self.issue(creditor=creditor, **terms)
        self.accept(root, creditor)
        return root

    def accept_many(self, notes: Sequence[int], by: str) -> None:
        until = self.soon
        signature = self.sign(by, "Receivables", "AcceptMany", (notes, until))
        self.do("Receivables", "acceptMany", notes, until, signature)

    def refuse(self, path: tuple[int, int, int, bytes], by: str, reason: bytes = ZERO) -> None:
        until = self.soon
        signature = self.sign(by, "Receivables", "Refuse", (note_id(*path), reason, until))
        self.do("Receivables", "refuse", *path, reason, until, signature)

    def withdraw(self, path: tuple[int, int, int, bytes], by: str) -> None:
        until = self.soon
        signature = self.sign(by, "Receivables", "Withdraw", (note_id(*path), until))
        self.do("Receivables", "withdraw", *path, until, signature)

    def lapse(self, path: tuple[int, int, int, bytes]) -> None:
        self.do("Receivables", "lapse", *path)

    def offer_time(self, days: int = 5) -> int:
        return self.now // HOUR * HOUR + days * DAY

    def pass_on(
        self,
        note: int,
        by: str,
        to: str,
        amount: int,
        evidence: bytes | None = None,
        index: int | None = None,
        until: int | None = None,
        deadline: int | None = None,
        direct: bool = False,
    ) -> int:
        """Pass; gives the child."""
        values = (
            note,
            self.next_index(note) if index is None else index,
            member(to),
            amount,
            tag(("hop", note, amount, to)) if evidence is None else evidence,
            self.offer_time() if until is None else until,
            self.soon if deadline is None else deadline,
        )
        if direct:
            return self._number(self.do("Receivables", "pass", values, b"", sender=signing.address(by)))
        signature = self.sign(by, "Receivables", "Pass", values)
        return self._number(self.do("Receivables", "pass", values, signature))

    def next_index(self, note: int) -> int:
        found = self.note(note)
        return 0 if found.flags & (OFFERED | LOCKED | MASS) else found.children

    def pass_many(
        self, note: int, by: str, rows: Sequence[tuple[str, int]], direct: bool = False, until: int | None = None
    ) -> list[int]:
        """Pass to several at once; gives the children."""
        index = self.next_index(note)
        evidence = [tag(("hop", note, index + i)) for i in range(len(rows))]
        values = (
            note,
            index,
            [member(n) for n, _ in rows],
            [a for _, a in rows],
            evidence,
            self.offer_time() if until is None else until,
            self.soon,
        )
        signature = b"" if direct else self.sign(by, "Receivables", "PassMany", values)
        self.do("Receivables", "passMany", values, signature, sender=signing.address(by) if direct else FUNDER)
        return [note_id(note >> 192, note, index + i, e) for i, e in enumerate(evidence)]

    def pass_mass(
        self,
        note: int,
        by: str,
        root: int,
        count: int,
        until: int | None = None,
        index: int | None = None,
    ) -> int:
        """Commit to all recipients at once; gives the mass note."""
        values = (
            note,
            self.next_index(note) if index is None else index,
            root,
            count,
            tag(("mass", note, root)),
            self.offer_time() if until is None else until,
            self.soon,
        )
        signature = self.sign(by, "Receivables", "MassPass", values)
        return self._number(self.do("Receivables", "passMass", values, signature))

    def materialise(
        self, mass: int, leaf: int, to: str, amount: int, proof: Sequence[int], by: str | None = None
    ) -> int:
        """A recipient takes its note; gives it."""
        until = self.soon
        signature = self.sign(by or to, "Receivables", "Materialise", (mass, leaf, member(to), amount, until))
        return self._number(
            self.do("Receivables", "materialise", mass, leaf, member(to), amount, proof, until, signature)
        )

    def quote(self, note: int, financier: str = "financier", amount: int = 0, **changes: Any) -> tuple[Any, ...]:
        """A quote as the struct's tuple; `changes` by field name."""
        amount = amount or self.note(note).amount
        fields = {
            "parentId": note,
            "financier": member(financier),
            "payingBank": member("bank"),
            "amount": amount,
            "net": amount - amount // 50 - 100,
            "discount": amount // 50,
            "fees": 100,
            "aprPpm": 62_000,
            "recourse": False,
            "terms": tag("terms"),
            "evidence": tag(("quote", next(self.numbers))),
            "entrustedAccount": 0,
            "lockUntil": self.offer_time(),
            "expiry": self.soon,
        }
        fields.update(changes)
        return tuple(fields.values())

    def finance(self, quote: tuple[Any, ...], by: str, financier: str = "financier", reading: bytes = ZERO) -> int:
        """Accept a quote; gives the locked child."""
        quote_hash = signing.struct_hash("Receivables", "Quote", quote)
        until = self.soon
        first = self.sign(financier, "Receivables", "Quote", quote)
        second = self.sign(by, "Receivables", "FinanceAccept", (quote_hash, reading, until))
        return self._number(self.do("Receivables", "finance", quote, first, reading, until, second))

    def complete(
        self,
        note: int,
        net: int | None = None,
        by: str = "bank",
        reference: bytes | None = None,
        registration: bytes = tag("registration"),
    ) -> None:
        agreed = self.see("Receivables", "lockOf", note)[1] if net is None else net
        until = self.soon
        reference = tag(("reference", next(self.numbers))) if reference is None else reference
        values = (note, agreed, registration, reference, until)
        signature = self.sign(by, "Receivables", "CompleteFinancing", values)
        self.do("Receivables", "completeFinancing", *values, signature)

    def pay(
        self,
        receivable: int,
        principal: int,
        interest: int = 0,
        cuts: tuple[int, int, int, int] = (NO_CUT, 0, NO_CUT, 0),
        by: str = "bank",
        round: int | None = None,
        reference: bytes | None = None,
    ) -> None:
        """The bank attests what arrived; cuts = principal cut and note, interest cut and note."""
        number = self.terms(receivable)["rounds"] if round is None else round
        reference = tag(("reference", next(self.numbers))) if reference is None else reference
        values = (receivable, number, principal, interest, *cuts, reference, self.soon)
        signature = self.sign(by, "Receivables", "Payment", values)
        self.do("Receivables", "recordPayment", values, signature)

    def settle(self, receivable: int, round: int, notes: Sequence[int]) -> list[Event]:
        self.do("Receivables", "settleMany", receivable, round, notes)
        return [e for e in self.events if e.name == "Settled"]

    def settle_offered(self, round: int, path: tuple[int, int, int, bytes]) -> list[Event]:
        self.do("Receivables", "settleOffered", path[0], round, *path[1:])
        return [e for e in self.events if e.name == "Settled"]

    def freeze(self, note: int, frozen: bool = True) -> None:
        self.quorum("Receivables", "setFrozenTokens", "SetFrozen", (note, frozen, tag("court")))

    def force(self, note: int, to: str, reason: bytes = tag("court")) -> int:
        return self._number(self.quorum("Receivables", "forcedTransfer", "ForcedTransfer", (note, member(to), reason)))

    def standing(self, name: str, value: int) -> None:
        self.quorum("Members", "setStanding", "SetStanding", (member(name), value, tag("reason")))

    def note(self, note: int) -> Note:
        holder, amount, children, tier, flags = self.see("Receivables", "noteOf", note)
        return Note(to_checksum_address(holder), amount, children, tier, flags)

    def terms(self, receivable: int) -> dict[str, Any]:
        names = ("obligor", "maturity", "maxTier", "status", "currency", "face", "outstanding", "paid", "minAmount")
        return dict(zip((*names, "rounds"), self.see("Receivables", "termsOf", receivable), strict=True))

    # ------------------------------------------------------------------ entrusted accounts

    def opening(self, **changes: Any) -> tuple[Any, ...]:
        """An opening as the struct's tuple; `changes` by field name."""
        stage = (member("supplier 5"), tag("account"), 600_00, tag("rule"), self.now + 30 * DAY)
        last = (member("supplier 6"), tag("account"), 400_00, tag("rule"), self.now + 60 * DAY)
        fields = {
            "payer": member("financier"),
            "beneficiary": member("supplier 1"),
            "bank": member("bank"),
            "currency": 156,
            "account": tag("locked account"),
            "purpose": tag("purpose"),
            "consent": tag("consent"),
            "stages": [stage, last],
            "attestors": [member("carrier"), member("warehouse"), member("carrier desk")],
            "approvers": [member("maker"), member("checker")],
            "salt": tag(next(self.numbers)),
            "deadline": self.soon,
        }
        fields.update(changes)
        return tuple(fields.values())

    def open(
        self, opening: tuple[Any, ...] | None = None, payer: str = "financier", beneficiary: str = "supplier 1"
    ) -> int:
        opening = opening or self.opening()
        first = self.sign(payer, "EntrustedAccounts", "Opening", opening)
        second = self.sign(beneficiary, "EntrustedAccounts", "Opening", opening)
        return self._number(self.do("EntrustedAccounts", "open", opening, first, second))

    def locked(self, opening: tuple[Any, ...] | None = None) -> int:
        """An account whose money arrived."""
        account = self.open(opening)
        amount = self.see("EntrustedAccounts", "accountOf", account)[5]
        self.act("ConfirmLocked", "bank", account, amount, tag(next(self.numbers)))
        return account

    def act(self, primary: str, by: str, *values: Any, deadline: int | None = None) -> None:
        """An act on an entrusted account with one signature."""
        whole = (*values, self.soon if deadline is None else deadline)
        signature = self.sign(by, "EntrustedAccounts", primary, whole)
        self.do("EntrustedAccounts", primary[0].lower() + primary[1:], *whole, signature)

    def attest(self, account: int, stage: int, who: str, up_to: int, by: str | None = None) -> None:
        self.act("Attest", by or who, account, stage, member(who), up_to, tag("evidence"))

    def approve(self, account: int, stage: int, who: str, up_to: int, by: str | None = None) -> None:
        self.act("Approve", by or who, account, stage, member(who), up_to, tag("decision"))

    def release(self, account: int, stage: int, amount: int, by: str = "bank", **ids: bytes) -> None:
        payment, line = self._bank_ids(ids)
        self.act("ConfirmReleased", by, account, stage, amount, payment, line)

    def refund(self, account: int, stage: int, amount: int, by: str = "bank", **ids: bytes) -> None:
        payment, line = self._bank_ids(ids)
        self.act("ConfirmRefunded", by, account, stage, amount, payment, line)

    def come_back(self, account: int, stage: int, amount: int, payment: bytes, by: str = "bank", **ids: bytes) -> None:
        _, line = self._bank_ids(ids)
        self.act("ConfirmReturned", by, account, stage, amount, payment, line)

    def _bank_ids(self, ids: dict[str, bytes]) -> tuple[bytes, bytes]:
        number = next(self.numbers)
        return ids.get("payment", tag(("payment", number))), ids.get("line", tag(("line", number)))

    def dispute(self, account: int, stage: int, who: str, amount: int, by: str | None = None) -> None:
        self.act("Dispute", by or who, account, stage, member(who), amount, tag(("reason", next(self.numbers))))

    def resolve(
        self,
        account: int,
        stage: int,
        to_release: int,
        to_refund: int,
        payer: str = "financier",
        beneficiary: str = "supplier 1",
    ) -> None:
        values = (account, stage, to_release, to_refund, tag(next(self.numbers)), self.soon)
        first = self.sign(payer, "EntrustedAccounts", "Resolve", values)
        second = self.sign(beneficiary, "EntrustedAccounts", "Resolve", values)
        self.do("EntrustedAccounts", "resolve", *values, first, second)

    def releasable(self, account: int, stage: int) -> int:
        return int(self.see("EntrustedAccounts", "releasable", account, stage))

    def refundable(self, account: int, stage: int) -> int:
        return int(self.see("EntrustedAccounts", "refundable", account, stage))

    def stage(self, account: int, stage: int) -> dict[str, Any]:
        names = ("payee", "amount", "released", "refunded", "disputed", "deadline", "rule", "payeeAccount")
        return dict(zip(names, self.see("EntrustedAccounts", "stageOf", account, stage), strict=True))


def refused(name: str) -> Any:
    """pytest.raises for a contract's error."""
    import pytest

    return pytest.raises(Refused, check=lambda problem: problem.name == name)


__all__ = ["START", "Event", "Note", "Refused", "World", "member", "note_id", "refused", "tag"]
