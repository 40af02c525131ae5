"""No single person moves money above the limit, or changes the limit: one signature is never enough."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from tests.installation import Installation, signed_by

from scf.demo.cast import CORE, CORE_KEYS, FIRMS, firm, seat_key
from scf.installation import OPERATOR_NAMES
from scf.kernel.problems import Problem
from scf.ledger.intents import quorum_digest
from scf.ledger.types import Call
from scf.parties.keys import KeyPair, demo_key
from scf.parties.service import Enrolment, Role

FACE = 100_000_00
EVERYBODY = [demo_key(name) for name in CORE_KEYS] + [
    seat_key(row.code, seat) for row in FIRMS for seat, _ in row.seats if (row.code, seat) != (CORE, "account")
]


@pytest.fixture(scope="module")
def at(shared_installation: Installation) -> Installation:
    return shared_installation


def refused(at: Installation, call: Call) -> str:
    """The reason for which the ledger refuses a call; nothing is written."""
    with at.nothing_written(), pytest.raises(Problem) as caught:
        at.app.desk.relay([("try", call)])
    assert caught.value.money_moved == "no"
    return str(caught.value.facts["reason"])


def test_one_of_maker_and_checker_cannot_promise_the_firms_money(at: Installation) -> None:
    trade = at.trade("INV-1", FACE)
    prepared = at.app.receivables.prepare_issue(at.request(trade, FACE))
    maker, checker = (demo_key(name) for name in CORE_KEYS)
    alone = [signed_by(prepared, maker.private)]
    for parts, code in (
        (alone, "second_person_needed"),
        ([signed_by(prepared, checker.private)], "second_person_needed"),
        (alone * 2, "second_person_needed"),
        ([*alone, signed_by(prepared, demo_key("operator-1").private)], "ledger_not_authorised"),
    ):
        at.refused(code, lambda parts=parts: submit_issue(at, prepared.message, parts))
        signature = at.app.desk.join_signatures("Receivables", "Issue", prepared.message, parts)
        refused(at, at.app.receivables.call("issue", prepared.message, signature))  # the ledger asks again
    assert submit_issue(at, prepared.message, [signed_by(prepared, key.private) for key in (maker, checker)])


def submit_issue(at: Installation, message: dict[str, object], parts: Sequence[bytes]) -> object:
    return at.app.receivables.submit("issue", message, parts, key="issue", caller="t")


def limit_call(at: Installation, keys: Sequence[KeyPair], limit_minor: int) -> Call:
    members = at.app.contracts.members
    nonce = members.read(at.app.ledger, "quorumNonce")
    prepared = at.app.desk.prepare(
        "limit", "Members", "SetLimit", {"obligor": at.who(CORE), "limit": limit_minor, "nonce": nonce},
        signers=(), summary={},
    )  # fmt: skip
    return members.call(
        "setLimit", at.who(CORE), limit_minor, quorum_digest([k.private for k in keys], prepared.digest)
    )


@pytest.mark.parametrize("key", EVERYBODY, ids=lambda key: key.name)
def test_nobody_changes_the_limit_alone(at: Installation, key: KeyPair) -> None:
    """Neither an operator, nor the firm itself, nor its bank."""
    assert "signatures" in refused(at, limit_call(at, [key], 10**15))


def test_no_two_people_but_two_operators_change_the_limit(at: Installation) -> None:
    operators = [demo_key(name) for name in OPERATOR_NAMES]
    for stranger in [key for key in EVERYBODY if key.name not in OPERATOR_NAMES]:
        assert "operator" in refused(at, limit_call(at, [operators[0], stranger], 10**15))
    at.app.desk.relay([("limit", limit_call(at, operators[1:], firm(CORE).limit_minor + 1))])
    assert at.app.contracts.members.read(at.app.ledger, "limitOf", at.who(CORE)) == firm(CORE).limit_minor + 1


def test_above_the_limit_even_maker_and_checker_together_are_refused_by_the_ledger(at: Installation) -> None:
    """The service is not asked: the signed act goes straight to the contract."""
    limit = firm(CORE).limit_minor
    trade = at.trade("INV-2", 1_00)
    good = at.app.receivables.prepare_issue(at.request(trade, 1_00))
    message = {**good.message, "face": limit + 2}
    prepared = at.app.desk.prepare("issue", "Receivables", "Issue", message, signers=good.signers, summary={})
    signature = at.app.desk.join_signatures("Receivables", "Issue", message, at.sign(prepared)[0])
    assert "limit" in refused(at, at.app.contracts.receivables.call("issue", message, signature))


def test_a_single_operator_enrols_nobody_and_cannot_lower_the_quorum(at: Installation) -> None:
    one = demo_key(OPERATOR_NAMES[0])
    prepared = at.app.parties.prepare_enrolment([Enrolment(demo_key("friend").address, 1, Role.OBLIGOR, 10**12)])
    call = at.app.parties.enrolment_call(prepared.message, quorum_digest([one.private], prepared.digest))
    assert "signatures" in refused(at, call)
    members = at.app.contracts.members
    nonce = members.read(at.app.ledger, "quorumNonce")
    both = [demo_key(name) for name in OPERATOR_NAMES[:2]]
    message = {"operators": [one.address], "threshold": 1, "nonce": nonce}
    lowered = at.app.desk.prepare("operators", "Members", "SetOperators", message, signers=(), summary={})
    signatures = quorum_digest([key.private for key in both], lowered.digest)
    assert "operators" in refused(at, members.call("setOperators", [one.address], 1, signatures)), "not even two may"


def test_a_new_limit_signed_twice_works_once(at: Installation) -> None:
    operators = [demo_key(name) for name in OPERATOR_NAMES[:2]]
    call = limit_call(at, operators, firm(CORE).limit_minor)
    at.app.desk.relay([("limit once", call)])
    assert refused(at, call)
