"""Bytes come in once, stay as they were, and their order can be proved to anyone."""

from __future__ import annotations

import hashlib
import threading

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from scf.kernel.problems import Problem
from scf.store import evidence, merkle
from scf.store.engine import open_engine
from scf.store.evidence import Recorded, Trust
from scf.store.session import create_schema, reading, run

RAW = b"<Invoice>1</Invoice>"


def _record(engine: Engine, raw: bytes = RAW, source: str = "upload:alpha", trust: Trust = Trust.T1) -> Recorded:
    return run(
        engine,
        lambda session: evidence.record(
            session, raw, kind="ubl", source=source, sender="alpha", trust=trust, received_at=1000, name="a.xml"
        ),
    )


def test_the_same_file_from_the_same_source_changes_nothing(engine: Engine) -> None:
    first = _record(engine)
    with reading(engine) as session:
        before = evidence.head(session)
    again = _record(engine, trust=Trust.T4)
    assert first == Recorded(hashlib.sha256(RAW).hexdigest(), 0, is_new=True)
    assert again == Recorded(first.evidence_id, 0, is_new=False)
    with reading(engine) as session:
        assert evidence.head(session) == before
        assert evidence.trust_of(session, first.evidence_id) == Trust.T1
        assert evidence.raw_bytes(session, first.evidence_id) == RAW


def test_the_same_bytes_from_a_second_source_are_a_second_record(engine: Engine) -> None:
    first = _record(engine)
    second = _record(engine, source="feed:bank", trust=Trust.T3)
    assert (second.evidence_id, second.leaf_index, second.is_new) == (first.evidence_id, 1, True)
    with reading(engine) as session:
        assert evidence.trust_of(session, first.evidence_id) == Trust.T3
        assert [r.source for r in evidence.records_of(session, first.evidence_id)] == ["upload:alpha", "feed:bank"]
        assert evidence.trust_of(session, "00" * 32) is None


def test_an_empty_file_and_an_unknown_id_are_refused(engine: Engine) -> None:
    with pytest.raises(Problem) as refusal:
        _record(engine, b"")
    assert refusal.value.code == "evidence_empty"
    with reading(engine) as session, pytest.raises(Problem) as unknown:
        evidence.raw_bytes(session, "ff" * 32)
    assert unknown.value.code == "evidence_unknown"


def test_heads_and_proofs_at_every_size_are_those_of_the_plain_tree(engine: Engine) -> None:
    for number in range(23):
        _record(engine, b"file %d" % number)
    with reading(engine) as session:
        entries = session.exec(sa.select(evidence.Evidence).order_by("leaf_index")).scalars().all()  # type: ignore[call-overload]
        leaves = [merkle.leaf_hash(evidence.entry_bytes(entry)) for entry in entries]
        node = merkle.nodes_of(leaves)
        for size in range(24):
            assert evidence.head(session, size) == evidence.Head(size, merkle.root_of(size, node))
        for size in range(1, 24):
            root = merkle.root_of(size, node)
            for index in range(size):
                proof = evidence.inclusion_proof(session, index, size)
                assert merkle.verify_inclusion(leaves[index], index, size, proof, root)
            for old in range(1, size + 1):
                proof = evidence.consistency_proof(session, old, size)
                assert merkle.verify_consistency(old, merkle.root_of(old, node), size, root, proof)
        for bad in (23, -1):
            with pytest.raises(Problem):
                evidence.inclusion_proof(session, bad)
        for bad in (0, 24):
            with pytest.raises(Problem):
                evidence.consistency_proof(session, bad)
        with pytest.raises(Problem):
            evidence.head(session, 24)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.binary(min_size=1, max_size=3), st.sampled_from(["a", "b"])), max_size=30))
def test_the_log_holds_each_file_of_each_source_once_in_order_of_arrival(arrivals: list[tuple[bytes, str]]) -> None:
    engine = open_engine("sqlite://")
    create_schema(engine)
    for raw, source in arrivals:
        _record(engine, raw, source)
    with reading(engine) as session:
        assert evidence.size(session) == len(set(arrivals))
        assert evidence.first_broken_record(session) is None
    engine.dispose()


def test_threads_recording_at_once_leave_a_log_without_gaps(engine: Engine) -> None:
    def work(name: str) -> None:
        for number in range(12):
            _record(engine, f"{name} {number}".encode())

    threads = [threading.Thread(target=work, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with reading(engine) as session:
        assert evidence.size(session) == 48
        assert evidence.first_broken_record(session) is None


def test_evidence_cannot_be_changed_or_deleted(engine: Engine) -> None:
    _record(engine)
    statements = ["UPDATE evidence SET trust = 4", "DELETE FROM evidence", "DELETE FROM evidence_bytes"]
    statements += [
        "UPDATE evidence_bytes SET raw = ''",
        "UPDATE evidence_node SET level = 5",
        "DELETE FROM evidence_node",
    ]
    if engine.dialect.name == "sqlite":
        statements.append("INSERT OR REPLACE INTO evidence_bytes SELECT evidence_id, x'00' FROM evidence_bytes")
    else:
        statements.append("TRUNCATE evidence_node")
    for statement in statements:
        with pytest.raises(sa.exc.DBAPIError, match="append-only"), engine.begin() as connection:
            connection.exec_driver_sql(statement)
    with reading(engine) as session:
        assert evidence.raw_bytes(session, hashlib.sha256(RAW).hexdigest()) == RAW


@pytest.mark.parametrize(
    "forgery",
    [
        "UPDATE evidence_bytes SET raw = x'00' WHERE raw = CAST('file 2' AS BLOB)",
        "UPDATE evidence SET trust = 4 WHERE leaf_index = 2",
        "UPDATE evidence SET received_at = 1 WHERE leaf_index = 2",
        "UPDATE evidence SET leaf_hash = zeroblob(32) WHERE leaf_index = 2",
        "UPDATE evidence_node SET digest = zeroblob(32) WHERE level = 0 AND place = 2",
    ],
)
def test_a_change_by_someone_with_the_file_is_found(sqlite_url: str, forgery: str) -> None:
    engine = open_engine(sqlite_url)
    create_schema(engine)
    for number in range(5):
        _record(engine, b"file %d" % number)
    with engine.begin() as connection:
        for table in ("evidence", "evidence_bytes", "evidence_node"):
            connection.exec_driver_sql(f"DROP TRIGGER {table}_no_update")
        connection.exec_driver_sql(forgery)
    with reading(engine) as session:
        assert evidence.first_broken_record(session) == 2
    engine.dispose()


def test_a_log_rewritten_with_all_its_hashes_fails_against_an_anchored_head(sqlite_url: str, tmp_path: object) -> None:
    honest, forged = open_engine(sqlite_url), open_engine(sqlite_url.replace("scf.db", "forged.db"))
    for engine, second in ((honest, b"delivery: 5 pieces"), (forged, b"delivery: 9 pieces")):
        create_schema(engine)
        for raw in (b"order", second, b"invoice", b"payment"):
            _record(engine, raw)
    with reading(honest) as session:
        anchored = evidence.head(session, 3)
    with reading(forged) as session:
        assert evidence.first_broken_record(session) is None  # it looks whole to itself
        proof, now = evidence.consistency_proof(session, 3), evidence.head(session)
    assert not merkle.verify_consistency(anchored.size, anchored.root, now.size, now.root, proof)
    honest.dispose()
    forged.dispose()
