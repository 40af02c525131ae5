"""A programme on the real contracts, with every kind of act, for bundles to be made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from scf.kernel.clock import VirtualClock
from scf.kernel.money import pro_rata_cut
from scf.ledger import intents
from scf.ledger.contracts import Contracts, Event
from scf.ledger.deploy import creation_code, deploy
from scf.ledger.embedded.engine import EmbeddedLedger
from scf.ledger.hashing import keccak
from scf.ledger.journal import MemoryJournal
from scf.ledger.relayer import Relayer
from scf.ledger.signing import address_of, canonical
from scf.ledger.types import Call

OBLIGOR, SUPPLIER, FINANCIER, BANK, ATTESTOR, APPROVER = 1, 2, 4, 8, 16, 32
HOUR, DAY = 3_600, 86_400
START = 1_790_000_000 // HOUR * HOUR
FOREVER = 2**40 - 1
ZERO = "0x" + "00" * 20
NOTHING = bytes(32)
RELAYER = keccak(b"audit relayer")
OPERATORS = [keccak(f"audit operator {n}".encode()) for n in range(3)]


def key_of(name: str) -> bytes:
    return keccak(f"audit participant {name}".encode())


def tag(text: str) -> bytes:
    return keccak(text.encode())


@dataclass
class World:
    ledger: EmbeddedLedger
    clock: VirtualClock
    relayer: Relayer
    contracts: Contracts
    addresses: dict[str, str] = field(default_factory=dict)
    keys: dict[str, list[bytes]] = field(default_factory=dict)  # of a member; several for a quorum account
    sent: int = 0

    @classmethod
    def start(cls) -> World:
        clock = VirtualClock(START)
        ledger = EmbeddedLedger(":memory:", clock, chain_id=20_260)
        relayer = Relayer(ledger, RELAYER, MemoryJournal())
        return cls(ledger, clock, relayer, deploy(relayer, OPERATORS, 2))

    @property
    def now(self) -> int:
        return self.clock.now()

    # -- sending ------------------------------------------------------------------------------------------------

    def send(self, *calls: Call) -> list[Event]:
        self.sent += len(calls)
        first = self.sent - len(calls)
        receipts = self.relayer.send([(f"act:{first + at}", call) for at, call in enumerate(calls)])
        assert all(receipt.succeeded for receipt in receipts)
        return [event for receipt in receipts for log in receipt.logs if (event := self.contracts.decode(log))]

    def sign(self, contract: str, intent: str, message: dict[str, Any], who: str) -> bytes:
        digest = intents.digest(self.contracts, contract, intent, message)
        return b"".join(intents.quorum_digest(self.keys[who], digest))

    def quorum_act(
        self, contract: str, function: str, intent: str, message: dict[str, Any], consent: str = ""
    ) -> list[Event]:
        handle = self.contracts.handle(contract)
        nonce = handle.read(self.ledger, "quorumNonce")
        signatures = intents.quorum(OPERATORS[:2], self.contracts, contract, intent, {**message, "nonce": nonce})
        agreed = [self.sign(contract, intent, {**message, "nonce": nonce}, consent)] if consent else []
        return self.send(handle.call(function, *message.values(), signatures, *agreed))

    def act(self, contract: str, function: str, intent: str, message: dict[str, Any], who: str) -> list[Event]:
        """An act whose arguments are its message and one signature."""
        signature = self.sign(contract, intent, message, who)
        return self.send(self.contracts.handle(contract).call(function, *message.values(), signature))

    # -- members ------------------------------------------------------------------------------------------------

    def enrolment(self, name: str, roles: int, organisation: int, limit: int = 0, bank: str = "") -> dict[str, Any]:
        self.addresses[name] = address_of(key_of(name))
        self.keys.setdefault(name, [key_of(name)])
        return {
            "member": self.addresses[name],
            "key": self.addresses[name],
            "organisation": organisation,
            "roles": roles,
            "limit": limit,
            "payingBank": self.addresses[bank] if bank else ZERO,
            "identity": tag(name),
        }

    def quorum_account(self, name: str) -> str:
        """A contract account of two persons, to be the key of a member."""
        self.keys[name] = [key_of(f"{name} maker"), key_of(f"{name} checker")]
        owners = sorted((address_of(key) for key in self.keys[name]), key=canonical)
        receipt = self.relayer.deploy(f"quorum:{name}", creation_code("QuorumAccount", owners, 2))
        assert receipt.contract_address
        return receipt.contract_address

    # -- receivables --------------------------------------------------------------------------------------------

    def issue_message(self, obligor: str, creditor: str, face: int, invoice: str, days: int = 90) -> dict[str, Any]:
        return {
            "obligor": self.addresses[obligor],
            "creditor": self.addresses[creditor],
            "face": face,
            "currency": 156,
            "maturity": self.now + days * DAY,
            "maxTier": 6,
            "minAmount": 10,
            "fingerprint": tag(invoice),
            "document": tag(f"document {invoice}"),
            "offerUntil": self.until(5),
            "deadline": FOREVER - 10**6 + self.sent,  # each later than the one before
        }

    def until(self, days: int) -> int:
        return (self.now // HOUR + 24 * days) * HOUR

    def issue(self, obligor: str, creditor: str, face: int, invoice: str, days: int = 90) -> int:
        message = self.issue_message(obligor, creditor, face, invoice, days)
        signature = self.sign("Receivables", "Issue", message, obligor)
        note: int = self.send(self.contracts.receivables.call("issue", message, signature))[0].args["noteId"]
        return note

    def accept(self, note: int, who: str) -> None:
        self.act("Receivables", "accept", "Accept", {"noteId": note, "deadline": FOREVER}, who)

    def pass_call(self, parent: int, index: int, giver: str, to: str, amount: int) -> Call:
        message = {
            "parentId": parent,
            "childIndex": index,
            "to": self.addresses[to],
            "amount": amount,
            "evidence": tag(f"order {parent} {index}"),
            "offerUntil": self.until(3),
            "deadline": FOREVER,
        }
        return self.contracts.receivables.call("pass", message, self.sign("Receivables", "Pass", message, giver))

    def pass_on(self, parent: int, index: int, giver: str, to: str, amount: int) -> int:
        note: int = self.send(self.pass_call(parent, index, giver, to, amount))[-1].args["noteId"]
        return note

    def path(self, parent: int, index: int, evidence: bytes) -> dict[str, Any]:
        return {"receivableId": parent >> 192, "parentId": parent, "childIndex": index, "evidence": evidence}

    def give_back(self, function: str, parent: int, index: int, who: str) -> None:
        evidence = tag(f"order {parent} {index}")
        path = self.path(parent, index, evidence)
        note = self.contracts.receivables.read(self.ledger, "noteIdOf", *path.values())
        if function == "lapse":
            self.send(self.contracts.receivables.call("lapse", *path.values()))
            return
        message = {"noteId": note, "deadline": FOREVER}
        extra: list[Any] = []
        if function == "refuse":
            extra = [tag("wrong goods")]
            message = {"noteId": note, "reason": extra[0], "deadline": FOREVER}
        signature = self.sign("Receivables", function.capitalize(), message, who)
        self.send(self.contracts.receivables.call(function, *path.values(), *extra, FOREVER, signature))

    def finance(self, parent: int, holder: str, amount: int, account: int = 0) -> int:
        quote = {
            "parentId": parent,
            "financier": self.addresses["financier"],
            "payingBank": self.addresses["bank"],
            "amount": amount,
            "net": amount - 100,
            "discount": 90,
            "fees": 10,
            "aprPpm": 56_280,
            "recourse": True,
            "terms": tag("terms"),
            "evidence": tag(f"quote {parent} {amount}"),
            "entrustedAccount": account,
            "lockUntil": self.until(2),
            "expiry": self.now + DAY,
        }
        quote_hash = intents.struct_hash("Receivables", "Quote", quote)
        reading = {"quoteHash": quote_hash, "reading": tag("read"), "deadline": FOREVER}
        price = self.sign("Receivables", "Quote", quote, "financier")
        taken = self.sign("Receivables", "FinanceAccept", reading, holder)
        call = self.contracts.receivables.call("finance", quote, price, tag("read"), FOREVER, taken)
        note: int = self.send(call)[-1].args["noteId"]
        return note

    def complete(self, note: int, net: int, reference: str) -> None:
        message = {
            "noteId": note,
            "net": net,
            "registration": tag(f"registration {note}"),
            "bankReference": tag(reference),
            "deadline": FOREVER,
        }
        self.act("Receivables", "completeFinancing", "CompleteFinancing", message, "bank")

    def pay(self, receivable: int, round_: int, principal: int, interest: int, weights: dict[int, int]) -> None:
        principal_cut, principal_note = pro_rata_cut(principal, weights) if principal else (0, 0)
        interest_cut, interest_note = pro_rata_cut(interest, weights) if interest else (0, 0)
        message = {
            "receivableId": receivable,
            "round": round_,
            "principal": principal,
            "interest": interest,
            "principalCut": principal_cut,
            "principalCutNote": principal_note,
            "interestCut": interest_cut,
            "interestCutNote": interest_note,
            "bankReference": tag(f"payment {receivable} {round_}"),
            "deadline": FOREVER,
        }
        signature = self.sign("Receivables", "Payment", message, "bank")
        self.send(self.contracts.receivables.call("recordPayment", message, signature))

    def settle(self, receivable: int, round_: int, notes: Sequence[int]) -> list[Event]:
        return self.send(self.contracts.receivables.call("settleMany", receivable, round_, list(notes)))

    # -- entrusted accounts -------------------------------------------------------------------------------------

    def open_account(self, amounts: Sequence[int]) -> int:
        stage = {"payee": self.addresses["s2"], "payeeAccount": tag("account"), "rule": tag("delivered")}
        opening = {
            "payer": self.addresses["financier"],
            "beneficiary": self.addresses["s1"],
            "bank": self.addresses["bank"],
            "currency": 156,
            "account": tag("locked account"),
            "purpose": tag("steel"),
            "consent": tag("consent"),
            "stages": [{**stage, "amount": amount, "deadline": self.now + 20 * DAY} for amount in amounts],
            "attestors": [self.addresses["carrier"], self.addresses["warehouse"]],
            "approvers": [self.addresses["maker"], self.addresses["checker"]],
            "salt": tag(f"salt {self.sent}"),
            "deadline": FOREVER,
        }
        payer = self.sign("EntrustedAccounts", "Opening", opening, "financier")
        beneficiary = self.sign("EntrustedAccounts", "Opening", opening, "s1")
        account: int = self.send(self.contracts.entrusted.call("open", opening, payer, beneficiary))[0].args[
            "accountId"
        ]
        return account

    def entrusted(self, function: str, intent: str, who: str, account: int, **values: Any) -> list[Event]:
        message = {"accountId": account, **values, "deadline": FOREVER}
        return self.act("EntrustedAccounts", function, intent, message, who)

    def attest(self, account: int, stage: int, who: str, up_to: int) -> None:
        facts = {"stage": stage, "attestor": self.addresses[who], "upTo": up_to, "evidence": tag(f"{who} {up_to}")}
        self.entrusted("attest", "Attest", who, account, **facts)

    def approve(self, account: int, stage: int, who: str, up_to: int) -> None:
        facts = {"stage": stage, "approver": self.addresses[who], "upTo": up_to, "decision": tag(f"{who} {up_to}")}
        self.entrusted("approve", "Approve", who, account, **facts)

    def anchor(self, size: int, root: bytes, previous: int) -> None:
        operator = address_of(OPERATORS[0])
        message = {"size": size, "root": root, "previousSize": previous, "operator": operator, "deadline": FOREVER}
        digest = intents.digest(self.contracts, "EvidenceLog", "Anchor", message)
        signature = intents.quorum_digest(OPERATORS[:1], digest)[0]
        self.send(self.contracts.evidence.call("anchor", *message.values(), signature))
