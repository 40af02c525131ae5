"""A request has one effect and one answer, however often and however concurrently it is sent."""

from __future__ import annotations

import threading
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import Engine
from sqlmodel import Session

from scf.kernel.problems import Problem
from scf.store import commands, outbox
from scf.store.commands import Replied, Started, begin, finish, once, open_commands, recall
from scf.store.session import reading

BODY = {"to": "supplier", "amount_minor": 10_000}


def _effects(engine: Engine) -> int:
    with reading(engine) as session:
        return outbox.counts(session, "effect").waiting


def _effect(session: Session) -> dict[str, Any]:
    return {"message": outbox.put(session, "effect", {}, at=5)}


def test_the_same_request_again_has_no_second_effect_and_the_same_answer(engine: Engine) -> None:
    first = once(engine, "k1", "alpha", BODY, _effect)
    assert once(engine, "k1", "alpha", dict(reversed(BODY.items())), _effect) == first
    assert _effects(engine) == 1


def test_the_same_key_with_another_body_is_refused_and_does_nothing(engine: Engine) -> None:
    once(engine, "k1", "alpha", BODY, _effect)
    with pytest.raises(Problem) as refusal:
        once(engine, "k1", "alpha", BODY | {"amount_minor": 10_001}, _effect)
    assert refusal.value.code == "idempotency_conflict"
    assert refusal.value.money_moved == "no"
    assert refusal.value.status == 409
    assert _effects(engine) == 1


def test_keys_of_two_callers_do_not_meet(engine: Engine) -> None:
    once(engine, "k1", "alpha", BODY, _effect)
    once(engine, "k1", "beta", {"other": True}, _effect)
    assert _effects(engine) == 2


def test_a_refused_request_leaves_nothing_and_its_key_can_be_used_again(engine: Engine) -> None:
    def refuse(session: Session) -> dict[str, Any]:
        _effect(session)
        raise Problem("unknown_currency", currency="XXX")

    with pytest.raises(Problem):
        once(engine, "k1", "alpha", BODY, refuse)
    assert _effects(engine) == 0
    once(engine, "k1", "alpha", BODY | {"amount_minor": 1}, _effect)
    assert _effects(engine) == 1


def test_eight_threads_sending_twenty_requests_each_leave_twenty_effects(engine: Engine) -> None:
    answers: list[dict[str, Any]] = []
    start = threading.Barrier(8)

    def send() -> None:
        start.wait()
        answers.extend(once(engine, f"k{number}", "alpha", BODY | {"n": number}, _effect) for number in range(20))

    threads = [threading.Thread(target=send) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 160
    assert len({answer["message"] for answer in answers}) == 20
    assert _effects(engine) == 20


@pytest.mark.parametrize("key", ["", " k", "k\n", "x" * 129])
def test_a_key_that_cannot_be_used_is_refused(engine: Engine, key: str) -> None:
    with pytest.raises(Problem) as refusal:
        once(engine, key, "alpha", BODY, _effect)
    assert refusal.value.code == "idempotency_key_missing"


def test_a_command_for_the_ledger_keeps_its_reference_and_plan_until_it_is_finished(engine: Engine) -> None:
    plans = iter([{"nonce": 1}, {"nonce": 2}])
    first = begin(engine, "k1", "alpha", BODY, prepare=lambda session: next(plans), at=9)
    again = begin(engine, "k1", "alpha", BODY, prepare=lambda session: next(plans), at=10)
    assert isinstance(first, Started)
    assert isinstance(again, Started)
    assert (again.reference, again.plan, first.resumed, again.resumed) == (first.reference, {"nonce": 1}, False, True)
    with reading(engine) as session:
        (waiting,) = open_commands(session)
    assert (waiting.reference, waiting.plan, waiting.begun_at) == (first.reference, {"nonce": 1}, 9)

    done = finish(engine, "k1", "alpha", {"receipt": "0x1"}, effect=lambda session: _effect(session) and None)
    late = finish(engine, "k1", "alpha", {"receipt": "0x2"}, effect=lambda session: _effect(session) and None)
    assert done == late == {"receipt": "0x1"}
    assert _effects(engine) == 1
    assert begin(engine, "k1", "alpha", BODY) == Replied({"receipt": "0x1"})
    with pytest.raises(Problem):
        begin(engine, "k1", "alpha", {"other": 1})
    with reading(engine) as session:
        assert open_commands(session) == []


def test_looking_up_an_answer_writes_nothing(engine: Engine) -> None:
    assert recall(engine, "k1", "alpha", BODY) is None
    with reading(engine) as session:
        assert open_commands(session) == []
    begin(engine, "k1", "alpha", BODY)
    assert recall(engine, "k1", "alpha", BODY) is None
    finish(engine, "k1", "alpha", {"receipt": "0x1"})
    assert recall(engine, "k1", "alpha", BODY) == Replied({"receipt": "0x1"})
    with pytest.raises(Problem) as refusal:
        recall(engine, "k1", "alpha", {"other": 1})
    assert refusal.value.code == "idempotency_conflict"


def test_what_was_never_begun_cannot_be_finished(engine: Engine) -> None:
    with pytest.raises(LookupError):
        finish(engine, "k9", "alpha", {})


def test_answers_read_the_same_the_first_time_and_later(engine: Engine) -> None:
    reply = {"due": date(2026, 2, 28), "rate": Decimal("5.50"), "id": b"\x01\xff", "list": (1, 2)}
    first = once(engine, "k1", "alpha", BODY, lambda session: reply)
    assert first == once(engine, "k1", "alpha", BODY, lambda session: {})
    assert first == {"due": "2026-02-28", "rate": "5.50", "id": "01ff", "list": [1, 2]}


def test_a_body_that_json_cannot_carry_is_refused_before_anything_happens(engine: Engine) -> None:
    for body in ({"rate": float("nan")}, {"thing": object()}):
        with pytest.raises((TypeError, ValueError)):
            once(engine, "k1", "alpha", body, _effect)
    assert _effects(engine) == 0


def test_remembered_commands_cannot_be_changed(engine: Engine) -> None:
    once(engine, "k1", "alpha", BODY, _effect)
    for statement in (
        "UPDATE command SET digest = ''",
        "DELETE FROM command",
        "UPDATE command_reply SET reply = '{}'",
        "DELETE FROM command_reply",
    ):
        with pytest.raises(sa.exc.DBAPIError, match="append-only"), engine.begin() as connection:
            connection.exec_driver_sql(statement)
    assert once(engine, "k1", "alpha", BODY, _effect) == {"message": 1}


def test_one_body_has_one_spelling() -> None:
    assert commands.canonical_json({"b": 1, "a": "签收"}) == '{"a":"签收","b":1}'.encode()
