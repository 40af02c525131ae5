"""Maker and checker: two people, never the same, within the checker's delegation; many notes accepted from a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from tests.installation import Installation

from scf.demo.cast import CORE, LOTUS
from scf.desk.service import Prepared
from scf.kernel.problems import Problem
from scf.ledger.signing import sign_digest
from scf.parties.approvals import PendingAct
from scf.parties.keys import KeyPair, demo_key
from scf.receivables import queries
from scf.receivables.batch import prepare_accept_many, read_batch

FACE = 100_000_00
CORE_NUMBER, LOTUS_NUMBER = 1, 2


@pytest.fixture
def people(installation: Installation) -> dict[str, KeyPair]:
    """Maker and checker of the core enterprise, its boss, and somebody of another firm."""
    found = {name: demo_key(f"core-{name}") for name in ("maker", "checker", "boss")} | {"other": demo_key("x")}
    with installation.app.desk.session() as session:
        for name, key in found.items():
            firm = LOTUS_NUMBER if name == "other" else CORE_NUMBER
            installation.app.parties.seat(session, key.address, firm, name)
    return found


def propose(at: Installation, people: Mapping[str, KeyPair], number: str = "INV-1") -> tuple[Prepared, PendingAct]:
    prepared = at.app.receivables.prepare_issue(at.request(at.trade(number, FACE), FACE))
    maker = people["maker"]
    with at.app.desk.session() as session:
        row = at.app.approvals.propose(
            session, prepared, maker.address, sign_digest(maker.private, prepared.digest), amount_minor=FACE
        )
    return prepared, row


def submitter(at: Installation) -> Any:
    def submit(row: PendingAct, message: Mapping[str, Any], signatures: Sequence[bytes]) -> Mapping[str, Any]:
        return at.app.receivables.submit(row.act, message, signatures, key=row.id[:40], caller=row.account)

    return submit


def delegate(at: Installation, people: Mapping[str, KeyPair], limit: int, days: int = 30) -> None:
    with at.app.desk.session() as session:
        at.app.approvals.delegate(
            session,
            people["checker"].address,
            act="issue",
            limit_minor=limit,
            valid_until=at.clock.now() + days * 86_400,
            given_by=people["boss"].address,
        )


def test_a_second_person_within_its_delegation_sends_the_act_once(
    installation: Installation, people: dict[str, KeyPair]
) -> None:
    at = installation
    delegate(at, people, FACE)
    prepared, row = propose(at, people)
    checker = people["checker"]
    signature = sign_digest(checker.private, prepared.digest)
    with at.app.desk.session() as session:
        assert [one.id for one in at.app.approvals.waiting(session, CORE_NUMBER)] == [row.id]
    first = at.app.approvals.approve(row.id, checker.address, signature, submitter(at))
    assert first.reply["receivable"] == 1
    assert at.app.approvals.approve(row.id, checker.address, signature, submitter(at)).reply == dict(first.reply)
    with at.app.desk.session() as session:
        assert queries.receivable(session, 1).obligor == at.who(CORE)
        assert not at.app.approvals.waiting(session, CORE_NUMBER)


def test_nobody_checks_its_own_act_and_no_stranger_does(installation: Installation, people: dict[str, KeyPair]) -> None:
    at = installation
    delegate(at, people, FACE)
    prepared, row = propose(at, people)

    def approve(name: str, signer: str | None = None) -> None:
        key = people[name]
        signature = sign_digest(people[signer or name].private, prepared.digest)
        at.app.approvals.approve(row.id, key.address, signature, submitter(at))

    at.refused("same_person", lambda: approve("maker"))
    at.refused("not_of_firm", lambda: approve("other"))
    at.refused("signature_not_theirs", lambda: approve("checker", "maker"))
    at.refused("delegation_missing", lambda: approve("boss"))
    with at.app.desk.session() as session, pytest.raises(Problem):
        boss = people["boss"].address
        at.app.approvals.delegate(session, boss, act="*", limit_minor=1, valid_until=2, given_by=boss)


def test_a_delegation_ends_at_its_amount_and_its_day(installation: Installation, people: dict[str, KeyPair]) -> None:
    at = installation
    delegate(at, people, FACE - 1)
    prepared, row = propose(at, people)
    checker = people["checker"]
    signature = sign_digest(checker.private, prepared.digest)

    def approve() -> None:
        at.app.approvals.approve(row.id, checker.address, signature, submitter(at))

    at.refused("delegation_missing", approve)
    delegate(at, people, FACE, days=1)
    at.clock.advance(days=2)
    at.refused("delegation_missing", approve)
    with at.app.desk.session() as session:
        at.app.approvals.reject(session, row.id, checker.address, "wrong day")
    at.refused("pending_act_over", approve)


def test_many_notes_are_accepted_from_a_file_or_none(installation: Installation) -> None:
    at = installation
    notes = [at.issued(at.trade(f"INV-{n}", FACE + n), FACE + n, accept=False)[1] for n in range(3)]
    lotus = at.who(LOTUS)
    good = "note,amount\n" + "".join(f"{note},100000.0{place}\n" for place, note in enumerate(notes))
    wrong = good.replace("100000.02", "100000.03")
    with at.app.desk.session() as session:
        with pytest.raises(Problem, match="Line 4"):
            prepare_accept_many(at.app.desk, session, lotus, read_batch(wrong.encode()))
        prepared = prepare_accept_many(at.app.desk, session, lotus, read_batch(good.encode()))
    assert "300,000.03" in prepared.summary["en"]
    at.submit(prepared)
    with at.app.desk.session() as session:
        assert all(queries.note(session, note).state == "held" for note in notes)
        with pytest.raises(Problem, match="Line 2"):
            prepare_accept_many(at.app.desk, session, lotus, read_batch(good.encode()))
    for bad in (b"=cmd()\n", b"note\n=1+1\n", b"note\n", b"\xff\xfe", f"note\n{notes[0]}\n{notes[0]}\n".encode()):
        with pytest.raises(Problem):
            read_batch(bad)
