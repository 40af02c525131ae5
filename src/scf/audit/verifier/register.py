"""The register as the events tell it: members, receivables, notes, entrusted accounts, evidence heads.

Addresses are 20 bytes, hashes 32 bytes, amounts integers in the currency's minor unit, times unix seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .hashing import keccak
from .report import Report

SUSPENDED, BLACKLISTED, HALTED = 1, 2, 4
OBLIGOR, SUPPLIER, FINANCIER, BANK, ATTESTOR, APPROVER, OPERATOR, AUDITOR, REGULATOR = (1 << bit for bit in range(9))
ZERO = b"\0" * 20
# flags of a note, as the contract keeps them
OFFERED, LOCKED, FROZEN, RECOURSE, FINANCED, MASS, MOVED, LEAF = (1 << bit for bit in range(8))
PENDING = OFFERED | LOCKED | MASS
_MASK_192 = 2**192 - 1


@dataclass(frozen=True, slots=True)
class Event:
    """A decoded log of one of the four contracts."""

    contract: str
    name: str
    args: Mapping[str, Any]
    block: int
    timestamp: int
    position: int  # of the transaction in its block
    index: int  # of the log in its transaction

    @property
    def record(self) -> str:
        """Where it stands, as reports print it."""
        return f"block {self.block} tx {self.position} log {self.index} {self.contract}.{self.name}"


@dataclass(slots=True)
class Member:
    """Who may act; `key` is the present signing key."""

    address: bytes
    key: bytes
    organisation: int
    roles: int
    limit: int
    paying_bank: bytes
    standing: int = 0
    used: int = 0  # of an obligor: unpaid debt, all currencies together
    debts: dict[int, int] = field(default_factory=dict)  # the same by currency
    currency: int = 0  # of the first of the debt there is
    overdue: int = 0  # receivables reported overdue and not paid
    group: int = 0

    @property
    def good(self) -> bool:
        """Neither suspended nor blacklisted."""
        return not self.standing & (SUSPENDED | BLACKLISTED)


@dataclass(slots=True)
class Note:
    """A node of a receivable's tree."""

    id: int
    receivable: int
    parent: int
    index: int
    holder: bytes
    amount: int
    tier: int
    flags: int
    until: int = 0  # deadline of the offer, of the lock or of the mass pass
    children: int = 0
    settled_rounds: int = 0
    moved_from: int = 0
    mass_root: int = 0
    mass_count: int = 0
    erased: bool = False  # paid in full and without children: the contract clears its slot
    quote: Mapping[str, Any] | None = None

    @property
    def bucket(self) -> str:
        """Which of the receivable's sums the amount belongs to."""
        if self.flags & LOCKED:
            return "locked"
        return "offered" if self.flags & PENDING else "held"


@dataclass(slots=True)
class Round:
    """One recorded payment and what of it is not handed on yet."""

    number: int
    principal: int
    interest: int
    base: int
    base_left: int
    principal_left: int
    interest_left: int
    cuts: Mapping[str, Any] | None = None  # what the bank signed: principalCut, principalCutNote, …

    @property
    def is_full(self) -> bool:
        """Whether everything that was outstanding was paid."""
        return self.principal == self.base


@dataclass(slots=True)
class Receivable:
    """Terms of a debt, the tree of its notes, and the four sums that must add up to the face."""

    id: int
    obligor: bytes
    creditor: bytes
    face: int
    currency: int
    maturity: int
    max_tier: int
    min_amount: int
    fingerprint: bytes
    outstanding: int
    issued_hour: int
    sums: dict[str, int] = field(default_factory=lambda: {"held": 0, "offered": 0, "locked": 0, "settled": 0})
    notes: list[int] = field(default_factory=list)
    rounds: list[Round] = field(default_factory=list)
    paid: int = 0
    interest_settled: int = 0
    accepted: bool = False
    cancelled: bool = False
    closed: bool = False
    overdue_reported: bool = False

    @property
    def is_open(self) -> bool:
        """Accepted by its creditor, neither cancelled nor paid in full."""
        return self.accepted and not self.cancelled and not self.closed


@dataclass(slots=True)
class Stage:
    """One stage of an entrusted account."""

    payee: bytes
    amount: int
    deadline: int
    up_to: dict[bytes, int] = field(default_factory=dict)  # who -> cumulative value attested or approved
    released: int = 0
    refunded: int = 0
    disputed: int = 0
    granted_release: int = 0  # decided after a dispute, not yet executed
    granted_refund: int = 0
    denied_support: int = 0  # supported value that decisions sent back

    @property
    def free(self) -> int:
        """Neither gone nor held nor decided."""
        gone = self.released + self.refunded + self.disputed
        return self.amount - gone - self.granted_release - self.granted_refund


@dataclass(slots=True)
class Account:
    """An entrusted-payment account."""

    id: int
    payer: bytes
    beneficiary: bytes
    bank: bytes
    currency: int
    amount: int
    stages: list[Stage] = field(default_factory=list)
    duties: dict[bytes, int] = field(default_factory=dict)
    locked: int = 0
    released: int = 0
    refunded: int = 0


@dataclass(slots=True)
class Executed:
    """A payment out of an entrusted account: which stage it was made for, and what of it has not come back."""

    account: int
    stage: int
    is_refund: bool
    left: int


@dataclass(frozen=True, slots=True)
class BankLine:
    """A payment the ledger says a bank has made or seen, to be found in the statements."""

    record: str
    kind: str  # locked, released, refunded, returned, financed, paid
    reference: bytes
    payment_id: bytes | None
    amount: int
    currency: int
    account: int = 0


@dataclass(slots=True)
class Register:
    """Everything the events say, with the report that hears of contradictions."""

    report: Report
    contracts: Mapping[str, bytes]
    chain_id: int
    members: dict[bytes, Member] = field(default_factory=dict)
    keys: dict[bytes, bytes] = field(default_factory=dict)  # key -> member
    groups: dict[int, list[bytes]] = field(default_factory=dict)  # group -> its obligors
    group_limits: dict[tuple[int, int], int] = field(default_factory=dict)  # group, currency
    financier_limits: dict[tuple[bytes, int], int] = field(default_factory=dict)  # financier, currency
    bought: dict[tuple[bytes, int], int] = field(default_factory=dict)  # financier, currency -> locked or bought
    operators: tuple[bytes, ...] = ()
    threshold: int = 0
    connected: list[bytes] = field(default_factory=list)
    quorum_nonces: dict[str, int] = field(default_factory=dict)
    receivables: dict[int, Receivable] = field(default_factory=dict)
    notes: dict[int, Note] = field(default_factory=dict)
    fingerprints: dict[bytes, int] = field(default_factory=dict)
    quotes: set[bytes] = field(default_factory=set)
    accounts: dict[int, Account] = field(default_factory=dict)
    bank_lines: list[BankLine] = field(default_factory=list)
    bank_references: dict[tuple[str, bytes, bytes], str] = field(default_factory=dict)  # contract, bank, reference
    payment_ids: dict[tuple[bytes, bytes], str] = field(default_factory=dict)  # bank, payment id
    executed: dict[tuple[bytes, bytes], Executed] = field(default_factory=dict)  # bank, payment id
    used_acts: set[bytes] = field(default_factory=set)
    heads: list[tuple[int, bytes, str]] = field(default_factory=list)
    anchored_at: int = 0
    nonces: dict[bytes, int] = field(default_factory=dict)  # of the senders of transactions: the next one
    events: int = 0

    def organisation(self, address: bytes) -> int | None:
        """Legal entity a member acts for."""
        member = self.members.get(address)
        return member.organisation if member else None

    def key_of(self, address: bytes) -> bytes | None:
        """Present signing key of a member."""
        member = self.members.get(address)
        return member.key if member else None

    def is_good(self, address: bytes, roles: int = 0) -> bool:
        """A member in good standing, with at least one of `roles` when given."""
        member = self.members.get(address)
        return member is not None and member.good and (not roles or bool(member.roles & roles))

    def is_halted(self, address: bytes) -> bool:
        """An obligor that may not issue, and whose receivables may not be passed on."""
        member = self.members.get(address)
        return member is not None and bool(member.standing & HALTED)

    def use_reference(self, contract: str, bank: bytes, reference: bytes, record: str) -> None:
        """A bank's reference serves once in a contract."""
        check = self.report.check("references")
        check.count()
        earlier = self.bank_references.setdefault((contract, bank, reference), record)
        if earlier != record:
            check.fail("reference_twice", record, earlier, reference)


def note_id(receivable: int, parent: int, index: int, evidence: bytes) -> int:
    """Id that proves descent: receivable << 192 | uint192(keccak256(abi.encode(parent, index, evidence)))."""
    digest = keccak(parent.to_bytes(32, "big") + index.to_bytes(32, "big") + evidence)
    return receivable << 192 | (int.from_bytes(digest, "big") & _MASK_192)


def receivable_of(note: int) -> int:
    """Receivable a note id belongs to."""
    return note >> 192


def name_of(note: int) -> str:
    """A note id as reports print it."""
    return f"note 0x{note:064x}"


def address_text(address: bytes) -> str:
    """An address as reports print it."""
    return "0x" + address.hex()
