"""A small programme on the real contracts: members, a receivable, passes. For tests and for the benchmark."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from scf.ledger import intents
from scf.ledger.contracts import Contracts
from scf.ledger.deploy import deploy
from scf.ledger.hashing import keccak
from scf.ledger.notes import note_id
from scf.ledger.relayer import Relayer
from scf.ledger.signing import address_of
from scf.ledger.types import Call, Receipt

OBLIGOR, SUPPLIER, FINANCIER, BANK, ATTESTOR, APPROVER = 1, 2, 4, 8, 16, 32
HOUR, DAY = 3_600, 86_400
OPERATORS = [keccak(f"operator {n}".encode()) for n in range(3)]


def key_of(name: str) -> bytes:
    """A key nobody else has, for a named participant of a test."""
    return keccak(f"participant {name}".encode())


@dataclass
class Programme:
    """Deployed contracts with enrolled members."""

    relayer: Relayer
    contracts: Contracts
    now: int
    keys: dict[str, bytes] = field(default_factory=dict)
    sent: int = 0

    @classmethod
    def start(cls, relayer: Relayer, *, suppliers: int = 3, limit: int = 10**12, now: int | None = None) -> Programme:
        contracts = deploy(relayer, OPERATORS, 2)
        programme = cls(relayer, contracts, relayer.ledger.head().timestamp if now is None else now)
        programme.enrol("bank", BANK, 1)
        programme.enrol("core", OBLIGOR, 2, limit=limit, paying_bank="bank")
        for at in range(suppliers):
            programme.enrol(f"s{at}", SUPPLIER, 10 + at)
        return programme

    def address(self, name: str) -> str:
        return address_of(self.keys[name])

    def enrol(self, name: str, roles: int, organisation: int, *, limit: int = 0, paying_bank: str = "") -> None:
        self.keys[name] = key_of(name)
        enrolment = {
            "member": self.address(name),
            "key": self.address(name),
            "organisation": organisation,
            "roles": roles,
            "limit": limit,
            "payingBank": self.address(paying_bank) if paying_bank else "0x" + "00" * 20,
            "identity": keccak(name.encode()),
        }
        members = self.contracts.members
        nonce = members.read(self.relayer.ledger, "quorumNonce")
        signatures = intents.quorum(OPERATORS[:2], self.contracts, "Members", "Enrol", {"e": enrolment, "nonce": nonce})
        self.send(members.call("enrol", enrolment, signatures), reference=f"enrol:{name}")

    def send(self, call: Call, *, reference: str = "") -> Receipt:
        self.sent += 1
        receipt = self.relayer.send([(reference or f"test:{self.sent}", call)])[0]
        assert receipt.succeeded
        return receipt

    def issue_call(self, face: int, invoice: str, *, signer: str = "core", **changes: Any) -> Call:
        message = {
            "obligor": self.address("core"),
            "creditor": self.address("s0"),
            "face": face,
            "currency": 156,
            "maturity": self.now + 90 * DAY,
            "maxTier": 10,
            "minAmount": 1,
            "fingerprint": keccak(invoice.encode()),
            "document": keccak(b"document " + invoice.encode()),
            "offerUntil": -(-(self.now + 5 * DAY) // HOUR) * HOUR,
            "deadline": self.now + 30 * DAY,
            **changes,
        }
        signature = intents.sign(self.keys[signer], self.contracts, "Receivables", "Issue", message)
        return self.contracts.receivables.call("issue", message, signature)

    def issue(self, face: int, invoice: str, *, accept: bool = True) -> int:
        """A receivable of the core enterprise to s0; returns the root note's id."""
        receipt = self.send(self.issue_call(face, invoice))
        event = self.contracts.decode(receipt.logs[0])
        assert event is not None
        note: int = event.args["noteId"]
        if accept:
            self.send(self.accept_call(note, "s0"))
        return note

    def accept_call(self, note: int, holder: str) -> Call:
        message = {"noteId": note, "deadline": self.now + 30 * DAY}
        signature = intents.sign(self.keys[holder], self.contracts, "Receivables", "Accept", message)
        return self.contracts.receivables.call("accept", note, message["deadline"], signature)

    def pass_call(
        self, parent: int, index: int, to: str, amount: int, *, signer: str = "s0", evidence: bytes = bytes(32)
    ) -> Call:
        message = {
            "parentId": parent,
            "childIndex": index,
            "to": self.address(to),
            "amount": amount,
            "evidence": evidence,
            "offerUntil": -(-(self.now + 10 * DAY) // HOUR) * HOUR,
            "deadline": self.now + 30 * DAY,
        }
        signature = intents.sign(self.keys[signer], self.contracts, "Receivables", "Pass", message)
        return self.contracts.receivables.call("pass", message, signature)

    def child(self, parent: int, index: int, evidence: bytes = bytes(32)) -> int:
        return note_id(parent >> 192, parent, index, evidence)

    def pass_calls(self, parent: int, count: int, *, first: int = 0, amount: int = 1) -> list[tuple[str, Call]]:
        """Signed passes of one note, one after the other, to the suppliers in turn."""
        names = [name for name in self.keys if name.startswith("s") and name != "s0"]
        return [
            (f"pass:{parent}:{index}", self.pass_call(parent, index, names[index % len(names)], amount))
            for index in range(first, first + count)
        ]
