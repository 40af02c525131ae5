"""A reference is signed once, stored before it is sent, and nonces never collide."""

from __future__ import annotations

import threading
from dataclasses import replace
from hashlib import sha256

import pytest
from sqlalchemy import Engine

from scf.kernel.problems import Problem
from scf.ledger.journal import Entry, Journal, MemoryJournal
from scf.store.relay_journal import SqlJournal

SENDER = "0x" + "Ab" * 20


def _sign(reference: str, nonce: int) -> bytes:
    return f"{reference}@{nonce}".encode()


def _keccak(raw: bytes) -> bytes:
    return sha256(raw).digest()


@pytest.fixture
def journal(engine: Engine) -> Journal:
    """The SQL journal, held to the ledger room's protocol by its type."""
    return SqlJournal(engine, Entry, _keccak)


def test_new_references_take_consecutive_nonces_and_known_ones_their_stored_entry(journal: Journal) -> None:
    first = journal.reserve(1, SENDER, ["a", "b", "a"], 5, _sign)
    assert [(e.reference, e.nonce, e.raw) for e in first] == [("a", 5, b"a@5"), ("b", 6, b"b@6"), ("a", 5, b"a@5")]
    again = journal.reserve(1, SENDER, ["b", "c"], 0, _sign)
    assert [(e.reference, e.nonce) for e in again] == [("b", 6), ("c", 7)]
    assert again[0] == first[1]
    assert journal.reserve(1, SENDER, ["d"], 100, _sign)[0].nonce == 100
    assert journal.next_nonce(1, SENDER, 0) == 101
    assert journal.reserve(1, SENDER, [], 0, _sign) == []


def test_chains_and_senders_do_not_meet(journal: Journal) -> None:
    journal.reserve(1, SENDER, ["a"], 0, _sign)
    assert journal.reserve(2, SENDER, ["a"], 0, _sign)[0].chain_id == 2
    other = "0x" + "cd" * 20
    assert journal.reserve(1, other, ["a"], 9, _sign)[0].sender == SENDER  # the stored one, whoever sent it
    assert journal.reserve(1, other, ["b"], 9, _sign)[0].nonce == 9


def test_nothing_is_stored_when_signing_fails(journal: Journal) -> None:
    def fail_at_second(reference: str, nonce: int) -> bytes:
        if reference == "b":
            raise RuntimeError("the key store is closed")
        return _sign(reference, nonce)

    with pytest.raises(RuntimeError):
        journal.reserve(1, SENDER, ["a", "b"], 0, fail_at_second)
    assert journal.find(1, "a") is None
    assert journal.next_nonce(1, SENDER, 0) == 0


def test_pending_are_those_not_known_to_be_mined_by_nonce(journal: Journal) -> None:
    journal.reserve(1, SENDER, ["c", "a", "b"], 0, _sign)
    journal.mark(1, [("a", 7), ("never heard of", 7)] if isinstance(journal, SqlJournal) else [("a", 7)])
    journal.mark(1, [])
    assert [e.reference for e in journal.pending(1, SENDER)] == ["c", "b"]
    found = journal.find(1, "a")
    assert found is not None
    assert found.block_number == 7
    assert found.transaction_hash == _keccak(b"a@1")


def test_a_pending_one_can_be_replaced_and_its_bytes_are_kept(journal: Journal, engine: Engine) -> None:
    (entry,) = journal.reserve(1, SENDER, ["a"], 0, _sign)
    dearer = replace(entry, raw=b"a@0 dearer", transaction_hash=_keccak(b"a@0 dearer"))
    journal.replace(dearer)
    journal.replace(dearer)
    assert journal.find(1, "a") == dearer
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT raw FROM relay_superseded").scalars().all() == [b"a@0"]


def test_a_mined_or_unknown_one_cannot_be_replaced(journal: Journal) -> None:
    (entry,) = journal.reserve(1, SENDER, ["a"], 0, _sign)
    journal.mark(1, [("a", 3)])
    for changed, code in ((entry, "relay_already_mined"), (replace(entry, reference="z"), "relay_unknown_reference")):
        with pytest.raises(Problem) as refusal:
            journal.replace(changed)
        assert refusal.value.code == code


def test_eight_threads_reserving_at_once_get_every_nonce_once(journal: Journal) -> None:
    """Each thread asks for ten of its own references and ten that all ask for."""

    def work(name: int) -> None:
        journal.reserve(1, SENDER, [f"{name}-{n}" for n in range(10)] + [f"all-{n}" for n in range(10)], 0, _sign)

    threads = [threading.Thread(target=work, args=(name,)) for name in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [entry.nonce for entry in journal.pending(1, SENDER)] == list(range(90))


def test_three_thousand_references_in_one_call(journal: Journal) -> None:
    names = [f"r{n}" for n in range(3000)]
    stored = journal.reserve(1, SENDER, names, 0, _sign)
    assert [entry.nonce for entry in stored] == list(range(3000))
    assert journal.reserve(1, SENDER, names, 0, _sign) == stored


def test_it_answers_as_the_journal_in_memory_does(journal: Journal) -> None:
    memory = MemoryJournal()
    for one in (journal, memory):
        one.reserve(1, SENDER, ["a", "b", "c"], 3, _sign)
        one.mark(1, [("b", 9)])
        (_, last) = one.reserve(1, SENDER, ["c", "d"], 0, _sign)
        for raw in (b"dearer", b"dearest"):
            one.replace(replace(last, raw=raw, transaction_hash=_keccak(raw)))
        one.mark(1, [("c", 11)])
        (replaced,) = one.versions(1, ["a", "d"]).items()
        assert replaced == ("d", [last.transaction_hash, _keccak(b"dearer")])
        assert [entry.reference for entry in one.recent(1, SENDER, 9)] == ["c", "b"]
        assert [entry.reference for entry in one.recent(1, SENDER, 1)] == ["c"]
    plain = [[(e.reference, e.nonce, e.raw) for e in one.pending(1, SENDER)] for one in (journal, memory)]
    assert plain[0] == plain[1]
    assert journal.next_nonce(1, SENDER, 0) == memory.next_nonce(1, SENDER, 0) == 7
