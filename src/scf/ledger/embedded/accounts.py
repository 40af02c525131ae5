"""Accounts, storage and code while a block is executed: plain dictionaries and a list of what to undo.

py-evm keeps the same behind several layers of journals of encoded values; half of a transaction's time went there.
Everything stays in memory until `persist` rewrites the tries once a block. Differential tests run whole transactions,
reverts and self-destructions included, on both.
"""

from __future__ import annotations

from typing import Any

from eth.abc import AccountDatabaseAPI, MetaWitnessAPI
from eth.db.witness import MetaWitness
from eth.typing import JournalDBCheckpoint
from eth_typing import Address, Hash32

from scf.ledger.embedded.trie import lookup, rewrite
from scf.ledger.encoding import integer, rlp_decode, rlp_encode
from scf.ledger.hashing import keccak
from scf.ledger.merkle import EMPTY_ROOT

EMPTY_CODE = keccak(b"")

Account = tuple[int, int, bytes, bytes]
"""Nonce, balance, storage root as last written, hash of the code."""
_EMPTY = Hash32(EMPTY_ROOT)
_NEW: Account = (0, 0, EMPTY_ROOT, EMPTY_CODE)


class Accounts(AccountDatabaseAPI):
    """The state under one root, changed in memory; `db` gives nodes and code by hash and takes the new ones."""

    def __init__(self, db: Any, state_root: Hash32 = _EMPTY) -> None:
        self._nodes = getattr(db, "wrapped_db", db)
        self._root = state_root
        self._known: dict[bytes, Account | None] = {}
        self._changed: set[bytes] = set()
        self._slots: dict[bytes, dict[int, int]] = {}
        self._written: dict[bytes, set[int]] = {}
        self._wiped: set[bytes] = set()
        self._codes: dict[bytes, bytes] = {}
        self._original: dict[tuple[bytes, int], int] = {}
        self._warm: set[Any] = set()
        self._undo: list[tuple[Any, ...]] = []

    @property
    def state_root(self) -> Hash32:
        """Root as last persisted."""
        return self._root

    @state_root.setter
    def state_root(self, value: Hash32) -> None:
        """Only the root that is there already: py-evm sets it when it reverts."""
        if value != self._root:
            raise ValueError("the state moves by persisting alone")

    def has_root(self, state_root: bytes) -> bool:
        """Whether the state of that root is there."""
        return state_root == EMPTY_ROOT or state_root in self._nodes

    def get_storage(self, address: Address, slot: int, from_journal: bool = True) -> int:
        """Value of a slot now, or (`from_journal` False) at the start of the transaction."""
        if not from_journal:
            original = self._original.get((address, slot))
            if original is not None:
                return original
        slots = self._slots.get(address)
        if slots is None:
            slots = self._slots[address] = {}
        value = slots.get(slot)
        if value is None:
            value = slots[slot] = self._stored(address, slot)
        return value

    def set_storage(self, address: Address, slot: int, value: int) -> None:
        """Set a slot."""
        current = self.get_storage(address, slot)
        if current == value:
            return
        self._original.setdefault((address, slot), current)
        self._undo.append((self._undo_slot, address, slot, current))
        self._slots[address][slot] = value
        written = self._written.get(address)
        if written is None:
            written = self._written[address] = set()
        written.add(slot)

    def delete_storage(self, address: Address) -> None:
        """Empty an account's storage."""
        nonce, balance, _, code_hash = self._account(address) or _NEW
        self._set(address, (nonce, balance, EMPTY_ROOT, code_hash))
        self._wipe(address)

    def is_storage_warm(self, address: Address, slot: int) -> bool:
        """Whether the transaction touched the slot before (EIP-2929)."""
        return (address, slot) in self._warm

    def mark_storage_warm(self, address: Address, slot: int) -> None:
        """Note that it did."""
        self._mark((address, slot))

    def is_address_warm(self, address: Address) -> bool:
        """Whether the transaction touched the account before (EIP-2929)."""
        return address in self._warm

    def mark_address_warm(self, address: Address) -> None:
        """Note that it did."""
        self._mark(address)

    def get_balance(self, address: Address) -> int:
        """Balance in wei."""
        return (self._account(address) or _NEW)[1]

    def set_balance(self, address: Address, balance: int) -> None:
        """Set it; a new account comes to be."""
        nonce, _, root, code_hash = self._account(address) or _NEW
        self._set(address, (nonce, balance, root, code_hash))

    def get_nonce(self, address: Address) -> int:
        """Number of its transactions or creations."""
        return (self._account(address) or _NEW)[0]

    def set_nonce(self, address: Address, nonce: int) -> None:
        """Set it; a new account comes to be."""
        _, balance, root, code_hash = self._account(address) or _NEW
        self._set(address, (nonce, balance, root, code_hash))

    def increment_nonce(self, address: Address) -> None:
        """One more."""
        self.set_nonce(address, self.get_nonce(address) + 1)

    def get_code(self, address: Address) -> bytes:
        """Code, empty where there is none."""
        code_hash = self.get_code_hash(address)
        if code_hash == EMPTY_CODE:
            return b""
        code: bytes | None = self._codes.get(code_hash)
        if code is None:
            code = self._codes[code_hash] = self._nodes.node(code_hash)
        return code

    def set_code(self, address: Address, code: bytes) -> None:
        """Set it; a new account comes to be."""
        code_hash = keccak(code)
        nonce, balance, root, _ = self._account(address) or _NEW
        self._set(address, (nonce, balance, root, code_hash))
        self._codes[code_hash] = code

    def get_code_hash(self, address: Address) -> Hash32:
        """Hash of the code."""
        return Hash32((self._account(address) or _NEW)[3])

    def delete_code(self, address: Address) -> None:
        """Take the code away."""
        self.set_code(address, b"")

    def account_has_code_or_nonce(self, address: Address) -> bool:
        """Whether a contract may not be created here."""
        nonce, _, _, code_hash = self._account(address) or _NEW
        return nonce != 0 or code_hash != EMPTY_CODE

    def delete_account(self, address: Address) -> None:
        """Take the account with its storage out of the state."""
        self._wipe(address)
        self._set(address, None)

    def account_exists(self, address: Address) -> bool:
        """Whether the state has it, be it empty."""
        return self._account(address) is not None

    def touch_account(self, address: Address) -> None:
        """Let it exist."""
        if self._account(address) is None:
            self._set(address, _NEW)

    def account_is_empty(self, address: Address) -> bool:
        """No nonce, balance or code (EIP-161)."""
        nonce, balance, _, code_hash = self._account(address) or _NEW
        return not nonce and not balance and code_hash == EMPTY_CODE

    def record(self) -> JournalDBCheckpoint:
        """A point to come back to."""
        checkpoint: Any = len(self._undo)
        return checkpoint  # type: ignore[no-any-return]

    def discard(self, checkpoint: JournalDBCheckpoint) -> None:
        """Undo everything since that point."""
        point: Any = checkpoint
        while len(self._undo) > point:
            undo, *arguments = self._undo.pop()
            undo(*arguments)

    def commit(self, checkpoint: JournalDBCheckpoint) -> None:
        """Everything since that point stays, unless an earlier point is come back to."""

    def lock_changes(self) -> None:
        """A new transaction begins: what is there now is its original state, nothing is warm."""
        self._undo.clear()
        self._original.clear()
        self._warm.clear()

    def make_state_root(self) -> Hash32:
        """Rewrite the tries with all changes; their new nodes go to the store."""
        load, keep = self._nodes.node, self._nodes.__setitem__
        for address in self._written.keys() | self._wiped:
            account = self._account(Address(address))
            base = EMPTY_ROOT if account is None or address in self._wiped else account[2]
            slots = self._slots[address]
            changes = {
                keccak(slot.to_bytes(32, "big")): rlp_encode(integer(slots[slot])) if slots[slot] else b""
                for slot in self._written.get(address, ())
            }
            root = rewrite(load, keep, base, changes)
            if account is not None or root != EMPTY_ROOT:
                nonce, balance, _, code_hash = account or _NEW
                self._set(address, (nonce, balance, root, code_hash))
        accounts = {keccak(address): _encoded(self._known[address]) for address in self._changed}
        self._root = Hash32(rewrite(load, keep, self._root, accounts))
        for code_hash in {account[3] for account in map(self._known.get, self._changed) if account} - {EMPTY_CODE}:
            if code_hash in self._codes:
                keep(code_hash, self._codes[code_hash])
        self._changed.clear()
        self._written.clear()
        self._wiped.clear()
        self.lock_changes()
        return self._root

    def persist(self) -> MetaWitnessAPI:
        """See `make_state_root`; what was read is not recorded."""
        self.make_state_root()
        return MetaWitness(set(), {})

    def _account(self, address: Address) -> Account | None:
        try:
            return self._known[address]
        except KeyError:
            body = lookup(self._nodes.node, self._root, keccak(address))
            found: Account | None = None
            if body:
                nonce, balance, root, code_hash = rlp_decode(body)
                found = (int.from_bytes(nonce, "big"), int.from_bytes(balance, "big"), root, code_hash)
            self._known[address] = found
            return found

    def _set(self, address: bytes, account: Account | None) -> None:
        self._undo.append((self._known.__setitem__, address, self._account(Address(address))))
        self._known[address] = account
        self._changed.add(address)

    def _stored(self, address: Address, slot: int) -> int:
        account = self._account(address)
        if account is None or address in self._wiped:
            return 0
        body = lookup(self._nodes.node, account[2], keccak(slot.to_bytes(32, "big")))
        return int.from_bytes(rlp_decode(body), "big") if body else 0

    def _mark(self, place: Any) -> None:
        if place not in self._warm:
            self._warm.add(place)
            self._undo.append((self._warm.discard, place))

    def _wipe(self, address: bytes) -> None:
        before = (self._slots.get(address), self._written.get(address), address in self._wiped)
        self._undo.append((self._undo_wipe, address, *before))
        self._slots[address] = {}
        self._written.pop(address, None)
        self._wiped.add(address)

    def _undo_slot(self, address: bytes, slot: int, value: int) -> None:
        self._slots[address][slot] = value

    def _undo_wipe(self, address: bytes, slots: dict[int, int] | None, written: set[int] | None, wiped: bool) -> None:
        self._slots[address] = {} if slots is None else slots
        self._written.pop(address, None)
        if written is not None:
            self._written[address] = written
        if not wiped:
            self._wiped.discard(address)


def _encoded(account: Account | None) -> bytes:
    if account is None:
        return b""
    nonce, balance, root, code_hash = account
    return rlp_encode([integer(nonce), integer(balance), root, code_hash])
