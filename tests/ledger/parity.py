"""The same signed intents on any engine, and what the register says afterwards."""

from __future__ import annotations

from typing import Any

from tests.ledger.programme import Programme

from scf.ledger.hashing import keccak
from scf.ledger.journal import MemoryJournal
from scf.ledger.protocol import Ledger
from scf.ledger.relayer import Relayer


def register_after(ledger: Ledger, key: bytes, passes: int, now: int) -> dict[str, Any]:
    """Run one programme with the relaying key and read the register back.

    The same key and the same `now` give the same contract addresses and so, byte for byte, the same signed intents.
    Every note is read, and every event with all its arguments is in `events`.
    """
    programme = Programme.start(Relayer(ledger, key, MemoryJournal()), now=now)
    note = programme.issue(10**9, "PARITY")
    receipts = programme.relayer.send(programme.pass_calls(note, passes, amount=7))
    assert all(receipt.succeeded for receipt in receipts)
    contracts = programme.contracts
    read = contracts.receivables.read
    notes = [read(ledger, "noteOf", programme.child(note, index)) for index in range(passes)]
    first = receipts[0].block_number
    logs = list(ledger.logs(max(0, first - 200), ledger.head().number, list(contracts.addresses.values())))
    events = [event for log in logs if (event := contracts.decode(log)) is not None]
    facts = {
        "addresses": contracts.addresses,
        "notes": [tuple(view) for view in notes],
        "parent": tuple(read(ledger, "noteOf", note)),
        "events": keccak(repr([(e.contract, e.name, dict(e.args)) for e in events]).encode()).hex(),
        "gas": sum(receipt.gas_used for receipt in receipts),
        "count": len(events),
    }
    return {**facts, "digest": keccak(repr(facts).encode()).hex()}
