"""Limits of obligor, group and financier: raced, bypassed, lowered and freed, on the service and on the ledger."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.financing.scene import Scene
from tests.installation import CNY, Installation, signed_by

from scf.demo.cast import CIVIC, CORE, FARHILL, HARBOUR, LOTUS
from scf.desk.service import Prepared
from scf.financing.collecting import creditor_reference
from scf.installation import OPERATOR_NAMES
from scf.kernel.problems import Problem
from scf.parties.enrolling import Newcomer, enrol_firm
from scf.parties.keys import demo_key
from scf.receivables.service import IssueRequest

FACE = 1_000_00
TRIES = [12, pytest.param(50, marks=pytest.mark.slow)]
"""How many at once; there is room for the fifth part or so."""


def prepared_issues(at: Installation, count: int) -> list[Prepared]:
    return [
        at.app.receivables.prepare_issue(at.request(at.trade(f"INV-{number}", FACE), FACE)) for number in range(count)
    ]


def at_once(acts: Sequence[Callable[[], object]]) -> Counter[str]:
    """Everybody presses at the same time; what became of them by code of the refusal."""

    def outcome(act: Callable[[], object]) -> str:
        try:
            act()
        except Problem as problem:
            return str(problem.facts.get("reason", problem.code))
        return "done"

    with ThreadPoolExecutor(16) as pool:
        return Counter(pool.map(outcome, acts))


def used(at: Installation, kind: str, **of: str) -> tuple[int, int]:
    with at.app.desk.session() as session:
        view = next(one for one in at.app.programmes.limits(session, **of) if one.kind == kind)  # type: ignore[arg-type]
        return view.used_minor, view.free_minor


@pytest.mark.parametrize("tries", TRIES)
@pytest.mark.parametrize("kind", ["obligor", "group"])
def test_issues_at_once_never_pass_the_limit(installation: Installation, kind: str, tries: int) -> None:
    at, places = installation, tries // 5
    core, room = at.who(CORE), places * FACE
    ready = prepared_issues(at, tries)
    if kind == "group":
        at.limit("member", core, group="North")
        at.limit("group", "North", room)
    else:
        at.limit("obligor", core, room)
    found = at_once([lambda one=one: at.submit(one) for one in ready])
    assert found.pop("done") == places and sum(found.values()) == tries - places
    assert set(found) <= {
        "amount_above_limit", "amount_above_group_limit", "ledger_members_limit_exceeded",
        "ledger_members_group_limit_exceeded",
    }, found  # fmt: skip
    assert used(at, kind, obligor=core) == (room, 0)
    members = at.app.contracts.members
    assert members.read(at.app.ledger, "exposureOf", core)[1] == room


@pytest.mark.parametrize("tries", TRIES)
def test_acceptances_at_once_never_pass_a_financiers_limit(installation: Installation, tries: int) -> None:
    scene, at, harbour = Scene(installation), installation, installation.who(HARBOUR)
    _, root = scene.issued()
    app, places, ready = at.app, tries // 5, []
    for number in range(tries):
        with app.desk.session() as session:
            ask = app.financing.ask(session, root, FACE + number, [harbour, at.who(FARHILL)]).id
        quote, figures = app.financing.prepare_quote(ask, harbour, rate_ppm=60_000, paying_bank=at.who(CIVIC))
        offer = app.financing.submit_quote(ask, quote.message, at.sign(quote)[0], figures)
        ready.append(app.financing.prepare_accept_quote(offer.quote_hash))
    room = places * (FACE + tries)
    at.limit("financier", harbour, room)
    found = at_once(
        [
            lambda one=one, key=f"take {place}": app.financing.accept_quote(
                one.message, at.sign(one)[0], key=key, caller="t"
            )
            for place, one in enumerate(ready)
        ]
    )
    assert found.pop("done") == places and sum(found.values()) == tries - places
    assert set(found) <= {"amount_above_financier_limit", "ledger_members_financier_limit_exceeded"}, found
    taken, free = used(at, "financier", financier=harbour)
    assert taken <= room and free < FACE
    members = app.contracts.members
    assert members.read(app.ledger, "financierExposureOf", harbour, 156)[1] == taken


def test_the_ledger_refuses_what_goes_around_the_service(installation: Installation) -> None:
    """Both issues were judged while the limit was free; the service is not asked again."""
    at = installation
    at.limit("member", at.who(CORE), group="North")
    first, second = prepared_issues(at, 2)
    at.limit("group", "North", FACE)
    calls = []
    for prepared in (first, second):
        joined = at.app.desk.join_signatures("Receivables", "Issue", prepared.message, at.sign(prepared)[0])
        calls.append(at.app.receivables.call("issue", prepared.message, joined))
    at.app.desk.relay([("around 1", calls[0])])
    problem = at.refused("ledger_refused", lambda: at.app.desk.relay([("around 2", calls[1])]))
    assert problem.facts["reason"] == "ledger_members_group_limit_exceeded"
    assert used(at, "group", obligor=at.who(CORE)) == (FACE, 0)


def test_a_limit_lowered_below_its_use_stops_new_acts_only(installation: Installation) -> None:
    at = installation
    core = at.who(CORE)
    at.limit("member", core, group="North")
    number, _ = at.issued(at.trade("INV-1", FACE), FACE)
    at.limit("group", "North", FACE // 2)
    assert used(at, "group", obligor=core) == (FACE, 0)
    late = at.trade("INV-2", FACE)
    at.refused("amount_above_group_limit", lambda: at.app.receivables.prepare_issue(at.request(late, 100)))
    at.limit("group", "North", None)
    with at.app.desk.session() as session:
        assert [one.kind for one in at.app.programmes.limits(session, obligor=core)] == ["obligor"]
    assert at.issued(late, FACE)[0] == number + 1


@pytest.mark.parametrize("how", ["refuse", "withdraw", "lapse"])
def test_what_is_not_owed_after_all_is_free_again(installation: Installation, how: str) -> None:
    at, core = installation, installation.who(CORE)
    at.limit("member", core, group="North")
    at.limit("group", "North", FACE)
    trade = at.trade("INV-1", FACE)
    _, note = at.issued(trade, FACE, accept=False)
    assert used(at, "group", obligor=core) == (FACE, 0)
    if how == "refuse":
        at.submit(at.app.receivables.prepare_refuse(note, "not ours"))
    elif how == "withdraw":
        at.submit(at.app.receivables.prepare_withdraw(note))
    else:
        at.clock.advance(days=20)
        at.app.receivables.lapse_due()
    assert used(at, "group", obligor=core) == (0, FACE)
    assert used(at, "obligor", obligor=core)[0] == 0


def test_a_part_paid_frees_its_part_of_all_three(installation: Installation) -> None:
    scene = Scene(installation)
    at, core, harbour = installation, installation.who(CORE), installation.who(HARBOUR)
    at.limit("member", core, group="North")
    at.limit("group", "North", 1_000_000_00)
    number, root = scene.issued(face=1_000_000_00)
    at.limit("financier", harbour, 400_000_00)
    scene.sold(root, 400_000_00, recourse=False)
    assert used(at, "financier", financier=harbour) == (400_000_00, 0)
    scene.move_to(scene.due(number))
    scene.arrives(500_000_00, "L1", reference=creditor_reference(number))
    scene.attest(scene.look())
    assert used(at, "group", obligor=core) == (500_000_00, 500_000_00)
    assert used(at, "financier", financier=harbour) == (200_000_00, 200_000_00)
    members = at.app.contracts.members
    assert tuple(members.read(at.app.ledger, "financierExposureOf", harbour, 156)) == (400_000_00, 200_000_00)


def test_a_financiers_limit_is_asked_before_anyone_signs(installation: Installation) -> None:
    scene, harbour = Scene(installation), installation.who(HARBOUR)
    _, root = scene.issued()
    installation.limit("financier", harbour, 100)
    with scene.app.desk.session() as session:
        both = [harbour, installation.who(FARHILL)]
        ask = scene.app.financing.ask(session, root, 1_000_00, both).id
    at = installation

    def quote() -> None:
        scene.app.financing.prepare_quote(ask, harbour, rate_ppm=50_000, paying_bank=at.who(CIVIC))

    assert at.refused("amount_above_financier_limit", quote).facts["free"] == "CNY 1.00"


def test_an_obligor_with_a_single_key_owes_nothing_above_its_limit(installation: Installation) -> None:
    at, alone = installation, demo_key("single keyed obligor")
    operators = [demo_key(name).private for name in OPERATOR_NAMES[:2]]
    newcomer = Newcomer(
        "Single Key Works", None, (alone.address,), ("obligor",), limit_minor=FACE, paying_bank=at.who(CIVIC)
    )
    enrol_firm(at.app.desk, at.app.parties, newcomer, operators)
    trade = at.trade("INV-1", 2 * FACE)
    request = at.request(trade, FACE)
    own = IssueRequest(alone.address, at.who(LOTUS), FACE, CNY, request.maturity, trade.document, trade.fingerprint)
    prepared = at.app.receivables.prepare_issue(own)
    single = [signed_by(prepared, alone.private)]
    at.refused(
        "second_person_needed",
        lambda: at.app.receivables.submit("issue", prepared.message, single, key="alone", caller="t"),
    )
    above = {**prepared.message, "face": FACE + 1}
    typed = at.app.desk.prepare("issue", "Receivables", "Issue", above, signers=prepared.signers, summary={})
    call = at.app.receivables.call("issue", above, signed_by(typed, alone.private))
    problem = at.refused("ledger_refused", lambda: at.app.desk.relay([("above", call)]))
    assert problem.facts["reason"] == "ledger_members_limit_exceeded"
