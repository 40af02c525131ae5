"""The queue of exceptions over the API: filtered, paged, taken, decided once, and only by whose desk it is."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from tests.api.conftest import As
from tests.api.installation import CORE, LOTUS, Installation
from tests.api.test_refusals import API
from tests.reconciliation.conftest import fact

from scf.reconciliation import service as reconciliation
from scf.store.evidence import Trust, record

ORDERS = [f"EX-{n:03d}" for n in range(60)]


@pytest.fixture(scope="module")
def queue(demo: Installation) -> Iterator[Installation]:
    """Sixty orders, each invoiced too dear, beside what the demonstration left."""
    facts = [
        one
        for n, order in enumerate(ORDERS)
        for one in (
            fact("order", order, 10, 100_000 + n * 997),
            fact("delivery", order, 10, reference=f"DN-{order}"),
            fact("invoice", order, 10, 150_000 + n * 997, reference=f"INV-{order}"),
        )
    ]
    with demo.app.desk.session() as session:
        reconciliation.take(session, facts, clock=demo.app.clock)
    yield demo


def listed(client: Any, **asked: Any) -> list[dict[str, Any]]:
    """Every exception asked for, page by page."""
    found: list[dict[str, Any]] = []
    cursor = None
    while True:
        page = client.get(f"{API}/exceptions", params=asked | ({"cursor": cursor} if cursor else {})).json()
        found += page["items"]
        cursor = page["next"]
        if cursor is None:
            return found


def dear(client: Any, order: str) -> dict[str, Any]:
    (row,) = [one for one in listed(client, order=order, state="all") if one["code"] == "PRICE_DIFFERENCE"]
    return row


def test_pages_by_key_and_filters_agree(queue: Installation, act_as: As) -> None:
    operator = act_as("operator", "operator-1")
    everything = listed(operator, limit=7)
    assert len({row["id"] for row in everything}) == len(everything) >= 60
    assert [row["decide_by"] for row in everything] == sorted(row["decide_by"] for row in everything)
    prices = listed(operator, code="PRICE_DIFFERENCE", limit=50)
    assert {row["id"] for row in prices} == {row["id"] for row in everything if row["code"] == "PRICE_DIFFERENCE"}
    assert listed(operator, owner="nobody") == []
    assert {row["severity"] for row in listed(operator, severity="watch")} <= {"watch"}
    late = listed(operator, overdue="true")
    assert {row["id"] for row in late} < {row["id"] for row in everything}
    assert operator.get(f"{API}/exceptions", params={"order": "no such order"}).status_code == 404
    for wrong in ({"cursor": "abc"}, {"state": "closed"}, {"limit": 0}, {"severity": "bad"}):
        assert operator.get(f"{API}/exceptions", params=wrong).status_code in (400, 422)


def test_a_decision_with_its_evidence_is_made_once(queue: Installation, act_as: As) -> None:
    operator = act_as("operator", "operator-1")
    row = dear(operator, ORDERS[0])
    place = f"{API}/exceptions/{row['id']}"
    with queue.app.desk.session() as session:
        paper = record(session, b"price list of March", kind="letter", source="Mill", sender="Mill",
                       trust=Trust.T1, received_at=queue.app.clock.now())  # fmt: skip
    decision = {"decision": "accept", "reason": "price list of March", "evidence": paper.evidence_id}
    for wrong in (
        decision | {"reason": " "},
        decision | {"reason": "x" * 601},
        decision | {"decision": "shrug"},
        decision | {"evidence": "0" * 64},
    ):
        refused = operator.post(f"{place}/decision", json=wrong)
        assert refused.status_code == 422 and refused.headers["content-type"].startswith("application/problem+json")
    assert operator.get(place).json()["state"] == "open"
    done = operator.post(f"{place}/decision", json=decision).json()
    assert (done["state"], done["decision_evidence"]) == ("decided", paper.evidence_id)
    assert operator.get(f"{API}/evidence/{paper.evidence_id}/raw").content == b"price list of March"
    again = operator.post(f"{place}/decision", json=decision)
    assert again.status_code == 409 and again.json()["money_moved"] in (False, "no")
    assert row["id"] not in {one["id"] for one in listed(operator)}
    assert row["id"] in {one["id"] for one in listed(operator, state="decided")}


def test_of_two_people_who_decide_at_once_one_is_told(queue: Installation, act_as: As) -> None:
    operator = act_as("operator", "operator-1")
    number = dear(operator, ORDERS[1])["id"]

    def decide(name: str) -> str:
        try:
            with queue.app.desk.session() as session:
                reconciliation.decide(
                    session, number, decision="reject", reason=f"by {name}", by=name, clock=queue.app.clock
                )
        except Exception as refusal:
            return getattr(refusal, "code", repr(refusal))
        return name

    with ThreadPoolExecutor(8) as people:
        said = list(people.map(decide, [f"person {n}" for n in range(8)]))
    winners = [one for one in said if one.startswith("person")]
    assert len(winners) == 1 and set(said) - set(winners) == {"exception_closed"}
    assert operator.get(f"{API}/exceptions/{number}").json()["decided_by"] == winners[0]


def test_taken_and_handed_on_with_another_deadline(queue: Installation, act_as: As) -> None:
    operator = act_as("operator", "operator-1")
    place = f"{API}/exceptions/{dear(operator, ORDERS[2])['id']}"
    mine = operator.post(f"{place}/owner", json={}).json()
    assert "operator" in mine["owner"].lower()
    handed = operator.post(f"{place}/owner", json={"owner": "purchasing", "decide_by": "2027-01-31"}).json()
    assert (handed["owner"], handed["decide_by"]) == ("purchasing", "2027-01-31")
    assert operator.post(f"{place}/owner", json={"owner": " "}).status_code == 422


@pytest.mark.parametrize("seat", [(CORE,), (LOTUS,), ("audit",)])
def test_who_decides_nothing(queue: Installation, act_as: As, seat: Any) -> None:
    operator, other = act_as("operator", "operator-1"), act_as(*seat)
    row = dear(operator, ORDERS[3])
    place = f"{API}/exceptions/{row['id']}"
    sees_all = seat[0] == "audit"
    assert other.get(place).status_code == (200 if sees_all else 404)
    assert (row["id"] in {one["id"] for one in listed(other)}) is sees_all
    for act, body in (("decision", {"decision": "accept", "reason": "mine"}), ("owner", {})):
        assert other.post(f"{place}/{act}", json=body).status_code == 403
    assert operator.get(place).json()["state"] == "open"


def test_one_that_does_not_exist(act_as: As) -> None:
    assert act_as("operator", "operator-1").get(f"{API}/exceptions/99999999").status_code == 404
