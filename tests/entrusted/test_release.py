"""Entrusted money moves only by its stage, the evidence of two organisations and two people's approval."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from tests.installation import CNY, START, Installation, signed_by

from scf.app import rebuild_books
from scf.demo.cast import CIVIC, CORE, FAIRWAY, HARBOUR, LOTUS, MEASURE, PINE, STEEL, firm
from scf.demo.papers import invoice, logistics_event
from scf.entrusted import queries
from scf.entrusted.service import OpenRequest, StagePlan
from scf.kernel.clock import today
from scf.kernel.dates import next_day
from scf.kernel.problems import Problem
from scf.parties.keys import demo_key
from scf.store.evidence import Trust

DAY = 86_400
FIRST, SECOND = 40_000_00, 60_000_00
STRANGER = demo_key("nobody of the cast")


@dataclass(frozen=True, slots=True)
class Scene:
    """An account of two stages, locked, with evidence on file that nobody vouched for yet."""

    at: Installation
    account: int
    carrier: str
    inspector: str
    applicant: str

    @property
    def room(self):  # type: ignore[no-untyped-def]
        return self.at.app.entrusted

    def attest(self, code: str, evidence: str, up_to: int = FIRST, *, stage: int = 0) -> None:
        self.at.submit_entrusted(self.room.prepare_attest(self.account, stage, self.at.who(code), up_to, evidence))

    def approve(self, code: str, seat: str, up_to: int = FIRST, *, stage: int = 0) -> None:
        who = self.at.who(code, seat)
        self.at.submit_entrusted(self.room.prepare_approve(self.account, stage, who, up_to, "as agreed"))

    def ready(self, up_to: int = FIRST, *, stage: int = 0) -> None:
        """Everything that a release needs."""
        self.attest(FAIRWAY, self.carrier, up_to, stage=stage)
        self.attest(MEASURE, self.inspector, up_to, stage=stage)
        self.approve(HARBOUR, "credit-officer", up_to, stage=stage)
        self.approve(CORE, "approver", up_to, stage=stage)

    def order(self, stage: int = 0) -> tuple[int, str]:
        with self.at.app.desk.session() as session:
            amount, payment, payee = self.room.payment_order(session, self.account, stage)
        assert payee.account == firm(STEEL).account
        return amount, payment

    def confirm(self, amount: int, payment: str, line: str, *, stage: int = 0) -> None:
        self.at.submit_entrusted(self.room.prepare_confirm_released(self.account, stage, amount, payment, line))


def open_request(at: Installation, order: str | None = None) -> OpenRequest:
    def stage(amount: int, days: int) -> StagePlan:
        return StagePlan(
            at.who(STEEL), firm(STEEL).account, amount, "Arrived", "到货", ("arrival",), START + days * DAY, order
        )

    return OpenRequest(
        payer=at.who(HARBOUR),
        beneficiary=at.who(PINE),
        bank=at.who(CIVIC),
        currency=CNY,
        account="6200000000000000001",
        purpose="steel",
        contract="HT-2026-9",
        consent="agreed",
        stages=(stage(FIRST, 20), stage(SECOND, 30)),
        attestors=(at.who(FAIRWAY), at.who(MEASURE)),
        approvers=(at.who(HARBOUR, "credit-officer"), at.who(CORE, "approver")),
    )


def evidence_of(at: Installation, code: str, trust: Trust, step: str) -> str:
    event = logistics_event("PO-9", step, START, quantity=1, goods="steel", despatch="DN-9")
    return at.app.documents.import_file(
        event.raw, event.name, source=firm(code).name, sender=firm(code).name, trust=trust
    ).evidence_id


def opened(at: Installation, *, locked: bool = True, order: str | None = None) -> Scene:
    account = int(at.submit_entrusted(at.app.entrusted.prepare_open(open_request(at, order)))["account"])
    if locked:
        at.submit_entrusted(at.app.entrusted.prepare_confirm_locked(account, f"BANK-LOCK-{account}"))
    paper = invoice("INV-S", STEEL, PINE, "PO-9", "Steel", FIRST, today(at.clock), next_day(today(at.clock), 30))
    own = at.app.documents.import_file(
        paper.raw, paper.name, source=firm(PINE).name, sender=firm(PINE).name, trust=Trust.T1
    ).evidence_id
    carrier = evidence_of(at, FAIRWAY, Trust.T3, "arriving")
    return Scene(at, account, carrier, evidence_of(at, MEASURE, Trust.T3, "inspecting"), own)


@pytest.fixture
def scene(installation: Installation) -> Scene:
    return opened(installation)


@pytest.fixture(scope="module")
def untouched(shared_installation: Installation) -> Iterator[Scene]:
    """One account for all refusals: it is as locked and as full at the end as at the beginning."""
    scene = opened(shared_installation)
    yield scene
    with scene.at.app.desk.session() as session:
        row = queries.account(session, scene.account)
        assert (row.locked_minor, row.released_minor, row.refunded_minor) == (FIRST + SECOND, 0, 0)
    assert rebuild_books(scene.at.app, check=True)[0] == []


# Release -------------------------------------------------------------------------------------------------------------


def test_a_release_by_the_book(scene: Scene) -> None:
    scene.ready()
    amount, payment = scene.order()
    assert amount == FIRST
    assert scene.order() == (amount, payment), "asked again, the bank is told the same order"
    scene.confirm(amount, payment, "LINE-1")
    scene.at.refused("stage_not_releasable", scene.order)
    with scene.at.app.desk.session() as session:
        row = queries.account(session, scene.account)
        assert (row.locked_minor, row.released_minor) == (FIRST + SECOND, FIRST)
        assert [m.amount_minor for m in queries.movements(session, scene.account)] == [FIRST]
        assert "Stage 2" in scene.room.turn(session, scene.account)["en"]


@pytest.mark.parametrize(
    ("attestors", "approvers", "missing"),
    [
        ([], [], "evidence of 2 more organisations and 2 more approvals"),
        ([FAIRWAY], [HARBOUR, CORE], "evidence of 1 more organisation missing"),
        ([FAIRWAY, MEASURE], [HARBOUR], "1 more approval missing"),
        ([], [HARBOUR, CORE], "evidence of 2 more organisations"),
        ([FAIRWAY, MEASURE], [], "2 more approvals"),
    ],
)
def test_a_stage_without_its_evidence_or_approvals(
    scene: Scene, attestors: list[str], approvers: list[str], missing: str
) -> None:
    """Neither the order is written nor does the ledger take the bank's word for a payment that may not be."""
    for code in attestors:
        scene.attest(code, scene.carrier if code == FAIRWAY else scene.inspector)
    for code in approvers:
        scene.approve(code, "credit-officer" if code == HARBOUR else "approver")
    problem = scene.at.refused("stage_not_releasable", scene.order)
    assert missing in problem.sentence("en")
    assert "还需" in problem.sentence("zh-CN")
    assert not any("a" <= letter <= "z" for letter in problem.sentence("zh-CN")), problem.sentence("zh-CN")
    scene.at.refused("ledger_entrusted_too_much", lambda: scene.confirm(FIRST, "EA1S0R0", "LINE-1"))


def test_a_stage_whose_order_nobody_confirmed(installation: Installation) -> None:
    """Missing data never passes: the goods are told of by two feeds, but no contract and no invoice that count."""
    scene = opened(installation, order="PO-9")
    scene.attest(FAIRWAY, scene.carrier)
    scene.attest(MEASURE, scene.inspector)
    problem = scene.at.refused("goods_and_money_disagree", lambda: scene.approve(CORE, "approver"))
    assert "No contract or order" in problem.sentence("en")
    assert "PO-9" in problem.sentence("zh-CN")
    scene.at.refused("stage_not_releasable", scene.order)


def test_only_what_all_of_them_agree_on(scene: Scene) -> None:
    """The least of the second-highest: one of them alone can neither raise nor exceed it."""
    scene.attest(FAIRWAY, scene.carrier, FIRST)
    scene.attest(MEASURE, scene.inspector, FIRST // 2)
    scene.approve(HARBOUR, "credit-officer", FIRST)
    scene.approve(CORE, "approver", FIRST // 4)
    amount, payment = scene.order()
    assert amount == FIRST // 4
    scene.at.refused("ledger_entrusted_too_much", lambda: scene.confirm(amount + 1, payment, "LINE-1"))
    scene.confirm(amount, payment, "LINE-1")
    scene.approve(CORE, "approver", FIRST)
    rest, second = scene.order()
    assert (rest, second != payment) == (FIRST // 4, True)


def test_one_bank_line_proves_one_release(scene: Scene) -> None:
    scene.ready()
    amount, payment = scene.order()
    scene.confirm(amount // 2, payment, "LINE-1")
    rest, second = scene.order()
    scene.at.refused("ledger_already_used", lambda: scene.confirm(rest, second, "LINE-1"))
    scene.at.refused("ledger_already_used", lambda: scene.confirm(rest, payment, "LINE-2"))
    scene.confirm(rest, second, "LINE-2")


def test_the_rest_goes_back_at_the_deadline_and_not_before(scene: Scene) -> None:
    def refund() -> tuple[int, str]:
        with scene.at.app.desk.session() as session:
            return scene.room.refund_order(session, scene.account, 0)

    scene.ready(FIRST // 2)
    amount, payment = scene.order()
    scene.confirm(amount, payment, "LINE-1")
    scene.at.refused("stage_not_refundable", refund)
    early = scene.room.prepare_confirm_refunded(scene.account, 0, FIRST // 2, "B", "LINE-2")
    scene.at.refused("ledger_entrusted_too_much", lambda: scene.at.submit_entrusted(early))
    scene.at.clock.move_to(START + 20 * DAY + 1)
    back, order = refund()
    assert back == FIRST - FIRST // 2
    scene.at.submit_entrusted(scene.room.prepare_confirm_refunded(scene.account, 0, back, order, "LINE-2"))
    scene.at.refused("stage_not_refundable", refund)
    with scene.at.app.desk.session() as session:
        row = queries.stage(session, scene.account, 0)
        assert row.released_minor + row.refunded_minor == row.amount_minor


def test_a_dispute_holds_its_part_and_no_more(scene: Scene) -> None:
    scene.ready()
    held = FIRST // 4
    scene.at.submit_entrusted(scene.room.prepare_dispute(scene.account, 0, scene.at.who(PINE), held, "short delivery"))
    assert scene.order()[0] == FIRST - held


def test_the_same_act_again_has_no_second_effect(scene: Scene) -> None:
    prepared = scene.room.prepare_attest(scene.account, 0, scene.at.who(FAIRWAY), FIRST, scene.carrier)
    first = scene.at.submit_entrusted(prepared, key="k")
    with scene.at.nothing_written():
        assert scene.at.submit_entrusted(prepared, key="k") == first
    scene.at.refused("ledger_entrusted_not_more", lambda: scene.at.submit_entrusted(prepared, key="other"))


# Refused --------------------------------------------------------------------------------------------------------------


def test_evidence_nobody_filed(untouched: Scene) -> None:
    untouched.at.refused("evidence_not_filed", lambda: untouched.attest(FAIRWAY, "ab" * 32))


def test_evidence_the_applicant_brought_itself(untouched: Scene) -> None:
    problem = untouched.at.refused("evidence_not_independent", lambda: untouched.attest(FAIRWAY, untouched.applicant))
    assert firm(PINE).name in problem.sentence("en")


@pytest.mark.parametrize("code", [LOTUS, CORE])
def test_an_attestor_without_that_role(untouched: Scene, code: str) -> None:
    untouched.at.refused("ledger_erc7943_cannot_transact", lambda: untouched.attest(code, untouched.carrier))


def test_an_approver_without_that_role(untouched: Scene) -> None:
    untouched.at.refused("ledger_erc7943_cannot_transact", lambda: untouched.approve(FAIRWAY, "account"))


def test_vouching_for_more_than_the_stage(untouched: Scene) -> None:
    untouched.at.refused("ledger_entrusted_too_much", lambda: untouched.attest(FAIRWAY, untouched.carrier, FIRST + 1))


@pytest.mark.parametrize("act", ["attest", "approve", "confirm_released", "confirm_locked"])
def test_every_act_signed_by_the_wrong_key(untouched: Scene, act: str) -> None:
    at, room, account = untouched.at, untouched.room, untouched.account
    prepared = {
        "attest": lambda: room.prepare_attest(account, 0, at.who(FAIRWAY), 1, untouched.carrier),
        "approve": lambda: room.prepare_approve(account, 0, at.who(CORE, "approver"), 1, "yes"),
        "confirm_released": lambda: room.prepare_confirm_released(account, 0, 1, "P", "L"),
        "confirm_locked": lambda: room.prepare_confirm_locked(account, "L"),
    }[act]()
    for key in (STRANGER, demo_key("pine-account")):
        parts = [[signed_by(prepared, key.private)]]
        at.refused(
            "ledger_not_authorised",
            lambda p=parts: room.submit(act, prepared.message, p, key="wrong", caller="test"),  # type: ignore[misc]
        )


def test_an_opening_signed_by_one_side_only(untouched: Scene) -> None:
    at = untouched.at
    prepared = at.app.entrusted.prepare_open(open_request(at))
    payer = [signed_by(prepared, demo_key("harbour-account").private)]
    for parts in ([payer, payer], [payer, [b""]], [payer], []):
        at.refused(
            "ledger_not_authorised" if len(parts) == 2 else "ledger_bad_arguments",
            lambda p=parts: at.app.entrusted.submit("open", prepared.message, p, key="half", caller="test"),  # type: ignore[misc]
        )


def test_openings_that_make_no_sense(untouched: Scene) -> None:
    at = untouched.at
    good = open_request(at)
    at.refused("stages_without_value", lambda: at.app.entrusted.prepare_open(replace(good, stages=())))
    nothing = (replace(good.stages[0], amount_minor=0),)
    at.refused("stages_without_value", lambda: at.app.entrusted.prepare_open(replace(good, stages=nothing)))
    at.refused("unknown_participant", lambda: at.app.entrusted.prepare_open(replace(good, bank=STRANGER.address)))
    stranger = (replace(good.stages[0], payee=STRANGER.address),)
    at.refused("unknown_participant", lambda: at.app.entrusted.prepare_open(replace(good, stages=stranger)))


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda at: {"attestors": (at.who(FAIRWAY),)}, "duty_missing"),
        (lambda at: {"approvers": (at.who(CORE, "approver"),)}, "duty_missing"),
        (lambda at: {"approvers": (at.who(CORE, "approver"), at.who(CORE, "approver"))}, "duty_twice"),
        (lambda at: {"attestors": (at.who(PINE), at.who(MEASURE))}, "duty_not_independent"),
        (lambda at: {"attestors": (at.who(HARBOUR), at.who(HARBOUR, "credit-officer"))}, "evidence_of_one_house"),
    ],
)
def test_an_opening_that_one_organisation_could_release_alone(untouched: Scene, change, code: str) -> None:  # type: ignore[no-untyped-def]
    """Refused in words before anybody signs, and by the ledger where both signed it all the same."""
    at = untouched.at
    others = {"approvers": (at.who(FAIRWAY), at.who(CORE, "approver"))} if code == "evidence_of_one_house" else {}
    at.refused(code, lambda: at.app.entrusted.prepare_open(replace(open_request(at), **{**others, **change(at)})))
    prepared = at.app.entrusted.prepare_open(open_request(at))
    changed = {name: list(who) for name, who in change(at).items()}
    with at.nothing_written(), pytest.raises(Problem) as caught:
        at.submit_entrusted(replace(prepared, message={**prepared.message, **changed}))
    assert caught.value.code.startswith("ledger_"), caught.value


def test_unknown_accounts_stages_and_acts(untouched: Scene) -> None:
    at, room = untouched.at, untouched.room
    at.refused("unknown_entrusted_account", lambda: room.prepare_confirm_locked(99, "L"))
    at.refused("unknown_stage", lambda: room.prepare_attest(untouched.account, 7, at.who(FAIRWAY), 1, "ab" * 32))
    at.refused("unknown_stage", lambda: untouched.order(9))
    at.refused("unknown_act", lambda: room.submit("take", {}, [], key="k", caller="test"))


def test_nothing_is_released_before_the_money_is_locked(enrolled: Path, installation: Installation) -> None:
    scene = opened(installation, locked=False)
    scene.at.refused("stage_not_releasable", scene.order)
    scene.at.refused("ledger_entrusted_not_locked", lambda: scene.attest(FAIRWAY, scene.carrier))
