"""The closing state: contracts, senders and storage proved under the closing block's state root (EIP-1186).

`state/nodes.rlp` is a pool of trie nodes, each its own RLP item; `state/closing.json` repeats for people what they say.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from . import rlp_codec as rlp
from .canonical import parse
from .chain import Header
from .container import Container
from .faults import Absent, Malformed
from .hashing import keccak
from .manifest import Manifest, hex_bytes
from .register import Register, address_text
from .report import Check, Report
from .storage import Slot, expected_slots, layout_of
from .tries import EMPTY_CODE_HASH, NodePool
from .trust import Trust

CLOSING = "state/closing.json"
NODES = "state/nodes.rlp"


@dataclass(frozen=True, slots=True)
class Account:
    """An account as the state trie holds it."""

    nonce: int
    storage_root: bytes
    code_hash: bytes


def check_state(
    manifest: Manifest, container: Container, closing: Header, register: Register | None, trust: Trust, report: Report
) -> None:
    """Prove the contracts' accounts, every sender's nonce and the register's storage. Raises Malformed."""
    check = report.check("state")
    missing = [path for path in (CLOSING, NODES) if path not in container.sizes]
    for path in missing:
        check.unprovable("file_missing", path)
    if missing:
        return
    pool = NodePool(rlp.split(container.read(NODES)))
    claims = _claims(container, closing, check)
    roots: dict[str, bytes] = {}
    for name, address in manifest.scope.contracts.items():
        account = _account(pool, closing, address, name, check)
        if account is not None:
            roots[name] = account.storage_root
            _contract(name, account, claims.get(name), trust, check)
    if register is not None:
        _senders(pool, closing, register, check)
        _storage(pool, roots, register, report)


def _claims(container: Container, closing: Header, check: Check) -> Mapping[str, Any]:
    source = parse(container.read(CLOSING), CLOSING)
    accounts = source.get("accounts") if isinstance(source, dict) else None
    if not isinstance(accounts, dict) or not all(isinstance(entry, dict) for entry in accounts.values()):
        raise Malformed(CLOSING, "“accounts” is missing")
    check.expect("scope", CLOSING, source.get("block"), closing.number)
    check.expect("scope", CLOSING, hex_bytes(source.get("state_root"), 32, CLOSING), closing.state_root)
    return accounts


def _account(pool: NodePool, closing: Header, address: bytes, record: str, check: Check) -> Account | None:
    check.count()
    try:
        value = pool.value(closing.state_root, keccak(address))
    except Absent:
        check.unprovable("proof_missing", record, closing.state_root)
        return None
    except Malformed as fault:
        check.fail("proof_false", record, closing.state_root, fault.reason)
        return None
    fields = rlp.decode_list(value) if value else []
    if len(fields) != 4:
        check.fail("proof_absent", record, "account", "none")
        return None
    return Account(rlp.as_int(fields[0]), rlp.as_bytes(fields[2], 32), rlp.as_bytes(fields[3], 32))


def _contract(name: str, account: Account, claim: Any, trust: Trust, check: Check) -> None:
    if claim is None:
        check.unprovable("proof_missing", name)
    else:
        check.expect("proof_storage", name, hex_bytes(claim.get("storage_root"), 32, CLOSING), account.storage_root)
        check.expect("proof_code", name, hex_bytes(claim.get("code_hash"), 32, CLOSING), account.code_hash)
    if account.code_hash == EMPTY_CODE_HASH:
        check.fail("no_code", name, "code", "none")
    known = (trust.code_hashes or {}).get(name)
    if known is not None:
        check.expect("trust_code", name, known, account.code_hash)


def _senders(pool: NodePool, closing: Header, register: Register, check: Check) -> None:
    """A sender's nonce counts its transactions: none was left out at the end either."""
    for sender, nonce in register.nonces.items():
        record = f"sender {address_text(sender)}"
        account = _account(pool, closing, sender, record, check)
        if account is not None:
            check.expect("sender_nonce", record, account.nonce, nonce)


def _storage(pool: NodePool, roots: Mapping[str, bytes], register: Register, report: Report) -> None:
    check = report.check("storage")

    def value(slot: Slot) -> int | None:
        found = pool.value(roots[slot.contract], slot.key) if slot.contract in roots else None
        return int.from_bytes(rlp.as_bytes(rlp.decode(found)), "big") if found else 0

    first = None
    with suppress(Absent, Malformed):
        first = layout_of(value, register)
    if first is None:
        check.unprovable("layout_unknown", "Members")
        return
    for slot in expected_slots(register, first):
        if slot.contract not in roots:
            continue  # its account is not proved, which is said already
        check.count()
        try:
            found = (value(slot) or 0) & slot.mask
        except Absent:
            check.unprovable("proof_missing", slot.record, slot.contract)
        except Malformed as fault:
            check.fail("proof_false", slot.record, roots[slot.contract], fault.reason)
        else:
            if found != slot.value:
                check.fail("slot", f"{slot.contract} {slot.record}", hex(slot.value), hex(found))
