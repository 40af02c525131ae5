"""The rebuilt register against the contracts' own storage at the closing block.

What the events tell must be what the contracts hold: every note, every receivable's terms and sums, every entrusted
account and stage, members' words and limits, the head of the evidence log, the counters. Slots follow from the storage
layout of the pinned contracts (Solidity: value of mapping `m` at key `k` lies at keccak256(k ‖ slot of m)).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from .faults import Absent
from .hashing import keccak
from .limits_book import NO_LIMIT
from .register import MASS, PENDING, Account, Member, Note, Receivable, Register, address_text, name_of

_HOUR = 3600
_OFFERED, _OPEN, _CLOSED, _CANCELLED, _REPORTED = 1, 2, 3, 4, 128
LAYOUTS = (0, 2)
"""First slot of our own variables: 2 in contracts whose EIP-712 base keeps a name and a version in storage, else 0."""
_EXPOSURES, _FOREIGN, _GROUP_LIMITS, _BOUGHT, _GROUPS = 0, 1, 2, 3, 4
_MEMBER_WORDS, _MEMBER_NONCE, _THRESHOLD = 6, 13, 14
_NONCE, _NOTES, _RECEIVABLES, _RECEIVABLE_COUNT = 1, 2, 3, 12
_ACCOUNTS, _STAGES, _ACCOUNT_COUNT = 2, 3, 9
_HEAD = 0
_TERMS_MASK = (2**256 - 1) ^ (0xFF << 192)  # all but the bit length of the smallest amount, which follows from the sums


@dataclass(frozen=True, slots=True)
class Slot:
    """A storage slot of a contract and the value it must hold."""

    contract: str
    slot: int
    value: int
    record: str
    mask: int = 2**256 - 1  # bits that are compared

    @property
    def key(self) -> bytes:
        """Key in the contract's storage trie."""
        return keccak(self.slot.to_bytes(32, "big"))


def _at(mapping: int, key: int) -> int:
    return int.from_bytes(keccak(key.to_bytes(32, "big") + mapping.to_bytes(32, "big")), "big")


def _number(address: bytes) -> int:
    return int.from_bytes(address, "big")


def layout_of(value: Callable[[Slot], int | None], register: Register) -> int | None:
    """Which layout the contracts have: the one where the operators' threshold, never zero, is found; None for none."""
    for first in LAYOUTS:
        slot = Slot("Members", first + _THRESHOLD, register.threshold, "Members threshold")
        try:
            found = value(slot)
        except Absent:
            continue  # only the slots of the true layout are proved
        if register.threshold and found == register.threshold:
            return first
    return None


def expected_slots(register: Register, first: int) -> Iterator[Slot]:
    """Every slot the register says something about; `first` is the layout."""
    nonces = register.quorum_nonces
    yield Slot("Members", first + _MEMBER_NONCE, nonces.get("Members", 0), "Members quorum nonce")
    yield Slot("Members", first + _THRESHOLD, register.threshold, "Members threshold")
    yield Slot("Receivables", first + _NONCE, nonces.get("Receivables", 0), "Receivables quorum nonce")
    yield Slot("Receivables", first + _RECEIVABLE_COUNT, len(register.receivables), "count of receivables")
    yield Slot(
        "EntrustedAccounts", first + _NONCE, nonces.get("EntrustedAccounts", 0), "EntrustedAccounts quorum nonce"
    )
    yield Slot("EntrustedAccounts", first + _ACCOUNT_COUNT, len(register.accounts), "count of entrusted accounts")
    size = register.heads[-1][0] if register.heads else 0
    yield Slot("EvidenceLog", first + _HEAD, size | register.anchored_at << 64, "evidence log head")
    for member in register.members.values():
        yield from _member(member, first)
    yield from _limits(register, first)
    for receivable in register.receivables.values():
        yield from _receivable(receivable, first)
        for id_ in receivable.notes:
            yield Slot("Receivables", _at(first + _NOTES, id_), _note(receivable, register.notes[id_]), name_of(id_))
    for account in register.accounts.values():
        yield from _account(account, first)


def _member(member: Member, first: int) -> Iterator[Slot]:
    who = _number(member.address)
    word = _number(member.key) | member.organisation << 160 | member.roles << 192 | member.standing << 224
    record = f"member {address_text(member.address)}"
    yield Slot("Members", _at(first + _MEMBER_WORDS, who), word, record)
    foreign = sum(debt for code, debt in member.debts.items() if code != member.currency)
    exposure = member.limit | member.used << 64 | foreign << 128 | member.currency << 192
    exposure |= member.overdue << 208 | member.group << 232
    yield Slot("Members", _at(first + _EXPOSURES, who), exposure, f"{record} limit and use")
    for code, debt in member.debts.items():
        value = 0 if code == member.currency else debt
        yield Slot("Members", _at(first + _FOREIGN, code << 160 | who), value, f"{record} debt in currency {code}")


def _limits(register: Register, first: int) -> Iterator[Slot]:
    """Limits of groups and financiers are kept inverted, so that none set is no limit."""
    for (group, code), limit in register.group_limits.items():
        place = _at(first + _GROUP_LIMITS, code << 24 | group)
        yield Slot("Members", place, NO_LIMIT ^ limit, f"group {group} limit in currency {code}")
    for financier, code in {**register.bought, **register.financier_limits}:
        limit = register.financier_limits.get((financier, code), NO_LIMIT)
        value = NO_LIMIT ^ limit | register.bought.get((financier, code), 0) << 64
        record = f"financier {address_text(financier)} limit and use in currency {code}"
        yield Slot("Members", _at(first + _BOUGHT, code << 160 | _number(financier)), value, record)
    for group, obligors in register.groups.items():
        place = _at(first + _GROUPS, group)
        yield Slot("Members", place, len(obligors), f"group {group} size")
        inner = int.from_bytes(keccak(place.to_bytes(32, "big")), "big")
        for number, obligor in enumerate(obligors):
            yield Slot("Members", inner + number, _number(obligor), f"group {group} member {number}")


def _status(receivable: Receivable) -> int:
    if receivable.cancelled:
        return _CANCELLED
    if receivable.closed:
        return _CLOSED
    if not receivable.accepted:
        return _OFFERED
    return _OPEN | (_REPORTED if receivable.overdue_reported else 0)


def _receivable(receivable: Receivable, first: int) -> Iterator[Slot]:
    terms = (
        _number(receivable.obligor)
        | receivable.maturity << 160
        | (receivable.issued_hour & 0xFFFFFF) << 200
        | receivable.max_tier << 224
        | _status(receivable) << 232
        | receivable.currency << 240
    )
    sums = (
        receivable.face
        | receivable.outstanding << 64
        | receivable.paid << 128
        | receivable.min_amount << 192
        | len(receivable.rounds) << 240
    )
    place = _at(first + _RECEIVABLES, receivable.id)
    yield Slot("Receivables", place, terms, f"receivable {receivable.id} terms", _TERMS_MASK)
    yield Slot("Receivables", place + 1, sums, f"receivable {receivable.id} sums")


def _note(receivable: Receivable, note: Note) -> int:
    """A note's word; while it is pending its children field holds the deadline."""
    if note.erased:
        return 0
    children = note.children
    if note.flags & (PENDING | MASS):
        children = note.until // _HOUR - receivable.issued_hour
    return _number(note.holder) | note.amount << 160 | children << 224 | note.tier << 240 | note.flags << 248


def _account(account: Account, first: int) -> Iterator[Slot]:
    place, record = _at(first + _ACCOUNTS, account.id), f"entrusted account {account.id}"
    head = _number(account.payer) | account.currency << 160 | len(account.stages) << 176 | bool(account.locked) << 184
    yield Slot("EntrustedAccounts", place, head, record)
    yield Slot("EntrustedAccounts", place + 1, _number(account.beneficiary) | account.amount << 160, record)
    moved = _number(account.bank) | account.released << 160
    yield Slot("EntrustedAccounts", place + 2, moved, f"{record} released")
    yield Slot("EntrustedAccounts", place + 3, account.refunded, f"{record} refunded")
    inner = _at(first + _STAGES, account.id)
    for number, stage in enumerate(account.stages):
        at = _at(inner, number)
        sums = stage.amount | stage.released << 64 | stage.refunded << 128 | stage.disputed << 192
        yield Slot("EntrustedAccounts", at + 1, sums, f"{record} stage {number}")
        granted = stage.granted_release | stage.granted_refund << 64 | stage.denied_support << 128
        yield Slot("EntrustedAccounts", at + 2, granted, f"{record} stage {number} granted")
